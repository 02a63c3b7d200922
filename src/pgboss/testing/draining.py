"""Working jobs within a test: no worker, no loop in the background, and nothing left over.

Jobs are claimed, handled and settled by the same code as in a worker, one call of a handler after the other, so
policies, retries, dead letters and flows do what they do in production. Only time is the test's own business: what
waits for later is left, unless ``ignore_start_after`` asks for it or a test clock has been moved.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

from pgboss import PgBoss
from pgboss.core.job import Job
from pgboss.core.query import Operation
from pgboss.core.target import QueueLike
from pgboss.drivers.database import AnyAsyncDatabase
from pgboss.jobs import JobDefinition
from pgboss.testing.access import Access
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

__all__ = ["Drainer", "drain"]

T = TypeVar("T")


async def drain(
    boss: PgBoss,
    *queues: QueueLike,
    handlers: Mapping[str, Handler] | None = None,
    ignore_start_after: bool = False,
    most_jobs: int = MOST_JOBS,
    connection: Any = None,
) -> list[Ran]:
    """Work jobs until none is due any more, and return what ran, in order.

    What handlers send is worked as well, and so are retries that are due, copies in dead letter queues that have a
    handler, and jobs of flows that have become free. An error of a handler does not end it: see ``Ran.error``.

    Args:
        boss: a started instance, best with ``work=False``; its definitions are worked.
        *queues: only these, by name or definition; all by default.
        handlers: functions for queues without a definition, as ``boss.work`` takes them.
        ignore_start_after: also work jobs that are not due yet, retries included.
        most_jobs: end with an error when more have run, because jobs seem to make one another for ever.
        connection: yours, to work jobs within your transaction.

    Raises:
        ConfigurationError: a queue is named that has no handler here, or one that has a transaction of its own is to
            work within yours.
        DrainLimitError: more jobs than ``most_jobs`` have run.
    """
    access = Access(boss)
    drainer = Drainer(access, access.database, connection)
    return await drainer.drain(
        chosen(access.definitions, queues, handlers or {}), ignore_start_after=ignore_start_after, most_jobs=most_jobs
    )


class Drainer:
    """Works jobs of an instance, on its database or on a connection of the caller."""

    def __init__(self, access: Access, database: AnyAsyncDatabase, connection: Any = None) -> None:
        self._access = access
        self._database = database
        self._connection = connection

    async def drain(
        self, definitions: Sequence[JobDefinition[Any, Any]], *, ignore_start_after: bool, most_jobs: int
    ) -> list[Ran]:
        """See :func:`drain`."""
        if self._connection is not None:
            refuse_transactional(definitions)
        ran: list[Ran] = []
        while True:
            before = len(ran)
            for definition in definitions:
                ran += await self._once(definition, ignore_start_after)
                if len(ran) > most_jobs:
                    raise DrainLimitError(f"{len(ran)} jobs have run, and there are still more: most_jobs={most_jobs}.")
            if len(ran) == before:
                return ran

    async def _once(self, definition: JobDefinition[Any, Any], ignore_start_after: bool) -> list[Ran]:
        """One claim, and one call of the handler."""
        watch = self._access.watch
        jobs = await self._run(
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
        handling = Handling(definition, self._database, lambda: self._access.catalog(self._connection))
        call = _in_loop if definition.is_async else asyncio.to_thread
        await run_watched(watch, handling, jobs, call, lambda job, outcome: outcomes.append((job, outcome)))
        return [await self._settle(job, outcome) for job, outcome in outcomes]

    async def _settle(self, job: Job, outcome: Outcome) -> Ran:
        ran = await self._run(settle(self._access.catalog(self._connection), job, outcome))
        self._access.watch.settled([(job, getattr(outcome, "output", None))], states_of(ran))
        return ran

    async def _run(self, operation: Operation[T]) -> T:
        return await self._database.run(operation, self._connection)


def states_of(ran: Ran) -> dict[Any, Any]:
    """What a settled job is told of to those who watch."""
    return {} if ran.state is None else {ran.job.id: ran.state}


def _in_loop(function: Callable[[], Any]) -> Awaitable[Any]:
    awaitable: Awaitable[Any] = function()
    return awaitable
