"""The one periodic loop: every duty that runs now and again runs in one of these."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable

from pgboss.errors import DatabaseUnavailableError
from pgboss.runtime.backoff import Backoff
from pgboss.runtime.wakeup import Wakeup

__all__ = ["Duty", "Periodic", "stop_loops"]

STOP_GRACE_SECONDS = 1.0
# Cancelling a statement takes psycopg up to 5 s when the server does not answer; nobody waits for that.
CANCEL_GRACE_SECONDS = 1.0

Duty = Callable[[], Awaitable[float | None]]

logger = logging.getLogger("pgboss.runtime")


class Periodic:
    """Runs a duty at once and then every ``interval`` seconds, until stopped.

    The duty may return another number of seconds to wait. No error ends the loop, a bug of ours neither: it is
    logged, once until the duty succeeds again, and the duty is tried again after a growing pause.
    """

    def __init__(
        self, name: str, duty: Duty, interval: float, *, on_error: Callable[[Exception], None] = lambda error: None
    ) -> None:
        """``on_error`` hears of every error, also of those that are logged no more."""
        self.name = name
        self._duty = duty
        self._interval = interval
        self._on_error = on_error
        self._wakeup = Wakeup()
        self._backoff = Backoff()
        self._stopping = False

    def wake(self) -> None:
        """Run the duty now rather than when it is due."""
        self._wakeup.set()

    def stop(self) -> None:
        """End the loop, after the duty in progress."""
        self._stopping = True
        self._wakeup.set()

    async def run(self) -> None:
        """Run until stopped."""
        while not self._stopping:
            seconds = await self._attempt()
            if not self._stopping:
                await self._wakeup.wait(seconds)

    async def _attempt(self) -> float:
        try:
            wanted = await self._duty()
        except Exception as error:  # noqa: BLE001  a loop that died would leave its duty to nobody, in silence
            self._report(error)
            self._on_error(error)
            return self._backoff.pause()
        if self._backoff.is_growing:
            logger.info("%s works again", self.name)
        self._backoff.reset()
        return self._interval if wanted is None else wanted

    def _report(self, error: Exception) -> None:
        if self._backoff.is_growing:
            return
        if isinstance(error, DatabaseUnavailableError):
            logger.warning("%s waits for the database: %s", self.name, error)
        else:
            logger.error("%s failed and will be tried again", self.name, exc_info=error)


async def stop_loops(
    loops: Iterable[Periodic], tasks: Iterable[asyncio.Task[None]], *, grace_seconds: float = STOP_GRACE_SECONDS
) -> None:
    """Stop loops after the turns in progress, which are cancelled when they take longer than the grace."""
    for loop in loops:
        loop.stop()
    _, late = await asyncio.wait(tasks, timeout=grace_seconds)
    for task in late:
        task.cancel()
    if late:
        await asyncio.wait(late, timeout=CANCEL_GRACE_SECONDS)
