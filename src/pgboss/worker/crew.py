"""All workers of one process, and what they share: the settler, the heart, the lookout and the listener."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from time import monotonic
from typing import Any
from uuid import UUID

from pgboss.core.job import Job
from pgboss.core.names import SchemaName
from pgboss.core.queue import QueueCatalog
from pgboss.drivers.psycopg import Listener
from pgboss.drivers.runner import Run
from pgboss.jobs import JobDefinition
from pgboss.operations import work as operations
from pgboss.runtime.periodic import Periodic
from pgboss.worker.heart import Heart
from pgboss.worker.queue_worker import QueueWorker
from pgboss.worker.settler import Settler

__all__ = ["POLLING_INTERVAL_SECONDS", "Crew"]

# Also with NOTIFY: jobs that fall due, are retried or are sent by plain SQL notify nobody.
POLLING_INTERVAL_SECONDS = 0.5
SHORTEST_LOOK_SECONDS = 0.02
WATCH_SECONDS = 0.5
LISTEN_AGAIN_SECONDS = 1.0
# Beyond the time given to handlers a stop takes at most so long: for a claim under way, and for the last results.
CLAIM_GRACE_SECONDS = 1.0
SETTLE_GRACE_SECONDS = 2.0
CANCEL_GRACE_SECONDS = 0.5

logger = logging.getLogger("pgboss.worker")


class Crew:
    """Starts, wakes and stops the queue workers of a process."""

    def __init__(
        self,
        *,
        conninfo: str,
        schema: SchemaName,
        run: Run,
        catalog: Callable[[], QueueCatalog],
        polling_interval_seconds: float = POLLING_INTERVAL_SECONDS,
        listen: bool = True,
    ) -> None:
        self._conninfo = conninfo
        self._schema = schema
        self._run = run
        self._catalog = catalog
        self._listen = listen
        self._loop = asyncio.get_running_loop()
        self._workers: dict[UUID, QueueWorker] = {}
        self._serving: dict[UUID, asyncio.Task[None]] = {}
        self._heart = Heart(conninfo, schema, self._leases_lost)
        self._settler = Settler(run, catalog, self._settled)
        self._lookout = Periodic("looking for due jobs", self._look, polling_interval_seconds)
        self._polling_interval_seconds = polling_interval_seconds
        self._shared: list[asyncio.Task[Any]] = []

    def add(self, definition: JobDefinition[Any, Any], concurrency: int) -> QueueWorker:
        """Start working a queue."""
        if not self._shared:
            self._start_shared()
        worker = QueueWorker(
            definition,
            concurrency,
            run=self._run,
            catalog=self._catalog,
            settler=self._settler,
            heart=self._heart,
        )
        self._workers[worker.id] = worker
        self._serving[worker.id] = _spawn(worker.serve(), f"pgboss worker {worker.name}")
        return worker

    def named(self, name: str, id: UUID | None = None) -> list[QueueWorker]:
        """The workers of a queue, or the one with this id."""
        return [worker for worker in self._workers.values() if worker.name == name and (id is None or worker.id == id)]

    async def remove(self, workers: list[QueueWorker]) -> None:
        """Stop working: no more claims, and wait until what runs has ended and is written."""
        for worker in workers:
            worker.stop()
        for worker in workers:
            # Not awaited itself, which would hand on a cancellation: the answer of a claim under way must not be lost.
            await asyncio.wait([self._serving[worker.id]])
            await worker.finish()
            await self._settler.drain(worker.name)
        for worker in workers:
            # Another call may have removed it meanwhile.
            if self._workers.pop(worker.id, None) is not None:
                del self._serving[worker.id]
                worker.close()

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
            tasks = [*self._shared, *self._serving.values()]
            self._shared.clear()
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks, timeout=CANCEL_GRACE_SECONDS)

    async def _wind_up(self, timeout_seconds: float, hurry: asyncio.Event) -> bool:
        for worker in self._workers.values():
            worker.stop()
        self._lookout.stop()
        # A claim under way is waited for like a handler: cut off, its jobs might be ours without our knowing.
        claims = asyncio.gather(*self._serving.values(), return_exceptions=True)
        await asyncio.wait([claims], timeout=CLAIM_GRACE_SECONDS)
        await self._wait_for_handlers(timeout_seconds, hurry, claims)
        claims.cancel()
        for worker in self._workers.values():
            worker.abort_all()
        written = await _within(SETTLE_GRACE_SECONDS, asyncio.ensure_future(self._settler.drain()))
        if not written:
            logger.error(
                "%d finished jobs could not be written before the stop; they run again when their lease or time ends",
                self._settler.backlog,
            )
        return written

    async def _wait_for_handlers(
        self, timeout_seconds: float, hurry: asyncio.Event, claims: asyncio.Future[Any]
    ) -> None:
        handlers = asyncio.gather(*(worker.finish() for worker in self._workers.values()))
        finished = asyncio.ensure_future(asyncio.wait([handlers, claims]))
        hurried = asyncio.ensure_future(hurry.wait())
        await asyncio.wait([finished, hurried], timeout=timeout_seconds, return_when=asyncio.FIRST_COMPLETED)
        ends: list[asyncio.Future[Any]] = [finished, handlers, hurried]
        for end in ends:
            end.cancel()
        await asyncio.gather(*ends, return_exceptions=True)

    def _start_shared(self) -> None:
        self._shared.append(_spawn(self._settler.serve(), "pgboss settler"))
        self._shared.append(_spawn(self._lookout.run(), "pgboss lookout"))
        watch = Periodic("watching leases", self._watch, WATCH_SECONDS)
        self._shared.append(_spawn(watch.run(), "pgboss watch"))
        if self._listen:
            listening = Periodic("listening for new jobs", self._hear, LISTEN_AGAIN_SECONDS)
            self._shared.append(_spawn(listening.run(), "pgboss listener"))

    async def _look(self) -> float:
        """Wake the idle workers whose queue has a due job; returns the seconds until the next look."""
        idle = [worker for worker in self._workers.values() if worker.is_idle]
        if not idle:
            return self._polling_interval_seconds
        due = await self._run(operations.next_due(self._schema, sorted({worker.name for worker in idle})))
        read_at = monotonic()
        for worker in idle:
            if due.get(worker.name, 1) <= 0:
                worker.look()
        coming = [seconds for seconds in due.values() if seconds > 0]
        soonest = min(coming, default=self._polling_interval_seconds) - (monotonic() - read_at)
        return max(SHORTEST_LOOK_SECONDS, min(soonest, self._polling_interval_seconds))

    async def _hear(self) -> None:
        """Listen until the connection is lost, which raises. A notification is a hint, never the only way in."""
        listener = Listener(self._conninfo, self._schema.channel)
        await listener.open()
        try:
            for worker in self._workers.values():
                worker.look()  # whatever was announced while nobody listened
            async for name in listener.payloads():
                for worker in self.named(name):
                    worker.look()
        finally:
            await listener.close()

    async def _watch(self) -> None:
        """What only the clock tells; it must not wait for the database."""
        self._heart.give_up_expired()
        for worker in self._workers.values():
            worker.give_back_overdue()

    def _settled(self, jobs: Sequence[Job]) -> None:
        """Jobs of one queue are no longer ours."""
        self._heart.release(jobs)
        # Every worker: while the settler was overfull, none of them claimed.
        for worker in self._workers.values():
            worker.slot_freed()

    def _leases_lost(self, jobs: list[Job]) -> None:
        """Called from the heart's thread, or from the loop."""
        # The loop may be closed while the last beat is still on its way; then nothing runs that could be stopped.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._lose, jobs)

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
