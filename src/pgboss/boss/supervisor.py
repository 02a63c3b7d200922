"""Several worker processes under one supervisor, which starts what ends and stops them all together.

Each process is an ordinary worker with a pool and an instance of its own; the supervisor has no connection, and works
nothing. It knows three things of each: that it is ready, why it could not start, and that it has ended.

A process that ends unasked is started again, after a pause that grows while it keeps ending and begins anew when it
has lived for a while. Where none has ever become ready there is nothing to keep alive: a database that cannot be
reached, say, ends the supervisor with the error that a single worker would have ended with.

Signals come to the supervisor alone, because each process has a session of its own, and go on as messages: so a signal
that was sent to all of them, as service managers do, still counts as one.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from signal import SIGTERM
from time import monotonic
from typing import Any

from pgboss import errors
from pgboss.boss.signals import stop_signals
from pgboss.errors import PgBossError, WorkerProcessError
from pgboss.runtime.addresses import Address
from pgboss.runtime.backoff import Backoff
from pgboss.runtime.spawning import Spawned, how_it_ended, spawn

__all__ = ["Supervisor"]

# What a worker's stop may take beyond the time of its handlers, and a little for the end of the process.
STOP_GRACE_SECONDS = 8.0
KILL_SECONDS = 2.0
SOUND_SECONDS = 60.0
# Without any word of why: a module that crashes Python while it is imported, perhaps.
MOST_SILENT_STARTS = 3

logger = logging.getLogger("pgboss.supervisor")


class Supervisor:
    """Keeps worker processes running until told to stop."""

    def __init__(
        self,
        target: Address,
        arguments: dict[str, Any],
        processes: int,
        *,
        stop_timeout_seconds: float,
        on_ready: Callable[[], None] | None = None,
    ) -> None:
        """``target`` is run in each of them, with the arguments and its ``number``, which counts from 1.

        ``on_ready`` is called once, when all of them work.
        """
        self._places = [_Place(number, target, arguments, self._place_is_ready) for number in range(1, processes + 1)]
        self._stop_timeout_seconds = stop_timeout_seconds
        self._on_ready = on_ready
        self._hurry = asyncio.Event()

    async def run(self) -> None:
        """Start the processes, keep them, and stop them at SIGTERM or SIGINT; a second signal hurries.

        Raises:
            PgBossError: none of them could start.
        """
        with stop_signals(self._hurry.set) as told:
            keeping = [asyncio.create_task(place.keep(self._is_any_ready), name=place.title) for place in self._places]
            telling = asyncio.create_task(told.wait())
            try:
                # A place that is kept ends by an error only.
                done, _ = await asyncio.wait([telling, *keeping], return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in (telling, *keeping):
                    task.cancel()
                await self._stop()
                await asyncio.gather(telling, *keeping, return_exceptions=True)
        for task in done - {telling}:
            await task

    def _is_any_ready(self) -> bool:
        return any(place.was_ready for place in self._places)

    def _place_is_ready(self) -> None:
        if self._on_ready is not None and all(place.was_ready for place in self._places):
            on_ready, self._on_ready = self._on_ready, None
            on_ready()

    async def _stop(self) -> None:
        workers = [place.worker for place in self._places if place.worker is not None]
        for worker in workers:
            worker.send(("stop",))
        ends = [worker.ended for worker in workers]
        if not ends:
            return
        hurrying = asyncio.create_task(self._hurry.wait())
        ending = asyncio.ensure_future(asyncio.wait(ends))
        await asyncio.wait(
            [hurrying, ending],
            timeout=self._stop_timeout_seconds + STOP_GRACE_SECONDS,
            return_when=asyncio.FIRST_COMPLETED,
        )
        if self._hurry.is_set():
            for worker in workers:
                worker.send(("hurry",))
            await asyncio.wait(ends, timeout=STOP_GRACE_SECONDS)
        for task in (hurrying, ending):
            task.cancel()
        for place in self._places:
            place.report_stopped()
        await asyncio.wait(ends, timeout=KILL_SECONDS)


class _Place:
    """One of the processes, and those that come after it.

    Attributes:
        worker: the process that runs now.
        was_ready: whether one has ever been ready here.
    """

    def __init__(self, number: int, target: Address, arguments: dict[str, Any], on_ready: Callable[[], None]) -> None:
        self.number = number
        self.title = f"pgboss worker {number}"
        self.worker: Spawned | None = None
        self.was_ready = False
        self._target = target
        self._arguments = {**arguments, "number": number}
        self._on_ready = on_ready
        self._failure: PgBossError | None = None
        self._is_ready = False
        self._silent_starts = 0

    async def keep(self, is_any_ready: Callable[[], bool]) -> None:
        """Run a process, and another one whenever it ends.

        Raises:
            PgBossError: it cannot start, and none of the others has ever been ready either.
        """
        backoff = Backoff(first=0.5, last=30.0)
        while True:
            began = monotonic()
            how = await self._run_one()
            if monotonic() - began > SOUND_SECONDS:
                backoff.reset()
            if not self._is_ready and not is_any_ready():
                self._give_up_if_hopeless(how)
            pause = backoff.pause()
            logger.error(
                "worker process %d %s%s and is started again in %.1f s",
                self.number,
                how,
                f" ({self._failure})" if self._failure else "",
                pause,
                extra={"process_number": self.number},
            )
            await asyncio.sleep(pause)

    def report_stopped(self) -> None:
        """Say how the last process ended; kill it if it has not."""
        if self.worker is None:
            return
        extra = {"process_number": self.number}
        if not self.worker.ended.done():
            logger.error("worker process %d overran the stop and is killed", self.number, extra=extra)
            self.worker.kill()
        elif (code := self.worker.ended.result()) != 0 and self._failure is None:
            if code == -SIGTERM and not self._is_ready:
                return  # it was still starting, and nobody in it heard that it was told to stop
            logger.error("worker process %d %s while it stopped", self.number, how_it_ended(code), extra=extra)

    async def _run_one(self) -> str:
        self._failure, self._is_ready = None, False
        try:
            self.worker = await spawn(
                self._target,
                self._arguments,
                title=self.title,
                on_message=self._hear,
                log_extra={"process_number": self.number},
            )
        except OSError as error:
            return f"could not be started: {error}"
        logger.debug("worker process %d is process %d", self.number, self.worker.pid)
        # Cancelled here, the process goes on; whoever stops us stops it.
        return how_it_ended(await asyncio.shield(self.worker.ended))

    def _give_up_if_hopeless(self, how: str) -> None:
        if self._failure is not None:
            raise self._failure
        self._silent_starts += 1
        if self._silent_starts == MOST_SILENT_STARTS:
            raise WorkerProcessError(
                f"worker process {self.number} {how} before it was ready, {MOST_SILENT_STARTS} times, without a reason"
            )

    def _hear(self, message: Any) -> None:
        match message:
            case ("ready",):
                self._is_ready = self.was_ready = True
                self._on_ready()
            case ("failed", name, text, details):
                self._failure = _error(name, text, details)


def _error(name: str, text: str, details: dict[str, Any]) -> PgBossError:
    """An error of ours as it was raised in a process; another one in its words."""
    kind = getattr(errors, name, None)
    if not (isinstance(kind, type) and issubclass(kind, PgBossError)):
        return WorkerProcessError(f"{name}: {text}")
    error = kind.__new__(kind, text)
    vars(error).update(details)
    return error
