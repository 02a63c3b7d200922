"""Processes for handlers that compute: as many as calls run at once, each supervised by itself.

One for each slot rather than a pool, because a pool is broken by the first of its processes that dies, and every call
with it. Here a dead process costs the attempt it was at, and is replaced when the next call needs it, after a pause
that grows while they keep dying.

A call that is not wanted any more (overrun, lost, stopped) is ended in three steps: ``job.cancelled`` is set, so that
a handler which looks can end by itself, and its process goes on to the next job; then SIGTERM raises within the
handler, so that it leaves in order; then the process is killed. The slot is free when the call has really ended.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from time import monotonic
from typing import Any
from uuid import UUID

from pgboss.core.job import Job
from pgboss.errors import HandlerProcessError
from pgboss.jobs.elsewhere import Import
from pgboss.runtime.addresses import Address
from pgboss.runtime.backoff import Backoff
from pgboss.runtime.spawning import Spawned, how_it_ended, spawn
from pgboss.runtime.telemetry import in_current_trace
from pgboss.worker.foreign_error import ErrorReport, ForeignError, stand_in
from pgboss.worker.outcome import Failed, Outcome

__all__ = ["CannotStart", "Children"]

# How long a handler has to see that it is not wanted, and then to leave when SIGTERM has been raised in it.
LOOK_SECONDS = 2.0
TERMINATE_SECONDS = 2.0
# The same in a stop, which has given the handler its time already.
HURRIED_SECONDS = 0.5
LEAVE_SECONDS = 1.0
KILL_SECONDS = 1.0

TARGET = Address("pgboss.worker.child", "work")

logger = logging.getLogger("pgboss.worker")


class CannotStart(Exception):  # noqa: N818  nothing has gone wrong with the job
    """There is no process for a call; the handler was not called."""


class Died(Exception):  # noqa: N818  a finding, told as HandlerProcessError
    """The process has ended in the middle of a call, or before it."""

    def __init__(self, code: int, began: bool) -> None:
        super().__init__(how_it_ended(code))
        self.began = began


class Children:
    """Runs calls of one handler in processes, which are started as they are needed, up to one for each call."""

    def __init__(self, queue: str, where: Import, on_idle: Callable[[], None]) -> None:
        """``on_idle`` is called when a call has ended that nobody awaits any more."""
        self._queue = queue
        self._where = where
        self._on_idle = on_idle
        self._idle: list[Child] = []
        self._children: set[Child] = set()
        self._at: dict[UUID, Child] = {}
        self._calls: set[asyncio.Task[list[Outcome]]] = set()
        self._backoff = Backoff(first=0.1, last=5.0)
        self._next_start = 0.0
        self._closing = False

    @property
    def busy(self) -> int:
        """Calls that have not ended, those nobody waits for any more included."""
        return len(self._calls)

    async def run(self, jobs: Sequence[Job], on_return: Callable[[], None] | None = None) -> list[Outcome]:
        """Call the handler with these jobs, and return the outcome of each.

        Cancelling the wait ends the call: see the module. It stays busy until then, and ``on_return`` hears of it.

        Raises:
            CannotStart: there is no process.
            HandlerProcessError: the process was killed, or ended itself.
        """
        call = asyncio.create_task(self._run(jobs), name=f"pgboss {self._queue} {jobs[0].id} in a process")
        self._calls.add(call)
        is_awaited = True

        def over(call: asyncio.Task[list[Outcome]]) -> None:
            self._calls.discard(call)
            if on_return is not None:
                on_return()
            if not is_awaited:
                self._on_idle()
                if not call.cancelled():
                    call.exception()  # nobody else asks for it

        call.add_done_callback(over)
        try:
            return await asyncio.shield(call)
        except asyncio.CancelledError:
            is_awaited = False
            call.cancel()
            raise

    def cancel(self, job: Job) -> None:
        """Tell the handler that one of its jobs is not wanted any more; the call goes on."""
        child = self._at.get(job.id)
        if child is not None:
            child.cancel([job])

    def close(self) -> None:
        """Let the processes leave: those that are idle now, the others after their call."""
        self._closing = True
        while self._idle:
            self._idle.pop().leave()

    async def gone(self, seconds: float) -> None:
        """Wait so long for all processes to end, then kill them; to be called after :meth:`close`."""
        if self._children:
            await asyncio.wait([child.process.ended for child in self._children], timeout=seconds)
        for child in self._children:
            child.process.kill()
        ends = [*self._calls, *(child.process.ended for child in self._children)]
        if ends:
            await asyncio.wait(ends, timeout=KILL_SECONDS)

    async def _run(self, jobs: Sequence[Job]) -> list[Outcome]:
        while True:
            child = await self._child()
            self._at.update(dict.fromkeys([job.id for job in jobs], child))
            try:
                outcomes = await child.call(jobs)
            except Died as death:
                if death.began:
                    raise HandlerProcessError(f"the process of the handler {death}") from None
            except asyncio.CancelledError:
                await self._end(child, jobs)
                raise
            else:
                self._backoff.reset()
                return outcomes
            finally:
                for job in jobs:
                    self._at.pop(job.id, None)
                self._back(child)

    async def _child(self) -> Child:
        if self._idle:
            return self._idle.pop()
        await asyncio.sleep(max(0.0, self._next_start - monotonic()))
        if self._closing:
            raise CannotStart("its worker stops")
        try:
            child = await Child.start(self._queue, self._where, self._started)
        except CannotStart:
            self._next_start = monotonic() + self._backoff.pause()
            raise
        logger.debug("process %d works queue %s", child.process.pid, self._queue)
        return child

    def _started(self, child: Child) -> None:
        self._children.add(child)
        child.process.ended.add_done_callback(lambda _: self._ended(child))

    def _ended(self, child: Child) -> None:
        self._children.discard(child)
        if child.is_leaving:
            return
        self._next_start = max(self._next_start, monotonic() + self._backoff.pause())
        if child in self._idle:
            self._idle.remove(child)
            how = how_it_ended(child.process.ended.result())
            logger.warning("process %d of queue %s %s while it was idle", child.process.pid, self._queue, how)

    def _back(self, child: Child) -> None:
        if not child.is_usable:
            return
        if self._closing:
            child.leave()
        else:
            self._idle.append(child)

    async def _end(self, child: Child, jobs: Sequence[Job]) -> None:
        look, terminate = (HURRIED_SECONDS,) * 2 if self._closing else (LOOK_SECONDS, TERMINATE_SECONDS)
        try:
            await child.end(jobs, look, terminate)
        except asyncio.CancelledError:
            child.process.kill()
            raise


class Child:
    """A process, and the call that it is at.

    Attributes:
        process: what the operating system knows of it.
        is_leaving: whether we have told it to end.
    """

    process: Spawned

    def __init__(self) -> None:
        self.is_leaving = False
        self._ready = asyncio.get_running_loop().create_future()
        self._answer: asyncio.Future[list[Any]] = asyncio.get_running_loop().create_future()
        self._began = False

    @classmethod
    async def start(cls, queue: str, where: Import, on_started: Callable[[Child], None]) -> Child:
        """Start one, and wait until it can be given calls.

        Raises:
            CannotStart: it ended before, or the system gives us none.
        """
        child = cls()
        try:
            child.process = await spawn(
                TARGET, {"where": where}, title=f"pgboss handler of {queue}", on_message=child._hear
            )
        except OSError as error:
            raise CannotStart(f"no process can be started: {error}") from error
        on_started(child)
        try:
            await _first(child._ready, child.process.ended)
        except asyncio.CancelledError:
            child.kill()
            raise
        if not child._ready.done():
            raise CannotStart(f"its process {how_it_ended(child.process.ended.result())} before it was ready")
        told: ErrorReport | None = child._ready.result()
        if told is not None:
            child.is_leaving = True
            raise CannotStart(f"its process cannot import it: {told.name}: {told.message}") from stand_in(told)
        return child

    @property
    def is_usable(self) -> bool:
        """Whether it can be given the next call."""
        return self.process.is_alive and not self.is_leaving

    async def call(self, jobs: Sequence[Job]) -> list[Outcome]:
        """Have the jobs worked.

        Raises:
            Died: the process has ended, and the jobs have no outcome.
        """
        self._began = False
        self._answer = asyncio.get_running_loop().create_future()
        self.process.send(("run", in_current_trace(jobs)))
        await _first(self._answer, self.process.ended)
        if not self._answer.done():
            raise Died(self.process.ended.result(), self._began)
        return [_outcome(outcome, told) for outcome, told in self._answer.result()]

    async def end(self, jobs: Sequence[Job], look_seconds: float, terminate_seconds: float) -> None:
        """End the call that was begun with these jobs; returns when the process is free, or has ended."""
        self.cancel(jobs)
        if await self._is_over(look_seconds):
            return
        self.is_leaving = True
        self.process.send(("end",))
        if not await self._is_over(terminate_seconds):
            logger.warning(
                "process %d of queue %s does not end its call when asked to and is killed",
                self.process.pid,
                jobs[0].name,
            )
        # One that was interrupted may have left anything behind: it ends by itself, or now.
        await asyncio.wait([self.process.ended], timeout=HURRIED_SECONDS)
        self.process.kill()
        await self.process.ended

    def cancel(self, jobs: Sequence[Job]) -> None:
        """Set ``cancelled`` of jobs that it works."""
        self.process.send(("cancel", [job.id for job in jobs]))

    def leave(self) -> None:
        """Ask it to end, and kill it when it does not soon."""
        self.is_leaving = True
        self.process.send(("leave",))
        killing = asyncio.get_running_loop().call_later(LEAVE_SECONDS, self.process.kill)
        self.process.ended.add_done_callback(lambda _: killing.cancel())

    def kill(self) -> None:
        """End it at once."""
        self.is_leaving = True
        self.process.kill()

    async def _is_over(self, seconds: float) -> bool:
        return await _first(self._answer, self.process.ended, timeout_seconds=seconds)

    def _hear(self, message: Any) -> None:
        match message:
            case ("ready",):
                self._ready.set_result(None)
            case ("failed", told):
                self._ready.set_result(told)
            case ("began",):
                self._began = True
            case ("done", outcomes):
                # An answer that comes after its call was given up is nobody's.
                with suppress(asyncio.InvalidStateError):
                    self._answer.set_result(outcomes)


def _outcome(outcome: Outcome, told: ErrorReport | None) -> Outcome:
    if isinstance(outcome, Failed) and told is not None:
        error: ForeignError = stand_in(told)
        return replace(outcome, error=error)
    return outcome


async def _first(*awaited: asyncio.Future[Any], timeout_seconds: float | None = None) -> bool:
    """Wait for whatever is done first, and leave the others alone; whether anything was."""
    done, _ = await asyncio.wait(awaited, timeout=timeout_seconds, return_when=asyncio.FIRST_COMPLETED)
    return bool(done)
