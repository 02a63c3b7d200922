"""Transactions on psycopg connections that somebody else writes in as well."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from typing import Any

import psycopg
from psycopg import AsyncConnection, Connection
from psycopg.pq import TransactionStatus

from pgboss.drivers.psycopg.errors import translated
from pgboss.drivers.psycopg.kept import KeptStatements
from pgboss.drivers.psycopg.sessions import AsyncPsycopgSession, PsycopgSession
from pgboss.drivers.runner import AsyncSession, Session
from pgboss.drivers.transactions import CommitUnknown, OpenTransaction

__all__ = ["open_transaction", "open_transaction_in_thread"]


def _is_open(connection: AsyncConnection[Any] | Connection[Any]) -> bool:
    return connection.info.transaction_status == TransactionStatus.INTRANS


class _Commit:
    """Tells what the block raised from what COMMIT raised."""

    def __init__(self) -> None:
        self.is_under_way = False
        self.raised: BaseException | None = None

    def what(self, error: psycopg.Error, connection: AsyncConnection[Any] | Connection[Any]) -> BaseException:
        """What to raise for an error of the driver."""
        if not self.is_under_way:
            return self.raised or error
        if connection.closed:
            return CommitUnknown(str(error).strip())
        try:
            with translated():
                raise error
        except Exception as ours:  # noqa: BLE001  translated raises ours
            return ours


@asynccontextmanager
async def open_transaction(
    connection: AsyncConnection[Any], kept: KeptStatements | None = None
) -> AsyncIterator[OpenTransaction[AsyncSession]]:
    """See :class:`~pgboss.drivers.transactions.Transactions`; ``kept`` if nobody else writes in it."""
    commit = _Commit()
    try:
        async with connection.transaction():
            try:
                yield OpenTransaction(connection, AsyncPsycopgSession(connection, kept), partial(_is_open, connection))
            except BaseException as error:
                commit.raised = error
                raise
            commit.is_under_way = True
    except psycopg.Error as error:
        raise commit.what(error, connection) from error.__cause__
    if commit.raised is not None:
        # psycopg keeps its own Rollback to itself; here it must not look as if the block had succeeded.
        raise commit.raised


@contextmanager
def open_transaction_in_thread(connection: Connection[Any]) -> Iterator[OpenTransaction[Session]]:
    """The same, of a sync connection."""
    commit = _Commit()
    try:
        with connection.transaction():
            try:
                yield OpenTransaction(connection, PsycopgSession(connection), partial(_is_open, connection))
            except BaseException as error:
                commit.raised = error
                raise
            commit.is_under_way = True
    except psycopg.Error as error:
        raise commit.what(error, connection) from error.__cause__
    if commit.raised is not None:
        raise commit.raised
