"""Transactions on asyncpg connections that somebody else writes in as well."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from pgboss.drivers.asyncpg.errors import is_lost, translated
from pgboss.drivers.asyncpg.sessions import AsyncpgSession
from pgboss.drivers.runner import AsyncSession
from pgboss.drivers.transactions import CommitUnknown, OpenTransaction
from pgboss.errors import DatabaseError

__all__ = ["open_transaction"]


@asynccontextmanager
async def open_transaction(connection: Any) -> AsyncIterator[OpenTransaction[AsyncSession]]:
    """See :class:`~pgboss.drivers.transactions.Transactions`."""
    with translated(connection):
        transaction = connection.transaction()
        await transaction.start()
    try:
        # Also true of a transaction that has failed, of which asyncpg does not tell; the next statement then does.
        yield OpenTransaction(connection, AsyncpgSession(connection), connection.is_in_transaction)
    except BaseException:
        # On a connection that is lost nothing is left to roll back, and why the block ended matters more.
        with suppress(DatabaseError), translated(connection):
            await transaction.rollback()
        raise
    try:
        with translated(connection):
            await transaction.commit()
    except DatabaseError as error:
        if is_lost(connection):
            raise CommitUnknown(str(error)) from error
        raise
