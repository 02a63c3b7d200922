"""Working one queue: one claimer, and as many attempts at once as the concurrency allows.

The claimer asks for as many jobs as there is room, hands them out, and asks again at once while full batches come
back. A batch that is not full means that the queue is drained; it then sleeps until it is told to look again, by a
notification or by the lookout, which knows when the next job falls due.

Room is the number of free slots, plus a small prefetch for short handlers on standard queues: as many jobs as are
likely to start within a fifth of a second. Prefetched jobs are leased like running ones, and given back untouched on
stop, or when slow jobs before them have kept them waiting for longer than a second.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from time import monotonic
from typing import Any
from uuid import UUID, uuid4

from pgboss.core.job import Job
from pgboss.core.options import FetchOptions
from pgboss.core.queue import QueueCatalog
from pgboss.drivers.runner import Run
from pgboss.errors import PgBossError
from pgboss.jobs import JobDefinition
from pgboss.operations import jobs as operations
from pgboss.runtime.backoff import Backoff
from pgboss.runtime.threads import DaemonThreads
from pgboss.runtime.wakeup import Wakeup
from pgboss.worker.attempt import attempt
from pgboss.worker.heart import Heart
from pgboss.worker.outcome import SHUTDOWN_OUTPUT, Failed, GivenBack
from pgboss.worker.pace import Pace
from pgboss.worker.settler import Settler

__all__ = ["QueueWorker"]

LARGEST_CLAIM = 1000
LONGEST_WAIT_SECONDS = 1.0

logger = logging.getLogger("pgboss.worker")


class QueueWorker:
    """Claims and works the jobs of one queue."""

    def __init__(
        self,
        definition: JobDefinition[Any, Any],
        concurrency: int,
        *,
        run: Run,
        catalog: Callable[[], QueueCatalog],
        settler: Settler,
        heart: Heart,
    ) -> None:
        self.id: UUID = uuid4()
        self.name = definition.name
        self._definition = definition
        self._concurrency = concurrency
        self._run = run
        self._catalog = catalog
        self._settler = settler
        self._heart = heart
        self._threads = DaemonThreads(f"pgboss-{self.name}", concurrency, on_idle=self.slot_freed)
        self._pace = Pace(concurrency)
        # Each with the moment of its claim; the oldest come first.
        self._waiting: deque[tuple[Job, float]] = deque()
        self._running: dict[UUID, tuple[Job, asyncio.Task[None]]] = {}
        self._wakeup = Wakeup()
        self._backoff = Backoff()
        self._is_drained = False
        self._is_asleep = False
        self._stopping = False

    @property
    def is_idle(self) -> bool:
        """Whether it has room and sleeps until told to look."""
        return self._is_asleep and not self._stopping and self._room() > 0

    def look(self) -> None:
        """Claim now: there may be due jobs."""
        self._is_drained = False
        self._wakeup.set()

    async def serve(self) -> None:
        """Claim jobs and start them, until told to stop."""
        try:
            while not self._stopping:
                wanted = self._room()
                if wanted and not self._is_drained:
                    await self._claim(wanted)
                else:
                    await self._sleep()
        finally:
            self._give_back_waiting()

    def stop(self) -> None:
        """Claim no more; what waits goes back, what runs goes on."""
        self._stopping = True
        self._wakeup.set()

    async def finish(self) -> None:
        """Wait for the running attempts."""
        while running := [task for _, task in self._running.values() if not task.done()]:
            await asyncio.wait(running)

    def close(self) -> None:
        """Let the threads end, once nothing more is started."""
        self._threads.close()

    def abort_all(self) -> None:
        """Fail what still runs, as shut down, and cancel its handlers; later results are dropped."""
        for job, _ in list(self._running.values()):
            logger.error("job %s of queue %s overran the stop and was failed", job.id, job.name)
            self._abort(job)
            self._settler.put(job, Failed(SHUTDOWN_OUTPUT))
        self.close()

    def lose(self, job: Job) -> None:
        """Stop working a job whose lease is lost: it may be running elsewhere."""
        self._waiting = deque(waiting for waiting in self._waiting if waiting[0] is not job)
        self._abort(job)
        # Nothing else would tell the claimer: the job is never settled, and its task may not even have begun.
        self.slot_freed()

    def give_back_overdue(self) -> None:
        """Give back the jobs that slow ones keep waiting; to be called several times a second.

        Another worker could have started them by now, and their time runs. The pace that let them be claimed is no
        longer true.
        """
        latest = monotonic() - LONGEST_WAIT_SECONDS
        if self._waiting and self._waiting[0][1] < latest:
            self._pace.forget()
            self._give_back_waiting()

    def _abort(self, job: Job) -> None:
        held = self._running.get(job.id)
        if held is not None and held[0] is job:
            del self._running[job.id]
            held[1].cancel()

    def _room(self) -> int:
        if self._settler.is_overfull:
            return 0
        busy = max(len(self._running), self._threads.busy)
        room = self._concurrency - busy + self._pace.prefetch - len(self._waiting)
        return min(room, LARGEST_CLAIM) if room >= self._pace.smallest_claim else 0

    async def _sleep(self) -> None:
        self._is_asleep = True
        try:
            await self._wakeup.wait(None)
        finally:
            self._is_asleep = False

    async def _claim(self, wanted: int) -> None:
        claimed_at = monotonic()
        # Set before, because a notification that comes meanwhile may be of a job too young for this claim to see.
        self._is_drained = True
        try:
            catalog = self._catalog()
            jobs = await self._run(operations.fetch(catalog, self.name, FetchOptions(batch_size=wanted)))
        except Exception as error:  # noqa: BLE001  a claimer that died would leave its queue to nobody
            self._is_drained = False
            self._report(error)
            await self._wakeup.wait(self._backoff.pause())
            return
        if self._backoff.is_growing:
            logger.info("queue %s is being worked again", self.name)
        self._backoff.reset()
        self._pace.standard = self._is_standard(catalog)
        if len(jobs) == wanted:
            self._is_drained = False
        self._heart.hold(jobs, claimed_at)
        # The statement returns them in no particular order; within a batch the urgent and the old come first.
        jobs.sort(key=lambda job: (-job.priority, job.created_on, job.id))
        self._waiting.extend((job, claimed_at) for job in jobs)
        self._start_waiting()

    def _is_standard(self, catalog: QueueCatalog) -> bool:
        queue = catalog.get(self.name)
        return queue is not None and queue.policy == "standard"

    def _start_waiting(self) -> None:
        while self._waiting and not self._stopping and max(len(self._running), self._threads.busy) < self._concurrency:
            job, _ = self._waiting.popleft()
            task = asyncio.create_task(self._work(job), name=f"pgboss {job.name} {job.id}")
            self._running[job.id] = (job, task)

    async def _work(self, job: Job) -> None:
        began = monotonic()
        outcome = await attempt(self._definition, job, self._threads)
        self._pace.observe(monotonic() - began)
        held = self._running.get(job.id)
        if held is None or held[0] is not job:
            return  # aborted meanwhile: whoever did so has said what becomes of the job
        del self._running[job.id]
        self._settler.put(job, outcome)
        self.slot_freed()

    def slot_freed(self) -> None:
        """Start what waits, and claim more if there may be more."""
        self._start_waiting()
        if not self._is_drained:
            self._wakeup.set()

    def _give_back_waiting(self) -> None:
        while self._waiting:
            job, _ = self._waiting.popleft()
            self._settler.put(job, GivenBack())

    def _report(self, error: Exception) -> None:
        if self._backoff.is_growing:
            return
        expected = isinstance(error, PgBossError)
        logger.warning("queue %s cannot be worked for now: %s", self.name, error, exc_info=None if expected else error)
