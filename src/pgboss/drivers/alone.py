"""A connection for commands that run long and outside of any transaction, such as concurrent index builds."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol, TypeVar

from pgboss.core.query import Operation
from pgboss.drivers.runner import AsyncSession

__all__ = ["Alone", "LoneSession", "hang_up_socket"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class LoneSession:
    """A connection that nobody else uses.

    Attributes:
        session: to run operations on.
        hang_up: breaks the connection beneath a statement, without cancelling it: the server goes on with it, and the
            session fails with :class:`~pgboss.errors.DatabaseUnavailableError`.
    """

    session: AsyncSession
    hang_up: Callable[[], None]


class Alone(Protocol):
    """A pool that gives one of its connections away for long."""

    def alone(self) -> AbstractAsyncContextManager[LoneSession]:
        """A connection of the pool, in no transaction.

        Raises:
            DatabaseUnavailableError: none was to be had.
        """

    async def run(self, operation: Operation[T], connection: object | None = None) -> T:
        """Run an operation on whichever connection."""


def hang_up_socket(descriptor: int) -> None:
    """End what a socket still receives and sends; whoever reads from it finds its end."""
    with socket.socket(fileno=os.dup(descriptor)) as twin:
        twin.shutdown(socket.SHUT_RDWR)
