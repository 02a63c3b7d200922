"""Statements over one asyncpg connection, ours for a moment or the caller's.

Nothing is prepared by name: each statement uses the unnamed one, which leaves nothing behind. asyncpg sends the
preparation with a flush and not with a sync, so that also outside of a transaction a pooler keeps both of its trips
together.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg

from pgboss.core.query import Copy, Query, Rows, Statement
from pgboss.drivers.asyncpg.errors import translated
from pgboss.drivers.savepoints import RELEASE, ROLLBACK, SAVEPOINT, is_guarded
from pgboss.drivers.statements import as_plain, through_text
from pgboss.errors import DatabaseError

__all__ = ["AsyncpgSession"]

_POSTGRES_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)


class AsyncpgSession:
    """Statements over an ``asyncpg.Connection``, or the stand-in for one that a pool gives."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    async def execute(self, statement: Statement) -> Rows:
        if is_guarded(statement) and self._is_in_transaction():
            return await self._execute_in_savepoint(statement)
        return await self._execute(statement)

    def _is_in_transaction(self) -> bool:
        with translated(self._connection):
            return bool(self._connection.is_in_transaction())

    async def _execute_in_savepoint(self, statement: Statement) -> Rows:
        # By hand: asyncpg's own transaction() refuses where the caller has sent a BEGIN himself.
        await self._command(SAVEPOINT)
        try:
            rows = await self._execute(statement)
        except DatabaseError:
            await self._command(ROLLBACK)
            raise
        await self._command(RELEASE)
        return rows

    async def _execute(self, statement: Statement) -> Rows:
        if isinstance(statement, Copy):
            return await self._copy(statement)
        if not isinstance(statement, Query):
            await self._command(statement.sql)
            return Rows()
        with translated(self._connection):
            prepared = await self._connection.prepare(through_text(statement.sql), name="", record_class=asyncpg.Record)
            records = await prepared.fetch(*map(as_plain, statement.parameters))
            return _rows(prepared, records)

    async def _copy(self, statement: Copy) -> Rows:
        with translated(self._connection):
            status = await self._connection.copy_to_table(
                statement.table,
                schema_name=statement.schema,
                columns=statement.columns,
                source=_each_block(statement.blocks),
                format="binary",
            )
            return Rows(affected=_affected(status))

    async def _command(self, text: str) -> None:
        with translated(self._connection):
            await self._connection.execute(text)

    @asynccontextmanager
    async def atomic(self) -> AsyncIterator[None]:
        if self._is_in_transaction():
            yield
            return
        transaction = self._connection.transaction()
        with translated(self._connection):
            await transaction.start()
        try:
            yield
        except BaseException:
            # On a connection that is lost nothing is left to roll back, and why the block ended matters more.
            with suppress(DatabaseError), translated(self._connection):
                await transaction.rollback()
            raise
        with translated(self._connection):
            await transaction.commit()


async def _each_block(blocks: Iterable[bytes]) -> AsyncIterator[bytes]:
    for block in blocks:
        yield block


def _rows(prepared: Any, records: list[Any]) -> Rows:
    attributes = prepared.get_attributes()
    columns = tuple(attribute.name for attribute in attributes)
    readers = [(index, _READERS[a.type.oid]) for index, a in enumerate(attributes) if a.type.oid in _READERS]
    return Rows(columns, [_read(record, readers) for record in records], _affected(prepared.get_statusmsg()))


def _read(record: Any, readers: list[tuple[int, Callable[[Any], Any]]]) -> tuple[Any, ...]:
    values = list(record)
    for index, read in readers:
        if values[index] is not None:
            values[index] = read(values[index])
    return tuple(values)


def _affected(status: str) -> int:
    """The count in an answer like ``UPDATE 3``; commands without one say 0."""
    count = status.rpartition(" ")[2]
    return int(count) if count.isdecimal() else 0


def _uuid(value: Any) -> UUID:
    """A plain UUID from asyncpg's own kind of one, or from what the caller's codec has made of it."""
    if isinstance(value, UUID):
        return value if type(value) is UUID else UUID(int=value.int)
    return UUID(bytes=value) if isinstance(value, bytes) else UUID(str(value))


def _time(value: Any) -> datetime:
    """An aware datetime, also from a codec of the caller's that gives text, a naive time or bare microseconds."""
    if isinstance(value, tuple):
        return _POSTGRES_EPOCH + timedelta(microseconds=value[0])
    if not isinstance(value, datetime):
        value = datetime.fromisoformat(str(value))
    if value.tzinfo is None:
        value = value.replace(tzinfo=UTC)
    return value if type(value) is datetime else datetime.combine(value.date(), value.timetz())


def _each(read: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda values: [None if value is None else read(value) for value in values]


# By the numbers of the types, which are the same in every database.
_READERS: dict[int, Callable[[Any], Any]] = {
    2950: _uuid,
    2951: _each(_uuid),
    1184: _time,
    1185: _each(_time),
}
