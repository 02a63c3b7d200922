"""What an instance tells of itself while it runs, whether it takes part in the upkeep or not."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress

from pgboss.core.events import ErrorEvent
from pgboss.core.wip import WipData
from pgboss.errors import PgBossError
from pgboss.maintenance import Registration
from pgboss.runtime.events import Events
from pgboss.runtime.periodic import Periodic, stop_loops
from pgboss.runtime.vitals import LoopDelay

__all__ = ["Presence"]

WIP_SECONDS = 2.0
# A start does not wait longer for its row, nor a stop: the row is nothing that work depends on.
REGISTER_SECONDS = 5.0
LAST_WORD_SECONDS = 1.0

logger = logging.getLogger("pgboss")


class Presence:
    """Tells listeners of the work in progress, every two seconds while there is any, and keeps the instance's row."""

    def __init__(
        self,
        events: Events,
        wip: Callable[[], list[WipData]],
        registration: Registration | None,
        loop_delay: LoopDelay,
        heartbeat_seconds: float,
    ) -> None:
        """Without a ``registration`` there is no row."""
        self._events = events
        self._wip = wip
        self._registration = registration
        self._loop_delay = loop_delay
        self._heartbeat_seconds = heartbeat_seconds
        self._loops: list[Periodic] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._sampling: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Write the row, so that it is there when the start is over, and go on; what fails is told and tried again."""
        self._loops.append(Periodic("telling of work in progress", self._tell_wip, WIP_SECONDS))
        if self._registration is not None:
            self._sampling = asyncio.create_task(self._loop_delay.run(), name="pgboss loop delay")
            with suppress(PgBossError, TimeoutError):  # the loop meets with it again, and tells
                async with asyncio.timeout(REGISTER_SECONDS):
                    await self._registration.run_once()
            name = "writing the row of this instance"
            self._loops.append(
                Periodic(
                    name,
                    self._registration.run_once,
                    self._heartbeat_seconds,
                    on_error=lambda error: self._events.error(ErrorEvent(error, name)),
                )
            )
        self._tasks = [asyncio.create_task(loop.run(), name=f"pgboss {loop.name}") for loop in self._loops]

    async def stop(self) -> None:
        """Stop telling, and say in the row that this was a stop. Without a database the row goes quiet instead."""
        if self._sampling is not None:
            self._sampling.cancel()
        if self._tasks:
            await stop_loops(self._loops, self._tasks)
        if self._registration is not None:
            await self._say_the_last_word(self._registration)

    async def _say_the_last_word(self, registration: Registration) -> None:
        last_word = asyncio.create_task(registration.stop(), name="pgboss last word")
        # Not awaited to its end, not even when cancelled: where nobody answers, psycopg takes its time for that, too.
        await asyncio.wait([last_word], timeout=LAST_WORD_SECONDS)
        try:
            if not last_word.done():
                last_word.cancel()
                raise TimeoutError(f"no answer within {LAST_WORD_SECONDS:g} s")
            last_word.result()
        except (PgBossError, TimeoutError) as error:
            logger.info("the row of this instance could not be marked as stopped: %s", error)

    async def _tell_wip(self) -> None:
        if not self._events.has_listeners("wip"):
            return
        data = self._wip()
        if any(one.count for one in data):
            self._events.emit("wip", data)
