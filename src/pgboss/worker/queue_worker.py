"""Working one queue: one claimer, and as many calls of the handler at once as the concurrency allows.

A call takes one job, or a batch.

Room is what the free slots take, plus a small prefetch for short handlers on standard queues: as many jobs as are
likely to start within a fifth of a second. Nothing is prefetched for batches, because what waited would be a smaller
batch than what may be due by then; nor where groups are limited, because what waits would hold places of its group.
Prefetched jobs are leased like running ones, and given back untouched on stop, or when slow jobs before them have kept
them waiting for longer than a second.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Coroutine, Iterable, Sequence
from functools import partial
from math import inf
from time import monotonic
from typing import Any
from uuid import UUID, uuid4

from pgboss.core.events import ErrorEvent
from pgboss.core.frontier import Frontier
from pgboss.core.job import Job
from pgboss.core.queue import QueueCatalog
from pgboss.core.wip import WipData
from pgboss.core.work_options import WorkOptions
from pgboss.drivers.runner import Run
from pgboss.drivers.transactions import Transactions
from pgboss.errors import HandlerTimeoutError, PgBossError
from pgboss.jobs.elsewhere import import_of
from pgboss.runtime.threads import DaemonThreads
from pgboss.runtime.watch import Watch
from pgboss.worker.attempt import CallHandler, outcome_in_loop
from pgboss.worker.call import Call
from pgboss.worker.calls import Calls
from pgboss.worker.children import Children
from pgboss.worker.claimer import Claimed, Claimer
from pgboss.worker.express import Express
from pgboss.worker.groups import GroupPlaces
from pgboss.worker.handling import Handling
from pgboss.worker.hearing import Hearing
from pgboss.worker.heart import Heart
from pgboss.worker.outcome import SHUTDOWN_OUTPUT, Failed, GivenBack, Outcome
from pgboss.worker.pace import Pace
from pgboss.worker.progress import Progress
from pgboss.worker.pump import Pump
from pgboss.worker.records import job_fields
from pgboss.worker.settler import Settler
from pgboss.worker.watching import run_watched

__all__ = ["QueueWorker"]

LARGEST_CLAIM = 2000
LONGEST_WAIT_SECONDS = 1.0
OVERRUN_GRACE_SECONDS = 1.0

logger = logging.getLogger("pgboss.worker")


class QueueWorker:
    """Claims and works the jobs of one queue."""

    def __init__(
        self,
        handling: Handling,
        options: WorkOptions,
        concurrency: int,
        *,
        run: Run,
        run_claims: Run,
        hearing: Hearing | None,
        transactions: Transactions,
        catalog: Callable[[], QueueCatalog],
        settler: Settler,
        heart: Heart,
        places: GroupPlaces,
        on_left_out: Callable[[], object],
        on_error: Callable[[ErrorEvent], None],
        on_overrun: Callable[[str, list[UUID], int], None],
        watch: Watch,
    ) -> None:
        """``places`` are those of the queue's groups in this process; ``on_error`` hears of every failed claim.

        ``on_left_out`` hears when claims begin to leave out what somebody has to look for soon.

        ``on_overrun`` hears of handlers that go on beyond their time: the queue, the jobs, and the seconds they had.
        """
        self.id: UUID = uuid4()
        self.name = handling.definition.name
        self._handling = handling
        self.options = options
        self._concurrency = concurrency
        self._jobs_a_call = options.jobs_a_call
        self._largest_claim = max(LARGEST_CLAIM, options.jobs_a_call)
        self._is_async = handling.definition.is_async
        self._settler = settler
        self._heart = heart
        self._places = places
        self._on_error = on_error
        self._on_overrun = on_overrun
        self._progress = Progress()
        self._executor = self._make_executor()
        self._watch = watch
        self._pace = Pace(concurrency)
        # Each with the moment of its claim; the oldest come first.
        self._waiting: deque[tuple[Job, float]] = deque()
        self._calls = Calls(self.name)
        self._is_light = self._is_async and not (
            options.is_batch or options.is_transactional or options.is_in_process or options.local_limits
        )
        self._pump = Pump(self._take, self._calls.waits, self._calls.over_at_once)
        self._express = self._make_express(run, transactions, catalog) if options.is_express else None
        self._put = settler.put if self._express is None else self._express.put
        self._claimer = Claimer(
            self.name,
            options,
            room=self._room,
            on_claimed=self._take_on,
            on_failed=self._report,
            on_left_out=on_left_out,
            run=run_claims,
            lock=None if self._express is None else self._express.claim,
            hearing=hearing,
            catalog=catalog,
            places=places,
            watch=watch,
        )
        self._is_watched = False
        self._stopping = False
        self._is_paused = False

    def _make_executor(self) -> DaemonThreads | Children:
        if self.options.is_in_process:
            return Children(self.name, import_of(self._handling.definition), on_idle=self.slot_freed)
        return DaemonThreads(f"pgboss-{self.name}", self._concurrency, on_idle=self.slot_freed)

    def _make_express(self, run: Run, transactions: Transactions, catalog: Callable[[], QueueCatalog]) -> Express:
        return Express(
            self.name,
            self.options,
            run=run,
            transactions=transactions,
            catalog=catalog,
            settler=self._settler,
            heart=self._heart,
            is_traced=lambda: self._claimer.is_traced,
            take_back=self._take_back,
            lose=self.lose,
            on_room=self.slot_freed,
        )

    @property
    def connections_held(self) -> int:
        """The most connections of the pool that its handlers hold at once, for their transactions."""
        return self._concurrency if self._handling.definition.is_transactional else 0

    @property
    def is_idle(self) -> bool:
        """Whether it has room and sleeps until told to look."""
        return self._claimer.is_asleep and not self._stopping and self._room() > 0

    @property
    def is_announced(self) -> bool:
        """Whether its queue, as of the last claim, announces new jobs."""
        return self._claimer.is_announced

    @property
    def concurrency(self) -> int:
        """How many calls of the handler run at once."""
        return self._concurrency

    def wip(self, polling_interval_seconds: float) -> WipData:
        """What it is at; the interval is the one in force."""
        progress = self._progress
        in_force = {"concurrency": self._concurrency, "polling_interval_seconds": polling_interval_seconds}
        return WipData(
            self.id,
            self.id,
            self.name,
            self.options.said() | in_force,
            "stopping" if self._stopping else "active",
            self._calls.jobs + len(self._waiting),
            progress.created_on,
            progress.last_fetched_on,
            progress.last_job_started_on,
            progress.last_job_ended_on,
            progress.last_job_duration,
            progress.last_error,
            progress.last_error_on,
        )

    def look(self) -> None:
        """Claim now, from the front: there may be due jobs, new or old."""
        self._claimer.look()

    @property
    def look_at(self) -> float:
        """When to look for what its claims may have left out, by the monotonic clock; never, while that is nothing."""
        return inf if self._stopping else self._claimer.look_at

    def left_out(self) -> Frontier | None:
        """What its claims may have left out lies before this; ``None``: they have left out nothing."""
        return None if self._stopping else self._claimer.left_out()

    def looked(self, began: float) -> None:
        """Somebody has looked for due jobs and found none."""
        self._claimer.looked(began)

    def announced(self) -> None:
        """Claim now: new jobs are there."""
        self._claimer.announced()

    async def serve(self) -> None:
        """Claim jobs and start them, until told to stop."""
        try:
            await self._claimer.serve()
        finally:
            self._give_back_waiting()

    def stop(self) -> None:
        """Claim no more; what waits goes back, what runs goes on."""
        self._stopping = True
        self._claimer.stop()

    async def finish(self) -> None:
        """Wait for the running attempts."""
        await self._calls.finish()

    async def written(self) -> None:
        """Wait until the transactions in which it works have ended."""
        if self._express is not None:
            await self._express.end()

    def close(self) -> None:
        """Let threads and processes end, once nothing more is started."""
        self._executor.close()

    def cancel(self) -> None:
        """Break off the transactions in which it works: nobody waits for them any more."""
        if self._express is not None:
            self._express.cancel()

    async def gone(self, seconds: float) -> None:
        """Wait so long for processes to end after :meth:`close`, then kill them; nobody waits for threads."""
        if isinstance(self._executor, Children):
            await self._executor.gone(seconds)

    def abort_all(self) -> None:
        """Fail what still runs, as shut down, and cancel its handlers; later results are dropped."""
        for call in self._calls:
            for job in self._calls.abandon(call):
                seconds = monotonic() - call.began
                logger.error(
                    "job %s of queue %s overran the stop and was failed",
                    job.id,
                    job.name,
                    extra=job_fields(job, seconds),
                )
                self._put(job, Failed(SHUTDOWN_OUTPUT), seconds)
        self.close()

    def running_unleased(self, seconds: float) -> list[Job]:
        """The jobs that have run for so long, and have no heartbeat by which they would be missed."""
        running = self._calls.running_since(monotonic() - seconds)
        jobs = [job for job in running if job.heartbeat_seconds is None]
        return jobs if self._express is None else [job for job in jobs if not self._express.holds(job)]

    def lose(self, job: Job) -> bool:
        """Stop working a job whose lease is lost: it may be running elsewhere; whether its handler was at work."""
        if any(waiting is job for waiting, _ in self._waiting):
            self._waiting = deque(waiting for waiting in self._waiting if waiting[0] is not job)
            self._leave([job])
        call = self._calls.find(job)
        if call is not None:
            self._take_from(call, job)
        # Nothing else would tell the claimer: the job is never settled.
        self.slot_freed()
        return call is not None

    def give_back_overdue(self) -> None:
        """Give back the jobs that slow ones keep waiting; to be called several times a second.

        Another worker could have started them by now, and their time runs. The pace that let them be claimed is no
        longer true.
        """
        latest = monotonic() - LONGEST_WAIT_SECONDS
        if self._waiting and self._waiting[0][1] < latest:
            self._pace.forget()
            self._give_back_waiting()

    def report_overruns(self) -> None:
        """Tell of coroutines that go on although they were cancelled; to be called several times a second."""
        now = monotonic()
        for call in self._calls:
            if not call.overran and now > call.began + call.expire_seconds + OVERRUN_GRACE_SECONDS:
                call.overran = [job.id for job in call.jobs.values()]
                self._on_overrun(self.name, list(call.overran), call.expire_seconds)

    def _take_from(self, call: Call, job: Job) -> None:
        """The others of its batch go on, unless they can only be completed together or none is left."""
        self._calls.take(call, job)
        job.cancelled.set()
        if isinstance(self._executor, Children):
            self._executor.cancel(job)
        if self._handling.definition.is_transactional or not call.jobs:
            for other in self._calls.abandon(call):
                self._put(other, GivenBack())

    def pause(self, *, is_paused: bool) -> None:
        """Claim nothing for now, or go on; what waits goes back, what runs goes on."""
        if is_paused == self._is_paused:
            return
        self._is_paused = is_paused
        logger.info(
            "queue %s is %s",
            self.name,
            "paused" if is_paused else "being worked again",
            extra={"queue": self.name, "worker": str(self.id)},
        )
        if is_paused:
            self._give_back_waiting()
        else:
            self.look()

    def _room(self) -> int:
        if self._settler.is_overfull or self._is_paused or not (self._express is None or self._express.has_room):
            return 0
        free = (self._concurrency - self._busy) * self._jobs_a_call
        return min(self._pace.room(free, len(self._waiting)), self._largest_claim)

    @property
    def _busy(self) -> int:
        """Slots taken, also by threads and processes whose result nobody awaits any more."""
        return max(len(self._calls), self._executor.busy)

    def _take_on(self, claimed: Claimed) -> None:
        """Start what may start of what was claimed."""
        jobs = claimed.jobs
        self._progress.fetched()
        self._is_watched = self._claimer.is_traced or self._watch.has_listeners
        if self._is_watched:
            self._watch.claimed(self.name, jobs)
        self._pace.may_prefetch = self._claimer.jobs_are_independent and not self.options.is_batch
        if claimed.are_leased:
            self._heart.hold(jobs, claimed.claimed_at, self.options.refresh_seconds)
        self._waiting.extend((job, claimed.claimed_at) for job in self._admitted(jobs))
        if self._stopping:
            # Perhaps nobody waits for claims any more.
            self._give_back_waiting()
        self._start_waiting()

    def _take_back(self, jobs: Sequence[Job]) -> list[Job]:
        """Those of the jobs that have not begun, and begin no more."""
        wanted = set(map(id, jobs))
        taken = [job for job, _ in self._waiting if id(job) in wanted]
        if taken:
            self._waiting = deque(waiting for waiting in self._waiting if id(waiting[0]) not in wanted)
            self._claimer.let_go()
        return taken

    def _admitted(self, jobs: list[Job]) -> list[Job]:
        """Those for which their group has a place in this process; the others go back."""
        limits = self.options.local_limits
        if limits is None:
            return jobs
        admitted: list[Job] = []
        for job in jobs:
            if self._places.admit(job, limits):
                admitted.append(job)
            else:
                self._put(job, GivenBack())
        return admitted

    def _leave(self, jobs: Iterable[Job]) -> None:
        if self.options.local_limits is not None:
            self._places.leave(jobs)
            self.key_freed()

    def _start_waiting(self) -> None:
        if self._waiting:
            self._pump.start()

    def _take(self) -> Coroutine[Any, Any, None] | None:
        """Begin the next call, if there is one that may begin."""
        waiting = self._waiting
        if not waiting or self._stopping:
            return None
        if self._is_light and not (self._is_watched or self._watch.has_listeners):
            if len(self._calls) >= self._concurrency:
                return None
            job = waiting.popleft()[0]
            return self._work_lightly(job, self._calls.begin_alone(job))
        if self._busy >= self._concurrency:
            return None
        jobs = [waiting.popleft()[0]]
        while waiting and len(jobs) < self._jobs_a_call:
            jobs.append(waiting.popleft()[0])
        call = self._calls.begin(jobs)
        if self.options.local_limits is not None:
            call.on_return(lambda: self._leave(jobs))
        self._progress.started()
        return self._work(call, jobs)

    async def _work_lightly(self, job: Job, began: float) -> None:
        """The work of most jobs: one, by a coroutine, watched by nobody.

        Most end without waiting for anything. Nobody could have seen them run, and so nothing is noted about them.
        """
        self._progress.started()
        outcome = await outcome_in_loop(self._handling.definition, job)
        seconds = monotonic() - began
        self._pace.observe(seconds)
        self._progress.ended(seconds)
        call = self._calls.end_alone(job)
        if call is None:
            self._put_soon(job, outcome, seconds)
            # The pump goes on by itself, and who is awake looks for room anyway.
            if self._claimer.is_asleep:
                self.slot_freed()
        else:
            self._settle(call, job, outcome)
            self._calls.end(call)
            self.slot_freed()

    async def _work(self, call: Call, jobs: list[Job]) -> None:
        began = call.began
        settle = partial(self._settle, call)
        if self._is_watched or self._watch.has_listeners:
            await run_watched(self._watch, self._handling, jobs, self._caller(call), settle)
        else:
            await self._handling.run(jobs, self._caller(call), settle)
        seconds = monotonic() - began
        self._pace.observe(seconds)
        self._progress.ended(seconds)
        if call.overran and call.is_in_thread:
            self._on_overrun(self.name, list(call.overran), call.expire_seconds)
        self._calls.end(call)
        self.slot_freed()

    def _caller(self, call: Call) -> CallHandler:
        if self._is_async:
            return _call_in_loop
        return partial(call.elsewhere, self._executor)

    def _settle(self, call: Call, job: Job, outcome: Outcome) -> None:
        if not self._calls.settle(call, job):
            return  # taken from it meanwhile: whoever did so has said what becomes of the job
        if call.is_in_thread and isinstance(outcome, Failed) and isinstance(outcome.error, HandlerTimeoutError):
            call.overran = [*call.overran, job.id]
        self._put_soon(job, outcome, monotonic() - call.began)

    def _put_soon(self, job: Job, outcome: Outcome, seconds: float) -> None:
        """Have an outcome written, at once where it may hold back others of its key or group."""
        self._put(job, outcome, seconds)
        if not self._claimer.jobs_are_independent:
            self._settler.hurry()

    def slot_freed(self) -> None:
        """Start what waits, and claim more if there may be more."""
        self._start_waiting()
        self._claimer.room_freed()

    def key_freed(self) -> None:
        """Claim again where a job that is over may have held back others: those of its key, or of its group."""
        self._claimer.key_freed()

    def _give_back_waiting(self) -> None:
        while self._waiting:
            job, _ = self._waiting.popleft()
            self._put(job, GivenBack())
            self._leave([job])

    def _report(self, error: Exception, is_first: bool) -> None:
        self._progress.failed(error)
        self._on_error(ErrorEvent(error, "claiming jobs", self.name, self.id))
        if not is_first:
            return
        expected = isinstance(error, PgBossError)
        logger.warning(
            "queue %s cannot be worked for now: %s",
            self.name,
            error,
            exc_info=None if expected else error,
            extra={"queue": self.name, "worker": str(self.id)},
        )


def _call_in_loop(function: Callable[[], Any]) -> Any:
    return function()
