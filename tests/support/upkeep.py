"""Job rows with a past, for the tests of the upkeep."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar
from uuid import UUID, uuid4

from pgboss.core.names import SchemaName
from pgboss.core.query import Operation
from pgboss.drivers.psycopg import AsyncDatabase
from pgboss.drivers.runner import Run
from support.postgres import sql

__all__ = ["SCHEMA", "Watched", "add_job", "add_jobs", "database", "job_rows", "queue_row"]

T = TypeVar("T")

SCHEMA = SchemaName()


@asynccontextmanager
async def database(url: str, *, pool_size: int = 4) -> AsyncIterator[AsyncDatabase]:
    """A pool for the duties under test."""
    pool = AsyncDatabase(url, pool_size=pool_size)
    await pool.open()
    try:
        yield pool
    finally:
        await pool.close()


def add_job(url: str, queue: str, *, schema: str = "pgboss", **columns: Any) -> UUID:
    """Insert one job as it stands, past and all; each value is SQL text, such as ``now() - interval '1 hour'``."""
    id = uuid4()
    add_jobs(url, queue, 1, schema=schema, **({"id": f"'{id}'"} | columns))
    return UUID(columns["id"].strip("'")) if "id" in columns else id


def add_jobs(url: str, queue: str, number: int, *, schema: str = "pgboss", **columns: Any) -> None:
    """Insert several jobs as they stand; in the SQL text of a value, ``n`` is the job's number from 1 on."""
    names = "".join(f", {name}" for name in columns)
    values = "".join(f", {value}" for value in columns.values())
    sql(
        url,
        f"INSERT INTO {SchemaName(schema).table('job')} (name{names}) "
        f"SELECT '{queue}'{values} FROM generate_series(1, {number}) n",
    )


def job_rows(url: str, queue: str, *, schema: str = "pgboss") -> list[dict[str, Any]]:
    """A queue's jobs, every column, by id."""
    return sql(url, f"SELECT * FROM {SchemaName(schema).table('job')} WHERE name = %s ORDER BY id", [queue])


def queue_row(url: str, queue: str, *, schema: str = "pgboss") -> dict[str, Any]:
    """A queue's own row, every column."""
    return sql(url, f"SELECT * FROM {SchemaName(schema).table('queue')} WHERE name = %s", [queue])[0]


class Watched:
    """Runs operations for a duty, and lets something happen in between.

    ``before`` is awaited before every operation, with the number of those that came before it.
    """

    def __init__(self, run: Run, before: Callable[[int], Awaitable[None]] | None = None) -> None:
        self._run = run
        self._before = before
        self.count = 0

    async def __call__(self, operation: Operation[T]) -> T:
        if self._before is not None:
            await self._before(self.count)
        self.count += 1
        return await self._run(operation)
