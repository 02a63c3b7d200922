"""Statements over one connection, ours or the caller's.

A connection in autocommit mode gets a transaction of ours where an operation needs one. Any other belongs to its
caller: psycopg opens the transaction with the first statement, and nothing here ever ends it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from psycopg import AsyncConnection, Connection
from psycopg.pq import TransactionStatus
from psycopg.rows import tuple_row

from pgboss.core.query import Copy, Query, Rows, Statement
from pgboss.drivers.errors import cannot_copy
from pgboss.drivers.psycopg.cursors import AsyncPlainCursor, PlainCursor
from pgboss.drivers.psycopg.errors import translated
from pgboss.drivers.psycopg.kept import KeptStatements
from pgboss.drivers.savepoints import is_guarded
from pgboss.drivers.statements import as_array

__all__ = ["AsyncPsycopgSession", "PsycopgSession"]

# Anything: psycopg sends BEGIN before the first statement of a transaction, whichever that is.
_OPENING = "SELECT"


def _parameters(statement: Statement) -> tuple[Any, ...] | None:
    # Without parameters psycopg uses the simple protocol, which is what lets a script hold several statements.
    if not isinstance(statement, Query) or not statement.parameters:
        return None
    return tuple(as_array(value) if isinstance(value, list | tuple) else value for value in statement.parameters)


def _is_binary(statement: Statement) -> bool:
    """Whether to ask for binary answers, which read the same whatever DateStyle the server or the caller has set."""
    return isinstance(statement, Query)


def _is_idle(connection: AsyncConnection[Any] | Connection[Any]) -> bool:
    return connection.info.transaction_status == TransactionStatus.IDLE


def _columns(cursor: AsyncPlainCursor | PlainCursor) -> tuple[str, ...]:
    return tuple(column.name for column in cursor.description or ())


class AsyncPsycopgSession:
    """Statements over an ``AsyncConnection``; ``kept`` are those that it keeps prepared, if it is ours."""

    def __init__(self, connection: AsyncConnection[Any], kept: KeptStatements | None = None) -> None:
        self._connection = connection
        self._kept = kept

    async def execute(self, statement: Statement) -> Rows:
        with translated():
            if is_guarded(statement) and await self._is_in_transaction():
                async with self._connection.transaction():
                    return await self._execute(statement)
            return await self._execute(statement)

    async def _is_in_transaction(self) -> bool:
        """Whether the next statement is part of a transaction; one that is only about to begin begins now."""
        await self._settle_pipeline()
        if not _is_idle(self._connection):
            return True
        if self._connection.autocommit:
            return False
        await self._connection.execute(_OPENING, prepare=False)
        await self._settle_pipeline()
        return True

    async def _settle_pipeline(self) -> None:
        """In a caller's pipeline: leaving one of ours within it brings the answers, and what they say of the state."""
        if self._connection.pgconn.pipeline_status:
            async with self._connection.pipeline():
                pass

    async def _execute(self, statement: Statement) -> Rows:
        if isinstance(statement, Copy):
            return await self._copy(statement)
        if self._kept and isinstance(statement, Query) and self._kept.takes(self._connection, statement):
            rows = await self._connection.wait(self._kept.run(self._connection, statement))
            if rows is not None:
                return rows
        async with AsyncPlainCursor(self._connection, row_factory=tuple_row) as cursor:
            await cursor.execute(statement.sql, _parameters(statement), prepare=False, binary=_is_binary(statement))
            await self._settle_pipeline()
            values = await cursor.fetchall() if cursor.description else []
            return Rows(_columns(cursor), values, cursor.rowcount)

    async def _copy(self, statement: Copy) -> Rows:
        if self._connection.pgconn.pipeline_status:
            raise cannot_copy("the connection is in pipeline mode")
        async with AsyncPlainCursor(self._connection) as cursor:
            async with cursor.copy(statement.sql) as copy:
                for block in statement.blocks:
                    await copy.write(block)
            return Rows(affected=cursor.rowcount)

    @asynccontextmanager
    async def atomic(self) -> AsyncIterator[None]:
        if not (self._connection.autocommit and _is_idle(self._connection)):
            yield
            return
        # Not around the block, which may raise what psycopg raises elsewhere.
        transaction = self._connection.transaction()
        with translated():
            await transaction.__aenter__()
        try:
            yield
        except BaseException as error:
            with translated():
                await transaction.__aexit__(type(error), error, error.__traceback__)
            raise
        with translated():
            await transaction.__aexit__(None, None, None)


class PsycopgSession:
    """Statements over a ``Connection``; ``kept`` are those that it keeps prepared, if it is ours."""

    def __init__(self, connection: Connection[Any], kept: KeptStatements | None = None) -> None:
        self._connection = connection
        self._kept = kept

    def execute(self, statement: Statement) -> Rows:
        with translated():
            if is_guarded(statement) and self._is_in_transaction():
                with self._connection.transaction():
                    return self._execute(statement)
            return self._execute(statement)

    def _is_in_transaction(self) -> bool:
        self._settle_pipeline()
        if not _is_idle(self._connection):
            return True
        if self._connection.autocommit:
            return False
        self._connection.execute(_OPENING, prepare=False)
        self._settle_pipeline()
        return True

    def _settle_pipeline(self) -> None:
        if self._connection.pgconn.pipeline_status:
            with self._connection.pipeline():
                pass

    def _execute(self, statement: Statement) -> Rows:
        if isinstance(statement, Copy):
            return self._copy(statement)
        if self._kept and isinstance(statement, Query) and self._kept.takes(self._connection, statement):
            rows = self._connection.wait(self._kept.run(self._connection, statement))
            if rows is not None:
                return rows
        with PlainCursor(self._connection, row_factory=tuple_row) as cursor:
            cursor.execute(statement.sql, _parameters(statement), prepare=False, binary=_is_binary(statement))
            self._settle_pipeline()
            values = cursor.fetchall() if cursor.description else []
            return Rows(_columns(cursor), values, cursor.rowcount)

    def _copy(self, statement: Copy) -> Rows:
        if self._connection.pgconn.pipeline_status:
            raise cannot_copy("the connection is in pipeline mode")
        with PlainCursor(self._connection) as cursor:
            with cursor.copy(statement.sql) as copy:
                for block in statement.blocks:
                    copy.write(block)
            return Rows(affected=cursor.rowcount)

    @contextmanager
    def atomic(self) -> Iterator[None]:
        if not (self._connection.autocommit and _is_idle(self._connection)):
            yield
            return
        transaction = self._connection.transaction()
        with translated():
            transaction.__enter__()
        try:
            yield
        except BaseException as error:
            with translated():
                transaction.__exit__(type(error), error, error.__traceback__)
            raise
        with translated():
            transaction.__exit__(None, None, None)
