"""The settler: finished attempts of a whole process, written in batches.

A flush starts as soon as there is a result, so that one job alone waits for nobody. Where one flush follows close upon
another, it waits a few milliseconds for more: a statement for three jobs costs client and server hardly more than for
one, and under load a thousand share it. The results of handlers that hold back other jobs, of their key or group, never
wait. While the database is away the results wait here, in bounded memory because workers stop claiming once the backlog
is long. One row that cannot be written never takes its batch down: it is isolated, and if its output is the reason, the
job fails with that reason. A reason that passes (a deadlock, a full disk, a server that is read-only for now) is no
verdict on the job: its result waits.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from math import inf
from time import monotonic
from typing import Any

from pgboss.core.events import ErrorEvent
from pgboss.core.job import Job
from pgboss.core.queue import QueueCatalog
from pgboss.drivers.runner import Run
from pgboss.errors import DatabaseError, DatabaseUnavailableError
from pgboss.operations import work as operations
from pgboss.runtime.backoff import Backoff
from pgboss.runtime.clock import is_moved_by_hand
from pgboss.runtime.wakeup import Wakeup
from pgboss.runtime.watch import Watch
from pgboss.worker.outcome import Completed, Failed, Finished, GivenBack, Outcome, Over, failed_with
from pgboss.worker.records import job_fields
from pgboss.worker.verdicts import Verdicts

__all__ = ["Settler"]

BATCH = 2000
# A statement may not grow beyond what a connection takes, however large the outputs that have gathered.
BATCH_CHARACTERS = 16_000_000
BACKLOG_LIMIT = 4000
TOGETHER_SECONDS = 0.01
"""From one flush to the next, at least, unless there is reason to hurry."""
ENOUGH = 100
"""With so many results there is nothing to wait for."""

logger = logging.getLogger("pgboss.worker")


class Settler:
    """Writes outcomes.

    ``on_settled`` hears of the jobs of a queue that are no longer ours, whatever came of them; ``on_parents_completed``
    of the queues where jobs were completed for which others wait, ``on_error`` of what could not be written.
    """

    def __init__(
        self,
        run: Run,
        catalog: Callable[[], QueueCatalog],
        on_settled: Callable[[Sequence[Job]], None],
        on_parents_completed: Callable[[str], None] = lambda queue: None,
        on_error: Callable[[ErrorEvent], None] = lambda event: None,
        watch: Watch | None = None,
    ) -> None:
        self._run = run
        self._catalog = catalog
        self._on_settled = on_settled
        self._on_parents_completed = on_parents_completed
        self._on_error = on_error
        self.verdicts = Verdicts(on_parents_completed, watch)
        self._pending: deque[Finished] = deque()
        self._unwritten: Counter[str] = Counter()
        self._wakeup = Wakeup()
        self._written = Wakeup()
        self._flushed_at = -inf
        self._hurry = asyncio.Event()
        self._backoff = Backoff()

    @property
    def backlog(self) -> int:
        """Attempts that have ended and are not written yet."""
        return self._unwritten.total()

    @property
    def is_overfull(self) -> bool:
        """Whether workers should stop claiming until results have been written."""
        return self.backlog >= BACKLOG_LIMIT

    def over(self, jobs: Sequence[Job]) -> None:
        """Jobs of one queue are no longer ours; somebody else has written why."""
        self._on_settled(jobs)

    def put(self, job: Job, outcome: Outcome, duration_seconds: float | None = None) -> None:
        """Have an outcome written soon; the log says how long the attempt took."""
        if isinstance(outcome, Over):
            self._on_settled([job])
            if outcome.others_wait:
                self._on_parents_completed(job.name)
            return
        if not self._pending:
            self._wakeup.set()
        self._pending.append(Finished(job, outcome, duration_seconds))
        self._unwritten[job.name] += 1
        if len(self._pending) == ENOUGH:
            self._hurry.set()

    def hurry(self) -> None:
        """Somebody waits for what was put so far."""
        self._hurry.set()

    async def serve(self) -> None:
        """Write outcomes as they come, until cancelled."""
        while True:
            await self._wakeup.wait(None)
            while self._pending:
                await self._gather()
                await self._flush(self._next_batch())

    async def _gather(self) -> None:
        """Let some more results come where the last flush was only just now."""
        seconds = self._flushed_at + TOGETHER_SECONDS - monotonic()
        # A clock that a test moves waits for what is under way, and would not know of results that only wait.
        if seconds > 0 and len(self._pending) < ENOUGH and not is_moved_by_hand():
            timer = asyncio.get_running_loop().call_later(seconds, self._hurry.set)
            await self._hurry.wait()
            timer.cancel()
        self._hurry.clear()
        self._flushed_at = monotonic()

    def _next_batch(self) -> list[Finished]:
        batch: list[Finished] = []
        characters = 0
        while self._pending and len(batch) < BATCH and characters < BATCH_CHARACTERS:
            finished = self._pending.popleft()
            characters += finished.characters
            batch.append(finished)
        return batch

    async def drain(self, queue: str | None = None) -> None:
        """Wait until everything is written, or everything of one queue."""
        while self.backlog if queue is None else self._unwritten[queue]:
            self.hurry()
            await self._written.wait(None)

    async def _flush(self, batch: list[Finished]) -> None:
        groups = deque(_grouped(batch))
        while groups:
            group = groups.popleft()
            try:
                await self._settle(group)
            except Exception as error:  # noqa: BLE001  a settler that died would leave all results unwritten
                if _may_pass(error, group):
                    self._put_back(chain(group, *groups))
                    await self._pause(error)
                    return
                groups.extendleft(self._instead(group, error))
            else:
                self._let_go(group)
        self._backoff.reset()

    def _put_back(self, unwritten: Iterable[Finished]) -> None:
        self._pending.extendleft(reversed(list(unwritten)))

    async def _pause(self, error: Exception) -> None:
        if not self._backoff.is_growing:
            logger.warning("%d finished jobs wait to be written: %s", self.backlog, error)
        self._on_error(ErrorEvent(error, "writing results"))
        await asyncio.sleep(self._backoff.pause())

    def _let_go(self, group: Sequence[Finished]) -> None:
        self._unwritten[group[0].job.name] -= len(group)
        self._written.set()
        self._on_settled([finished.job for finished in group])

    def _instead(self, group: Sequence[Finished], error: Exception) -> list[list[Finished]]:
        """What to write when a group could not be: each alone, or for one alone, that it failed with this error."""
        if len(group) > 1:
            return [[finished] for finished in group]
        job, outcome = group[0].job, group[0].outcome
        if group[0].is_substitute:
            logger.error(
                "job %s of queue %s cannot be settled and will expire",
                job.id,
                job.name,
                exc_info=error,
                extra=job_fields(job),
            )
            self._on_error(ErrorEvent(error, "writing results", job.name))
            self._let_go(group)
            return []
        logger.error(
            "the outcome of job %s of queue %s cannot be stored: %s", job.id, job.name, error, extra=job_fields(job)
        )
        self._on_error(ErrorEvent(error, "writing results", job.name))
        is_final = isinstance(outcome, Failed) and outcome.is_final
        failed = failed_with(error, is_final=is_final)
        return [[Finished(job, failed, group[0].duration_seconds, is_substitute=True)]]

    async def _settle(self, group: Sequence[Finished]) -> None:
        name = group[0].job.name
        attempts = [finished.job for finished in group]
        outcomes: list[Any] = [finished.outcome for finished in group]
        match outcomes[0]:
            case Completed():
                outputs = [outcome.output for outcome in outcomes]
                kept = await self._run(operations.complete_each(self._catalog(), name, attempts, outputs))
                self.verdicts.completed(group, kept)
            case GivenBack():
                delays = [outcome.delay_seconds for outcome in outcomes]
                given_back = await self._run(operations.give_back_each(self._catalog(), name, attempts, delays))
                self.verdicts.given_back(group, given_back)
            case Failed():
                outputs = [outcome.output for outcome in outcomes]
                final = [outcome.is_final for outcome in outcomes]
                states = await self._run(operations.fail_each(self._catalog(), name, attempts, outputs, final))
                self.verdicts.failed(group, states)


def _may_pass(error: Exception, group: Sequence[Finished]) -> bool:
    """Whether to wait and try the same again; several are tried one by one first, unless nothing can be reached."""
    if isinstance(error, DatabaseUnavailableError):
        return True
    return isinstance(error, DatabaseError) and error.is_passing and len(group) == 1


def _grouped(batch: Iterable[Finished]) -> Iterator[list[Finished]]:
    """The attempts of each queue that ended in the same way."""

    groups: defaultdict[tuple[str, type], list[Finished]] = defaultdict(list)
    for finished in batch:
        groups[finished.job.name, type(finished.outcome)].append(finished)
    yield from groups.values()
