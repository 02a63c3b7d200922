"""All workers of one process, and what they share: the settler, the heart, the lookout and the listener."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from functools import partial
from typing import Any
from uuid import UUID

from pgboss.core.events import ErrorEvent, WarningEvent
from pgboss.core.instance_options import Pooler
from pgboss.core.job import Job
from pgboss.core.names import SchemaName
from pgboss.core.queue import QueueCatalog
from pgboss.core.wip import WipData
from pgboss.core.work_options import WorkOptions
from pgboss.drivers.psycopg import Listener
from pgboss.drivers.runner import RunWithin
from pgboss.drivers.transactions import Transactions
from pgboss.jobs import JobDefinition
from pgboss.operations import work as operations
from pgboss.operations.pauses import get_pauses
from pgboss.runtime.events import Events
from pgboss.runtime.periodic import Duty, Periodic
from pgboss.runtime.watch import Watch
from pgboss.worker.groups import GroupPlaces
from pgboss.worker.handling import Handling
from pgboss.worker.hearing import Hearing
from pgboss.worker.heart import Heart
from pgboss.worker.lookout import Lookout
from pgboss.worker.patience import PatientRun
from pgboss.worker.queue_worker import QueueWorker
from pgboss.worker.settler import Settler

__all__ = ["POLLING_INTERVAL_SECONDS", "Crew"]

# Also with NOTIFY: jobs that fall due, are retried or are sent by plain SQL notify nobody.
POLLING_INTERVAL_SECONDS = 0.5
WATCH_SECONDS = 0.5
PAUSE_SECONDS = 2.0
LISTEN_AGAIN_SECONDS = 1.0
# How soon a handler hears that its job was cancelled or deleted where no heartbeat would tell. Quick jobs cost nothing.
RECALL_SECONDS = 5.0
# Beyond the time given to handlers a stop takes at most so long: for a claim under way, and for the last results.
CLAIM_GRACE_SECONDS = 1.0
SETTLE_GRACE_SECONDS = 2.0
CANCEL_GRACE_SECONDS = 0.5
CHILDREN_GRACE_SECONDS = 2.0

logger = logging.getLogger("pgboss.worker")


class Crew:
    """Starts, wakes and stops the queue workers of a process."""

    def __init__(
        self,
        *,
        conninfo: str,
        schema: SchemaName,
        run: RunWithin,
        cut: Callable[[], None],
        listener: Callable[[str, Callable[[str], object]], Listener],
        transactions: Transactions,
        catalog: Callable[[], QueueCatalog],
        on_parents_completed: Callable[[str], None],
        on_settled: Callable[[], None] = lambda: None,
        events: Events,
        instance_id: UUID,
        polling_interval_seconds: float = POLLING_INTERVAL_SECONDS,
        listen: bool = True,
        watch: Watch,
        pooler: Pooler = "auto",
        on_pooler: Callable[[], None] = lambda: None,
    ) -> None:
        """``listener`` makes one that tells of the payloads of a channel.

        ``on_pooler`` hears of a pooler in transaction mode, once one has been found out.
        """
        self._schema = schema
        self._run = run
        self._cut = cut
        self._transactions = transactions
        self._catalog = catalog
        self._on_settled = on_settled
        self._events = events
        self._instance_id = instance_id
        self._on_pooler = on_pooler
        self._hearing: Hearing | None = None
        if listen and pooler != "transaction":
            self._hearing = Hearing(partial(listener, schema.channel, self.heard), pooler, run=run, ear=self)
            self._listening = self._periodic("listening for new jobs", self._hearing.listen, LISTEN_AGAIN_SECONDS)
        self._loop = asyncio.get_running_loop()
        self._workers: dict[UUID, QueueWorker] = {}
        self._places: defaultdict[str, GroupPlaces] = defaultdict(GroupPlaces)
        self._serving: dict[UUID, asyncio.Task[None]] = {}
        self._heart = Heart(conninfo, schema, self._leases_lost, self._beat_failed)
        self._settler = Settler(PatientRun(run), catalog, self._settled, on_parents_completed, events.error, watch)
        self._ask = PatientRun(run)
        self._lookout = Lookout(self._ask, schema, self._workers.values, interval_seconds=polling_interval_seconds)
        self._looking = self._periodic("looking for due jobs", self._lookout.look, polling_interval_seconds)
        self._watched_by = watch
        self._shared: list[asyncio.Task[Any]] = []
        self._removing: set[asyncio.Task[None]] = set()

    def add(self, definition: JobDefinition[Any, Any], options: WorkOptions, concurrency: int) -> QueueWorker:
        """Start working a queue."""
        if not self._shared:
            self._start_shared()
        worker = QueueWorker(
            Handling(definition, self._transactions, self._catalog, in_process=options.is_in_process),
            options,
            concurrency,
            run=PatientRun(self._run),
            run_claims=PatientRun(self._run if self._hearing is None else self._hearing.run),
            hearing=self._hearing,
            transactions=self._transactions,
            catalog=self._catalog,
            settler=self._settler,
            heart=self._heart,
            places=self._places[definition.name],
            on_left_out=self._looking.wake,
            on_error=self._events.error,
            on_overrun=self._warn_overrun,
            watch=self._watched_by,
        )
        self._workers[worker.id] = worker
        if worker.connections_held:
            self._check_headroom()
        self._serving[worker.id] = _spawn(worker.serve(), f"pgboss worker {worker.name}")
        self._looking.wake()
        return worker

    def wip(self) -> list[WipData]:
        """What each worker is at."""
        return [worker.wip(self._lookout.interval_of(worker)) for worker in self._workers.values()]

    def look(self, id: UUID) -> None:
        """Have one worker claim now; an unknown one is passed over."""
        if id in self._workers:
            self._workers[id].look()

    def _check_headroom(self) -> None:
        held, pool_size = (
            sum(worker.connections_held for worker in self._workers.values()),
            self._transactions.pool_size,
        )
        if held >= pool_size:
            self._events.warn(
                WarningEvent(
                    "transactional_pool_headroom",
                    f"Transactional handlers may hold {held} connections at once, and the pool has {pool_size}: "
                    "claims, results and whatever handlers do without connection= then wait for a free one. Give it "
                    "more than the sum of their concurrency: pool_size, or PGBOSS_POOL_SIZE.",
                    {"type": "transactional_pool_headroom", "max": pool_size, "transactionalWorkers": held},
                )
            )

    @property
    def settler_backlog(self) -> int:
        """Attempts that have ended and are not written yet."""
        return self._settler.backlog

    async def time_moved(self) -> None:
        """A test clock has moved the database's time: leases are counted in it, and jobs may have fallen due."""
        if self._heart.holds_any:
            await asyncio.to_thread(self._heart.beat_now)
        self._lookout.everyones_turn()
        self._looking.wake()

    def named(self, name: str, id: UUID | None = None) -> list[QueueWorker]:
        """The workers of a queue, or the one with this id."""
        return [worker for worker in self._workers.values() if worker.name == name and (id is None or worker.id == id)]

    def remove_soon(self, workers: list[QueueWorker]) -> None:
        """Stop working without waiting for what runs."""
        for worker in workers:
            worker.stop()
        removing = _spawn(self.remove(workers), "pgboss off_work")
        self._removing.add(removing)
        removing.add_done_callback(self._removing.discard)

    async def remove(self, workers: list[QueueWorker]) -> None:
        """Stop working: no more claims, and wait until what runs has ended and is written."""
        for worker in workers:
            worker.stop()
        for worker in workers:
            # Not awaited itself, which would hand on a cancellation: the answer of a claim under way must not be lost.
            await asyncio.wait([self._serving[worker.id]])
            await worker.finish()
            await worker.written()
            await self._settler.drain(worker.name)
        for worker in workers:
            # Another call may have removed it meanwhile.
            if self._workers.pop(worker.id, None) is not None:
                del self._serving[worker.id]
                worker.close()
                await worker.gone(CHILDREN_GRACE_SECONDS)

    async def stop(self, timeout_seconds: float, hurry: asyncio.Event) -> bool:
        """Stop all workers: give back what waits, wait for what runs, fail what overruns; whether all was written.

        Args:
            timeout_seconds: how long running handlers may go on.
            hurry: when set, they may not go on any longer.
        """
        if not self._shared:
            return True
        try:
            return await self._wind_up(timeout_seconds, hurry)
        finally:
            self._heart.stop()
            for worker in self._workers.values():
                worker.cancel()
            tasks = [*self._shared, *self._serving.values(), *self._removing]
            self._shared.clear()
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks, timeout=CANCEL_GRACE_SECONDS)

    async def _wind_up(self, timeout_seconds: float, hurry: asyncio.Event) -> bool:
        for worker in self._workers.values():
            worker.stop()
        self._looking.stop()
        # A claim under way is waited for like a handler: cut off, its jobs might be ours without our knowing.
        claims = list(self._serving.values())
        if claims:
            await asyncio.wait(claims, timeout=CLAIM_GRACE_SECONDS)
        await self._wait_for_handlers(timeout_seconds, hurry, claims)
        for claim in claims:
            claim.cancel()
        for worker in self._workers.values():
            worker.abort_all()
        gone = asyncio.gather(*(worker.gone(CHILDREN_GRACE_SECONDS) for worker in self._workers.values()))
        written = await _within(SETTLE_GRACE_SECONDS, asyncio.ensure_future(self._written()))
        await gone
        if not written:
            logger.error(
                "%d finished jobs could not be written before the stop; they run again when their lease or time ends",
                self._settler.backlog,
            )
            # Nobody answers: what still waits for an answer, here or in a duty, would wait on.
            self._cut()
        return written

    async def _written(self) -> None:
        # In this order: what is not settled in a transaction of its own is handed to the settler.
        await asyncio.gather(*(worker.written() for worker in self._workers.values()))
        await self._settler.drain()

    async def _wait_for_handlers(
        self, timeout_seconds: float, hurry: asyncio.Event, claims: Sequence[asyncio.Task[None]]
    ) -> None:
        handlers = asyncio.gather(*(worker.finish() for worker in self._workers.values()))
        awaited: list[asyncio.Future[Any]] = [handlers, *claims]
        finished = asyncio.ensure_future(asyncio.wait(awaited))
        hurried = asyncio.ensure_future(hurry.wait())
        await asyncio.wait([finished, hurried], timeout=timeout_seconds, return_when=asyncio.FIRST_COMPLETED)
        ends: list[asyncio.Future[Any]] = [finished, handlers, hurried]
        for end in ends:
            end.cancel()
        await asyncio.gather(*ends, return_exceptions=True)

    def _start_shared(self) -> None:
        self._shared.append(_spawn(self._settler.serve(), "pgboss settler"))
        self._shared.append(_spawn(self._looking.run(), "pgboss lookout"))
        minding = self._periodic("minding pauses", self._mind_pauses, PAUSE_SECONDS)
        self._shared.append(_spawn(minding.run(), "pgboss pauses"))
        watch = self._periodic("watching leases", self._watch, WATCH_SECONDS)
        self._shared.append(_spawn(watch.run(), "pgboss watch"))
        recall = self._periodic("looking for jobs taken from their handlers", self._recall, RECALL_SECONDS)
        self._shared.append(_spawn(recall.run(), "pgboss recall"))
        if self._hearing is not None:
            self._shared.append(_spawn(self._listening.run(), "pgboss listener"))

    async def _mind_pauses(self) -> None:
        """Pause what others have paused, and go on with what they have resumed."""
        pauses = await self._run(get_pauses(self._schema))
        is_paused = any(pause.kind == "instance" and pause.target == str(self._instance_id) for pause in pauses)
        queues = {pause.target for pause in pauses if pause.kind == "queue"}
        for worker in self._workers.values():
            worker.pause(is_paused=is_paused or worker.name in queues)

    def _periodic(self, name: str, duty: Duty, interval: float) -> Periodic:
        return Periodic(name, duty, interval, on_error=lambda error: self._events.error(ErrorEvent(error, name)))

    def heard(self, name: str | None) -> None:
        """There are new jobs in a queue; or in any, because some may have been missed."""
        for worker in self._workers.values() if name is None else self.named(name):
            worker.announced()

    def hears(self, hears: bool) -> None:
        """New jobs are announced to us, or no more."""
        self._lookout.is_listening = hears
        self._looking.wake()

    def unheard(self, reason: str, *, for_good: bool) -> None:
        """New jobs cannot be listened for, for now or for good."""
        if for_good:
            self._listening.stop()
            self._on_pooler()
        self._events.warn(
            WarningEvent(
                "listen_notify_unavailable",
                f"New jobs are found by polling only, because listening for them is not possible: {reason}",
                {"type": "listen_notify_unavailable", "instance": str(self._instance_id), "error": reason},
            )
        )

    async def _watch(self) -> None:
        """What only the clock tells; it must not wait for the database."""
        self._heart.give_up_expired()
        for worker in self._workers.values():
            worker.give_back_overdue()
            worker.report_overruns()

    def _warn_overrun(self, queue: str, jobs: list[UUID], expire_seconds: int) -> None:
        self._events.warn(
            WarningEvent(
                "handler_overrun",
                f"The handler of queue {queue} has had its {expire_seconds} s and goes on; it keeps its slot until it "
                "returns.",
                {
                    "type": "handler_overrun",
                    "instance": str(self._instance_id),
                    "queue": queue,
                    "jobs": [str(id) for id in jobs],
                    "expireInSeconds": expire_seconds,
                },
            )
        )

    async def _recall(self) -> None:
        """Stop what has been cancelled, deleted or taken, where no heartbeat would tell."""
        long = [job for worker in self._workers.values() for job in worker.running_unleased(RECALL_SECONDS)]
        held = await self._ask(operations.still_held(self._schema, long)) if long else set()
        for job in long:
            # One that has been settled meanwhile is nobody's, and lost to nobody.
            if (job.name, job.id) not in held and any(worker.lose(job) for worker in self.named(job.name)):
                logger.warning(
                    "job %s of queue %s is stopped: somebody else has settled or claimed it", job.id, job.name
                )

    def _settled(self, jobs: Sequence[Job]) -> None:
        """Jobs of one queue are no longer ours."""
        self._heart.release(jobs)
        self._on_settled()
        # Every worker: while the settler was overfull, none of them claimed.
        for worker in self._workers.values():
            worker.slot_freed()
        for name in {job.name for job in jobs}:
            for worker in self.named(name):
                worker.key_freed()

    def _leases_lost(self, jobs: list[Job]) -> None:
        """Called from the heart's thread, or from the loop."""
        # The loop may be closed while the last beat is still on its way; then nothing runs that could be stopped.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._lose, jobs)

    def _beat_failed(self, error: Exception) -> None:
        """Called like the one above."""
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._events.error, ErrorEvent(error, "keeping leases"))

    def _lose(self, jobs: list[Job]) -> None:
        for job in jobs:
            for worker in self.named(job.name):
                worker.lose(job)


def _spawn(coroutine: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
    return asyncio.create_task(coroutine, name=name)


async def _within(seconds: float, awaitable: asyncio.Future[Any]) -> bool:
    """Wait for something at most so long, then cancel it; whether it came to its end."""
    done, _ = await asyncio.wait([awaitable], timeout=seconds)
    if not done:
        awaitable.cancel()
    return bool(done)
