"""Transactions in which a handler writes beside us: what a pool offers to workers that complete their jobs in them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from pgboss.drivers.runner import AsyncSession, Session

__all__ = ["CommitUnknown", "OpenTransaction", "Transactions"]

S = TypeVar("S", bound=AsyncSession | Session)


class CommitUnknown(Exception):  # noqa: N818  neither done nor failed
    """The connection was lost during COMMIT: the server may have committed, or not."""


@dataclass(frozen=True, slots=True)
class OpenTransaction(Generic[S]):
    """A transaction on a connection of its own.

    Attributes:
        connection: the driver's connection, for the handler.
        session: the same one, to run operations on.
        is_open: whether the transaction has neither ended nor failed.
    """

    connection: Any
    session: S
    is_open: Callable[[], bool]


class Transactions(Protocol):
    """Somebody who opens transactions.

    Both kinds commit where their block ends, and roll back where it raises, which goes on to the caller as it was.

    Raises:
        DatabaseError: no connection was to be had, or COMMIT was refused: nothing of it is stored.
        CommitUnknown: nobody knows.
    """

    @property
    def pool_size(self) -> int:
        """How many transactions there may be at once."""

    def transaction(self, *, is_ours: bool = False) -> AbstractAsyncContextManager[OpenTransaction[AsyncSession]]:
        """One for a coroutine, on a connection of the pool; ``is_ours`` if nobody else writes in it."""

    def transaction_in_thread(self) -> AbstractContextManager[OpenTransaction[Session]]:
        """One for the thread that calls this, with a sync connection; never for the thread of the event loop."""
