"""The same for programs without asyncio: handlers run in the thread of the test.

A plain function is called outside of any event loop, because frameworks such as Django refuse their database within
one. An ``async def`` handler gets an event loop of its own for each call.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager, asynccontextmanager, contextmanager
from typing import Any, TypeVar

from pgboss import Jobs, SyncPgBoss
from pgboss.core.job import Job
from pgboss.core.query import Operation
from pgboss.core.target import QueueLike
from pgboss.drivers.database import AnyDatabase
from pgboss.drivers.psycopg import Database
from pgboss.drivers.runner import AsyncSession, Session
from pgboss.drivers.transactions import OpenTransaction
from pgboss.errors import ConfigurationError
from pgboss.jobs import JobDefinition, collect
from pgboss.runtime.clock import Deadline, TimerHandle, running_on
from pgboss.testing.access import SyncAccess
from pgboss.testing.draining import states_of
from pgboss.testing.inlining import Listening, first_error
from pgboss.testing.rounds import (
    MOST_JOBS,
    DrainLimitError,
    Handler,
    Ran,
    chosen,
    claim,
    refuse_transactional,
    settle,
)
from pgboss.worker.handling import Handling
from pgboss.worker.outcome import Outcome
from pgboss.worker.watching import run_watched

__all__ = ["sync_drain", "sync_inline"]

T = TypeVar("T")


def sync_drain(
    boss: SyncPgBoss,
    jobs: Jobs | Iterable[Jobs] = (),
    *queues: QueueLike,
    handlers: Mapping[str, Handler] | None = None,
    ignore_start_after: bool = False,
    most_jobs: int = MOST_JOBS,
    connection: Any = None,
) -> list[Ran]:
    """Work jobs until none is due any more, and return what ran: :func:`drain` for ``SyncPgBoss``.

    Args:
        boss: a started instance.
        jobs: the definitions to work, as ``PgBoss(jobs=…)`` takes them.
        *queues, handlers, ignore_start_after, most_jobs, connection: see :func:`drain`.

    Raises:
        ConfigurationError, DrainLimitError: see :func:`drain`; ConfigurationError also when an ``async def`` handler
            has a transaction of its own.
    """
    access = SyncAccess(boss)
    drainer = _SyncDrainer(access, access.database, connection)
    return drainer.drain(
        chosen(collect(jobs), queues, handlers or {}), ignore_start_after=ignore_start_after, most_jobs=most_jobs
    )


@contextmanager
def sync_inline(boss: SyncPgBoss, jobs: Jobs | Iterable[Jobs], *, raise_errors: bool = True) -> Iterator[list[Ran]]:
    """Within the block, let every call that creates jobs return when their handlers have: :func:`inline`."""
    access = SyncAccess(boss)
    database, ran = access.database, list[Ran]()
    access.database = _InlineDatabase(access, database, collect(jobs), ran, raise_errors=raise_errors)
    try:
        yield ran
    finally:
        access.database = database


class _SyncDrainer:
    def __init__(self, access: SyncAccess, database: AnyDatabase, connection: Any = None) -> None:
        self._access = access
        self._database = database
        self._connection = connection

    def drain(
        self, definitions: Sequence[JobDefinition[Any, Any]], *, ignore_start_after: bool, most_jobs: int
    ) -> list[Ran]:
        if self._connection is not None:
            refuse_transactional(definitions)
        ran: list[Ran] = []
        while True:
            before = len(ran)
            for definition in definitions:
                ran += self._once(definition, ignore_start_after)
                if len(ran) > most_jobs:
                    raise DrainLimitError(f"{len(ran)} jobs have run, and there are still more: most_jobs={most_jobs}.")
            if len(ran) == before:
                return ran

    def _once(self, definition: JobDefinition[Any, Any], ignore_start_after: bool) -> list[Ran]:
        if definition.is_async and definition.is_transactional:
            raise ConfigurationError(
                f"The handler of {definition.name!r} takes an async connection, which SyncPgBoss has not: use drain()."
            )
        watch = self._access.watch
        jobs = self._run(
            claim(
                self._access.catalog(self._connection),
                definition,
                ignore_start_after=ignore_start_after,
                is_traced=watch.is_traced,
            )
        )
        watch.claimed(definition.name, jobs)
        if not jobs:
            return []
        outcomes: list[tuple[Job, Outcome]] = []
        handling = Handling(
            definition, _SyncTransactions(self._database), lambda: self._access.catalog(self._connection)
        )
        handled = run_watched(watch, handling, jobs, _here, lambda job, outcome: outcomes.append((job, outcome)))
        asyncio.run(handled) if definition.is_async else _run_without_loop(handled)
        return [self._settle(job, outcome) for job, outcome in outcomes]

    def _settle(self, job: Job, outcome: Outcome) -> Ran:
        ran = self._run(settle(self._access.catalog(self._connection), job, outcome))
        self._access.watch.settled([(job, getattr(outcome, "output", None))], states_of(ran))
        return ran

    def _run(self, operation: Operation[T]) -> T:
        return self._database.run(operation, self._connection)


class _InlineDatabase:
    def __init__(
        self,
        access: SyncAccess,
        database: AnyDatabase,
        definitions: Mapping[str, JobDefinition[Any, Any]],
        ran: list[Ran],
        *,
        raise_errors: bool,
    ) -> None:
        self._access = access
        self._database = database
        self._definitions = definitions
        self._ran = ran
        self._raise_errors = raise_errors

    def __getattr__(self, name: str) -> Any:
        return getattr(self._database, name)

    def run(self, operation: Operation[T], connection: Any = None) -> T:
        with Listening() as created:
            value = self._database.run(operation, connection)
        names = dict.fromkeys(job.name for job in created)
        definitions = [self._definitions[name] for name in names if name in self._definitions]
        workable = [definition for definition in definitions if definition.handler is not None]
        if workable:
            drainer = _SyncDrainer(self._access, self._database, connection)
            ran = drainer.drain(workable, ignore_start_after=False, most_jobs=MOST_JOBS)
            self._ran += ran
            error = first_error(ran)
            if self._raise_errors and error is not None:
                raise error
        return value


class _SyncTransactions:
    """The transactions of a sync pool, as handlers in threads get them."""

    def __init__(self, database: AnyDatabase) -> None:
        self._database = database

    @property
    def pool_size(self) -> int:
        return 1

    def transaction(self, *, is_ours: bool = False) -> AbstractAsyncContextManager[OpenTransaction[AsyncSession]]:
        raise ConfigurationError("A sync pool has no transactions for coroutines.")

    def transaction_in_thread(self) -> AbstractContextManager[OpenTransaction[Session]]:
        assert isinstance(self._database, Database)
        return self._database.transaction()


class _NoDeadlines:
    """A clock for coroutines that run without an event loop: nothing is ever late."""

    @asynccontextmanager
    async def timeout(self, seconds: float) -> AsyncIterator[Deadline]:
        yield _Never()

    def call_later(self, seconds: float, function: Callable[..., object], *args: Any) -> TimerHandle:
        return _Never()


class _Never:
    def expired(self) -> bool:
        return False

    def cancel(self) -> None:
        pass


async def _here(function: Callable[[], Any]) -> Any:
    value = function()
    return await value if asyncio.iscoroutine(value) else value


def _run_without_loop(coroutine: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine that waits for nothing: around a plain function there is nothing to wait for."""
    with running_on(_NoDeadlines()):
        try:
            coroutine.send(None)
        except StopIteration:
            return
    coroutine.close()
    raise ConfigurationError("The handler waits for an event loop: make it `async def`.")
