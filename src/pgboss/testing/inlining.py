"""Inline mode: whoever sends a job waits for its handler.

A job is stored, claimed, handled and settled like any other, and its payload has been JSON on the way. Without
``connection=`` it is committed before its handler runs. With it, everything happens within the caller's transaction:
the handler runs at once, and when the caller rolls back, the job was never there.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from pgboss import PgBoss
from pgboss.core.creation import Creation, NewlyCreated, creation
from pgboss.core.query import Operation
from pgboss.drivers.database import AnyAsyncDatabase
from pgboss.testing.access import Access
from pgboss.testing.draining import Drainer
from pgboss.testing.rounds import MOST_JOBS, Ran

__all__ = ["Listening", "first_error", "inline"]

T = TypeVar("T")


@asynccontextmanager
async def inline(boss: PgBoss, *, raise_errors: bool = True) -> AsyncIterator[list[Ran]]:
    """Within the block, let every call that creates jobs return when their handlers have.

    Jobs of queues without a definition stay where they are, and so do those that are not due yet: delayed ones, and
    retries with a delay. What handlers send is worked before they go on.

    Args:
        boss: a started instance with definitions, made with ``work=False``.
        raise_errors: raise from the call what a handler has raised, once its job is settled.

    Yields:
        What has run, in the order in which it ended.
    """
    access = Access(boss)
    database, ran = access.database, list[Ran]()
    access.database = _InlineDatabase(access, database, ran, raise_errors=raise_errors)
    try:
        yield ran
    finally:
        access.database = database


class Listening:
    """Around an operation: remembers which jobs it has created, and lets others hear of them, too."""

    def __init__(self) -> None:
        self._created: list[NewlyCreated] = []

    def __enter__(self) -> list[NewlyCreated]:
        self._others = creation.get()
        self._token = creation.set(Creation(self._others.trace_context, self._hear))
        return self._created

    def __exit__(self, *_: object) -> None:
        creation.reset(self._token)

    def _hear(self, job: NewlyCreated) -> None:
        self._created.append(job)
        if self._others.on_created is not None:
            self._others.on_created(job)


def first_error(ran: list[Ran]) -> BaseException | None:
    """The first error that a handler has raised."""
    return next((one.error for one in ran if one.error is not None), None)


class _InlineDatabase:
    def __init__(self, access: Access, database: AnyAsyncDatabase, ran: list[Ran], *, raise_errors: bool) -> None:
        self._access = access
        self._database = database
        self._ran = ran
        self._raise_errors = raise_errors

    def __getattr__(self, name: str) -> Any:
        return getattr(self._database, name)

    async def run(self, operation: Operation[T], connection: Any = None, *, within_seconds: float | None = None) -> T:
        with Listening() as created:
            value = await self._database.run(operation, connection, within_seconds=within_seconds)
        names = dict.fromkeys(job.name for job in created)
        definitions = [self._access.definitions[name] for name in names if name in self._access.definitions]
        workable = [definition for definition in definitions if definition.handler is not None]
        if workable:
            drainer = Drainer(self._access, self._database, connection)
            ran = await drainer.drain(workable, ignore_start_after=False, most_jobs=MOST_JOBS)
            self._ran += ran
            error = first_error(ran)
            if self._raise_errors and error is not None:
                raise error
        return value
