"""Commands in the table ``bam``, as migrations put them off, and what is heard of their running."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import psycopg

from pgboss.core.events import BamEvent, ErrorEvent
from pgboss.core.names import SchemaName
from pgboss.runtime.events import Events
from support.postgres import sql, sql_value

__all__ = ["Heard", "bam_rows", "holding_up_builds", "put_off", "running"]


def put_off(url: str, command: str, *, schema: str = "pgboss", table: str = "job_common", **columns: Any) -> UUID:
    """Add a command; ``columns`` are those of the row."""
    row = {"name": "build", "version": 46, "table_name": table, "command": command} | columns
    names, places = ", ".join(row), ", ".join(["%s"] * len(row))
    statement = f"INSERT INTO {SchemaName(schema).table('bam')} ({names}) VALUES ({places}) RETURNING id"
    id: UUID = sql_value(url, statement, list(row.values()))
    return id


def bam_rows(url: str, schema: str = "pgboss") -> list[dict[str, Any]]:
    """All commands, every column, in the order in which they were put off."""
    return sql(url, f"SELECT * FROM {SchemaName(schema).table('bam')} ORDER BY created_on")


def running(url: str, text: str) -> int:
    """How many backends are at a statement that holds this text."""
    count: int = sql_value(
        url,
        "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND datname = current_database() "
        "AND pid <> pg_backend_pid() AND query LIKE '%%' || %s || '%%'",
        [text],
    )
    return count


@asynccontextmanager
async def holding_up_builds(url: str, table: str = "pgboss.job_common") -> AsyncIterator[None]:
    """Meanwhile a concurrent build on the table waits, for a transaction that might write."""
    async with await psycopg.AsyncConnection.connect(url) as writer:
        await writer.execute(f"LOCK TABLE {table} IN ROW EXCLUSIVE MODE")
        yield
        await writer.rollback()


class Heard:
    """The events of a duty, with somebody to hear them."""

    def __init__(self) -> None:
        self.events = Events()
        self.bam: list[BamEvent] = []
        self.errors: list[ErrorEvent] = []
        self.warnings: list[Any] = []
        self.events.on("bam", self.bam.append)
        self.events.on("error", self.errors.append)
        self.events.on("warning", self.warnings.append)

    async def __aenter__(self) -> Heard:
        self.events.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.events.close()

    async def all(self) -> Heard:
        """The same, once everything has arrived that was told so far: events come in order."""
        arrived = asyncio.Event()

        def arrive(_: object) -> None:
            arrived.set()

        self.events.on("stopped", arrive)
        self.events.emit("stopped")
        await arrived.wait()
        self.events.off("stopped", arrive)
        return self

    async def statuses(self) -> list[str]:
        """The statuses of commands that were told of so far."""
        return [event.status for event in (await self.all()).bam]
