"""The lookout: when the next job of an idle worker's queue falls due, asked for all of them in one statement.

Jobs that fall due, are retried or are written by plain SQL are announced by nobody, and notifications may be lost. So
somebody has to look. One statement for all queues costs about as much as one for a single queue, and it tells more
than a poll: when the next job falls due, so that the worker is woken then rather than at its next turn.

Each worker has an interval of its own. While the queue's new jobs are announced to us, that may be another, longer one
than without. A look leaves out the workers whose turn has not come; those that are busy claim by themselves once they
are not, and are asked for again an interval later at the latest.

Where claims begin behind dead rows (``front.py``), it also looks for what they leave out.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from math import inf
from time import monotonic
from uuid import UUID

from pgboss.core.frontier import Frontier
from pgboss.core.names import SchemaName
from pgboss.drivers.runner import Run
from pgboss.operations import work as operations
from pgboss.worker.queue_worker import QueueWorker

__all__ = ["Lookout"]

SHORTEST_LOOK_SECONDS = 0.02
# Turns that come within this time of one another are taken together.
TOGETHER_SECONDS = 0.02


class Lookout:
    """Wakes idle workers whose queue has a due job."""

    def __init__(
        self,
        run: Run,
        schema: SchemaName,
        workers: Callable[[], Collection[QueueWorker]],
        *,
        interval_seconds: float,
    ) -> None:
        """``interval_seconds`` is for workers that say nothing themselves."""
        self._run = run
        self._schema = schema
        self._workers = workers
        self._interval_seconds = interval_seconds
        self._turn_at: dict[UUID, float] = {}
        self.is_listening = False

    def everyones_turn(self) -> None:
        """Let the next look be for all: the time has moved by which they were to be looked for."""
        self._turn_at = {worker.id: 0.0 for worker in self._workers()}

    def interval_of(self, worker: QueueWorker) -> float:
        """How often this worker's queue is looked at."""
        is_announced = self.is_listening and worker.is_announced
        return worker.options.polling_seconds(self._interval_seconds, is_announced=is_announced)

    async def look(self) -> float:
        """Look for those whose turn it is; returns the seconds until the next look."""
        workers = self._workers()
        now = monotonic()
        self._turn_at = {worker.id: self._turn_of(worker, now) for worker in workers}
        turn = [worker for worker in workers if self._turn_at[worker.id] <= now + TOGETHER_SECONDS]
        idle = []
        for worker in turn:
            if frontier := worker.left_out():
                await self._look_before(frontier, worker)
            elif worker.is_idle:
                idle.append(worker)
        if idle:
            await self._look_for(idle)
        return self._pause(workers)

    def _turn_of(self, worker: QueueWorker, now: float) -> float:
        # A new worker has looked by itself; and no turn is later than an interval from now, which may have got shorter.
        return min(self._turn_at.get(worker.id, inf), now + self.interval_of(worker), worker.look_at)

    async def _look_before(self, frontier: Frontier, worker: QueueWorker) -> None:
        began = monotonic()
        seconds = await self._run(operations.next_left_out(self._schema, worker.name, frontier))
        self._answer(worker, seconds, began)

    async def _look_for(self, workers: list[QueueWorker]) -> None:
        began = monotonic()
        due = await self._run(operations.next_due(self._schema, sorted({worker.name for worker in workers})))
        for worker in workers:
            self._answer(worker, due.get(worker.name, inf), began)

    def _answer(self, worker: QueueWorker, seconds: float, began: float) -> None:
        read_at = monotonic()
        if seconds <= 0:
            worker.look()
        else:
            worker.looked(began)
        interval = self.interval_of(worker)
        self._turn_at[worker.id] = read_at + (min(seconds, interval) if seconds > 0 else interval)

    def _pause(self, workers: Collection[QueueWorker]) -> float:
        now = monotonic()
        pauses = (
            self._turn_of(worker, now) - now if worker.is_idle else min(self.interval_of(worker), worker.look_at - now)
            for worker in workers
        )
        return max(SHORTEST_LOOK_SECONDS, min(pauses, default=self._interval_seconds))
