"""Statements over one connection, ours or the caller's.

A connection in autocommit mode gets a transaction of ours where an operation needs one. Any other belongs to its
caller: psycopg opens the transaction with the first statement, and nothing here ever ends it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from psycopg import AsyncConnection, AsyncRawCursor, Connection, RawCursor
from psycopg.pq import TransactionStatus
from psycopg.rows import tuple_row

from pgboss.core.query import Query, Rows, Statement
from pgboss.drivers.psycopg.errors import translated

__all__ = ["AsyncPsycopgSession", "PsycopgSession"]


def _parameters(statement: Statement) -> tuple[Any, ...] | None:
    # Without parameters psycopg uses the simple protocol, which is what lets a script hold several statements.
    return (statement.parameters or None) if isinstance(statement, Query) else None


def _is_binary(statement: Statement) -> bool:
    """Whether to ask for binary answers, which read the same whatever DateStyle the server or the caller has set."""
    return isinstance(statement, Query)


def _needs_savepoint(statement: Statement) -> bool:
    return isinstance(statement, Query) and statement.guarded


def _is_idle(connection: AsyncConnection[Any] | Connection[Any]) -> bool:
    return connection.info.transaction_status == TransactionStatus.IDLE


def _columns(cursor: AsyncRawCursor[Any] | RawCursor[Any]) -> tuple[str, ...]:
    return tuple(column.name for column in cursor.description or ())


class AsyncPsycopgSession:
    """Statements over an ``AsyncConnection``."""

    def __init__(self, connection: AsyncConnection[Any]) -> None:
        self._connection = connection

    async def execute(self, statement: Statement) -> Rows:
        with translated():
            if _needs_savepoint(statement) and not _is_idle(self._connection):
                async with self._connection.transaction():
                    return await self._execute(statement)
            return await self._execute(statement)

    async def _execute(self, statement: Statement) -> Rows:
        async with AsyncRawCursor(self._connection, row_factory=tuple_row) as cursor:
            await cursor.execute(statement.sql, _parameters(statement), prepare=False, binary=_is_binary(statement))
            if self._connection.pgconn.pipeline_status:
                # In a caller's pipeline: leaving one of ours within it brings the answer.
                async with self._connection.pipeline():
                    pass
            values = await cursor.fetchall() if cursor.description else []
            return Rows(_columns(cursor), values, cursor.rowcount)

    @asynccontextmanager
    async def atomic(self) -> AsyncIterator[None]:
        if self._connection.autocommit and _is_idle(self._connection):
            with translated():
                async with self._connection.transaction():
                    yield
        else:
            yield


class PsycopgSession:
    """Statements over a ``Connection``."""

    def __init__(self, connection: Connection[Any]) -> None:
        self._connection = connection

    def execute(self, statement: Statement) -> Rows:
        with translated():
            if _needs_savepoint(statement) and not _is_idle(self._connection):
                with self._connection.transaction():
                    return self._execute(statement)
            return self._execute(statement)

    def _execute(self, statement: Statement) -> Rows:
        with RawCursor(self._connection, row_factory=tuple_row) as cursor:
            cursor.execute(statement.sql, _parameters(statement), prepare=False, binary=_is_binary(statement))
            if self._connection.pgconn.pipeline_status:
                with self._connection.pipeline():
                    pass
            values = cursor.fetchall() if cursor.description else []
            return Rows(_columns(cursor), values, cursor.rowcount)

    @contextmanager
    def atomic(self) -> Iterator[None]:
        if self._connection.autocommit and _is_idle(self._connection):
            with translated(), self._connection.transaction():
                yield
        else:
            yield
