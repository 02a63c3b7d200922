"""Express: the open transactions in which one worker holds its jobs locked while they are worked.

Each transaction has a batch of jobs, from its claim to the step that settles them all. Three of them overlap, so that
one is claimed and another committed while the handlers of the third run. None lasts longer than it may: what has not
begun by then is let go, as free as before; what runs is made active and goes on as a leased job, settled like any
other.

A batch whose connection is lost is lost whole: its results cannot be written, and the jobs are free at once. That is
no reason to forget that they were tried. :mod:`pgboss.sql.express` says how lost attempts are counted, and why the
worker goes on with leases until the jobs concerned have finished.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from secrets import randbits
from time import monotonic
from typing import Any

from pgboss.core.frontier import Frontier
from pgboss.core.job import Job
from pgboss.core.options import FetchOptions
from pgboss.core.queue import QueueCatalog, QueueRef
from pgboss.core.work_options import WorkOptions
from pgboss.drivers.runner import AsyncSession, Run, arun
from pgboss.drivers.transactions import Transactions
from pgboss.errors import ConfigurationError, DatabaseError, DatabaseUnavailableError
from pgboss.operations import express as operations
from pgboss.operations.queues import find_queue
from pgboss.runtime.wakeup import Wakeup
from pgboss.worker.heart import Heart
from pgboss.worker.outcome import Completed, Failed, Finished, GivenBack, Outcome, Over
from pgboss.worker.settler import Settler

__all__ = ["Express"]

LANES = 3
RECOVER_SECONDS = 1.0

logger = logging.getLogger("pgboss.worker")


class _Batch:
    """The jobs of one transaction: those without an outcome yet, and the outcomes of the others."""

    def __init__(self, lane: int, jobs: Sequence[Job], began: float) -> None:
        self.lane = lane
        self.began = began
        self.open = {id(job): job for job in jobs}
        self.finished: list[Finished] = []
        self.late: list[Finished] = []
        """Outcomes of jobs that are on their way to become active."""
        self._is_closed = False
        self._wakeup = Wakeup()

    def put(self, finished: Finished) -> None:
        if self._is_closed:
            self.late.append(finished)
            return
        del self.open[id(finished.job)]
        self.finished.append(finished)
        if not self.open:
            self._wakeup.set()

    async def over(self, seconds: float) -> None:
        """Wait until all have an outcome, for so long at most; later ones are ``late``."""
        if self.open:
            await self._wakeup.wait(seconds)
        self._is_closed = True


class Express:
    """Claims by locking, and settles what it has locked; everything else it leaves to the settler."""

    def __init__(
        self,
        name: str,
        options: WorkOptions,
        *,
        run: Run,
        transactions: Transactions,
        catalog: Callable[[], QueueCatalog],
        settler: Settler,
        heart: Heart,
        is_traced: Callable[[], bool],
        take_back: Callable[[Sequence[Job]], list[Job]],
        lose: Callable[[Job], object],
        on_room: Callable[[], None],
    ) -> None:
        """``take_back`` is asked which of some jobs have not begun, and begins them no more; ``lose`` stops one that
        has; ``on_room`` hears when another batch may be claimed.
        """
        self._name = name
        self._options = options
        self._run = run
        self._transactions = transactions
        self._catalog = catalog
        self._settler = settler
        self._heart = heart
        self._is_traced = is_traced
        self._take_back = take_back
        self._lose = lose
        self._on_room = on_room
        # One connection is left for everything else.
        lanes = min(LANES, transactions.pool_size - 1)
        if lanes < 1:
            raise ConfigurationError(
                f"express=True needs a pool of two connections at least, and this one has {transactions.pool_size}: "
                "one is held while jobs are worked. Raise pool_size, or PGBOSS_POOL_SIZE."
            )
        self._free = [_new_lane() for _ in range(lanes)]
        self._batches: dict[int, _Batch] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._recover_at = 0.0
        self._has_suspects = False

    @property
    def has_room(self) -> bool:
        """Whether another transaction may be opened."""
        return bool(self._free)

    def holds(self, job: Job) -> bool:
        """Whether this is one of its jobs, locked and not active."""
        return id(job) in self._batches

    def put(self, job: Job, outcome: Outcome, duration_seconds: float | None = None) -> None:
        """Have an outcome written: with its batch, or by the settler if the job is leased."""
        batch = self._batches.pop(id(job), None)
        if batch is None or isinstance(outcome, Over):
            self._settler.put(job, outcome, duration_seconds)
        else:
            batch.put(Finished(job, outcome, duration_seconds))

    async def claim(self, options: FetchOptions, frontier: Frontier | None) -> list[Job] | None:
        """Lock jobs, in a transaction that stays open until they have outcomes; ``None``: they are to be leased now.

        Raises:
            DatabaseError: they could not be locked.
        """
        if await self._must_lease():
            return None
        claimed: asyncio.Future[list[Job]] = asyncio.get_running_loop().create_future()
        serving = asyncio.create_task(
            self._serve(self._free.pop(), options, frontier, claimed), name=f"pgboss express {self._name}"
        )
        self._tasks.add(serving)
        serving.add_done_callback(self._tasks.discard)
        try:
            return await claimed
        except asyncio.CancelledError:
            if not claimed.cancelled() and claimed.exception() is None:
                # Nobody will begin them any more.
                for job in claimed.result():
                    self.put(job, GivenBack())
            raise

    async def _must_lease(self) -> bool:
        if monotonic() >= self._recover_at:
            had = self._has_suspects
            self._has_suspects = await self._run(operations.recover(self._catalog(), self._name))
            self._recover_at = monotonic() + RECOVER_SECONDS
            if self._has_suspects and not had:
                logger.warning(
                    "queue %s: jobs were lost with a process or a connection that worked them; until they have "
                    "finished, jobs are worked without express",
                    self._name,
                    extra={"queue": self._name},
                )
        return self._has_suspects

    async def end(self) -> None:
        """Wait until every open transaction has ended, and leave no lane behind; nothing may be claimed any more."""
        while self._tasks:
            await asyncio.wait(self._tasks)
        lanes, self._free = self._free, []
        if lanes:
            try:
                await self._run(operations.remove(self._catalog().schema, lanes))
            except DatabaseError as error:
                logger.debug("lanes of queue %s were not removed: %s", self._name, error)

    def cancel(self) -> None:
        """Break off every open transaction."""
        for task in self._tasks:
            task.cancel()

    async def _serve(
        self, lane: int, options: FetchOptions, frontier: Frontier | None, claimed: asyncio.Future[list[Job]]
    ) -> None:
        batch: _Batch | None = None
        is_handed_out = False
        try:
            async with self._transactions.transaction(is_ours=True) as opened:
                began = monotonic()
                jobs = await self._lock(opened.session, lane, options, frontier)
                if not jobs or claimed.done():
                    return
                batch = _Batch(lane, jobs, began)
                await self._run(operations.hold(self._catalog().schema, lane, self._name, jobs))
                if claimed.done():
                    await arun(opened.session, operations.let_go(self._catalog().schema, lane))
                    return
                self._batches.update(dict.fromkeys(batch.open, batch))
                claimed.set_result(jobs)
                is_handed_out = True
                await batch.over(self._options.express_limit - (monotonic() - began))
                self._take_back_from(batch)
                ending = _Ending(batch)
                await self._write(opened.session, ending)
            self._told(ending)
        except Exception as error:  # noqa: BLE001  whoever waits for the claim is told; later ones concern the batch
            if not claimed.done():
                claimed.set_exception(error)
            if batch is not None:
                lane = await self._lost(batch, error) if is_handed_out else await self._hold_only(lane, [])
        finally:
            if not claimed.done():
                claimed.set_result([])
            self._free.append(lane)
            self._on_room()

    async def _lock(
        self, session: AsyncSession, lane: int, options: FetchOptions, frontier: Frontier | None
    ) -> list[Job]:
        return await arun(
            session,
            operations.lock(
                self._catalog(),
                self._name,
                options,
                lane,
                details=self._options.has_metadata,
                lease_seconds=self._options.lease,
                is_traced=self._is_traced(),
                frontier=frontier,
            ),
        )

    async def _write(self, session: AsyncSession, ending: _Ending) -> None:
        """Everything that becomes of a batch, within its transaction."""
        catalog, lease = self._catalog(), self._options.lease
        queue = await arun(session, find_queue(catalog, self._name))
        queue = replace(queue, schema=catalog.schema.after(monotonic() - ending.batch.began))
        lane, completed = ending.batch.lane, ending.completed
        is_let_go = False
        if completed:
            jobs, outputs = [each.job for each in completed], [each.outcome.output for each in completed]
            completing = operations.complete_each(
                queue, lane, jobs, outputs, lease_seconds=lease, delete=self._options.delete_on_completion is True
            )
            try:
                ending.kept = await arun(session, completing)
                is_let_go = True
            except DatabaseError as error:
                ending.leave_to_settler(completed, error)
        if not is_let_go:
            await arun(session, operations.let_go(queue.schema, lane))
        if ending.active:
            await arun(session, operations.activate(queue, ending.active, lease_seconds=lease))
        if ending.failed:
            await self._fail(session, queue, ending)
        if ending.postponed:
            jobs = [each.job for each in ending.postponed]
            delays = [each.outcome.delay_seconds for each in ending.postponed]
            ending.given_back = await arun(session, operations.give_back_each(queue, jobs, delays))

    @staticmethod
    async def _fail(session: AsyncSession, queue: QueueRef, ending: _Ending) -> None:
        failed = ending.failed
        jobs, outputs = [each.job for each in failed], [each.outcome.output for each in failed]
        final = [each.outcome.is_final for each in failed]
        try:
            ending.states = await arun(session, operations.fail_each(queue, jobs, outputs, final))
        except DatabaseError as error:
            ending.leave_to_settler(failed, error)

    def _told(self, ending: _Ending) -> None:
        """The transaction is committed."""
        for job in ending.active:
            self._batches.pop(id(job), None)
        leased = [*ending.running, *(each.job for each in ending.left)]
        self._heart.hold(leased, monotonic(), self._options.refresh_seconds)
        for each in (*ending.left, *ending.batch.late):
            self._settler.put(each.job, each.outcome, each.duration_seconds)
        verdicts = self._settler.verdicts
        if ending.completed:
            verdicts.completed(ending.completed, ending.kept)
        if ending.failed:
            verdicts.failed(ending.failed, ending.states)
        if ending.postponed:
            verdicts.given_back(ending.postponed, ending.given_back)
        self._settler.over([each.job for each in (*ending.completed, *ending.failed, *ending.postponed)])

    def _take_back_from(self, batch: _Batch) -> None:
        """Those of its jobs that have not begun are as free as before."""
        for job in self._take_back(list(batch.open.values())):
            del batch.open[id(job)], self._batches[id(job)]

    async def _lost(self, batch: _Batch, error: BaseException) -> int:
        """Nothing of a batch was written, or nobody knows; returns the lane that takes the place of its own."""
        self._take_back_from(batch)
        begun = [*batch.open.values(), *(each.job for each in batch.finished)]
        for job in batch.open.values():
            self._batches.pop(id(job), None)
            self._lose(job)
        logger.warning(
            "the transaction was lost in which %d jobs of queue %s were worked; their results were dropped, and they "
            "are free to run again: %s",
            len(begun),
            self._name,
            error,
            extra={"queue": self._name},
        )
        self._recover_at = 0.0
        return await self._hold_only(batch.lane, begun)

    async def _hold_only(self, lane: int, begun: Sequence[Job]) -> int:
        """Say which jobs of a lane whose transaction was lost had begun; returns the lane to go on with.

        Where this cannot be said, all of them count as begun.
        """
        try:
            await self._run(operations.hold(self._catalog().schema, lane, self._name, begun))
        except DatabaseError as reason:
            logger.debug("lane %d of queue %s was not corrected: %s", lane, self._name, reason)
            return _new_lane()
        return _new_lane() if begun else lane


class _Ending:
    """What becomes of a batch whose time is over; what has not begun is no longer in it."""

    def __init__(self, batch: _Batch) -> None:
        self.batch = batch
        self.running = list(batch.open.values())
        self.completed: list[Any] = []
        self.failed: list[Any] = []
        self.postponed: list[Any] = []
        for each in batch.finished:
            match each.outcome:
                case Completed():
                    self.completed.append(each)
                case Failed():
                    self.failed.append(each)
                # One that is given back without a delay is as it was.
                case GivenBack(delay_seconds) if delay_seconds > 0:
                    self.postponed.append(each)
        self.left: list[Finished] = []
        """What the settler is to write, once it is active."""
        self.kept: dict[Any, bool] = {}
        self.states: dict[Any, Any] = {}
        self.given_back: set[Any] = set()

    @property
    def active(self) -> list[Job]:
        """The jobs that have to become active, to go on or to be settled."""
        return [*self.running, *(each.job for each in (*self.failed, *self.postponed, *self.left))]

    def leave_to_settler(self, group: list[Any], error: DatabaseError) -> None:
        """Outcomes that cannot be written together: the settler finds out which of them is why."""
        if isinstance(error, DatabaseUnavailableError):
            raise error
        self.left.extend(group)
        group.clear()


def _new_lane() -> int:
    return randbits(63)
