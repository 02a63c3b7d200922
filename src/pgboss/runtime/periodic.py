"""The one periodic loop: every duty that runs now and again runs in one of these."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from pgboss.errors import DatabaseUnavailableError
from pgboss.runtime.backoff import Backoff
from pgboss.runtime.wakeup import Wakeup

__all__ = ["Periodic"]

Duty = Callable[[], Awaitable[float | None]]

logger = logging.getLogger("pgboss.runtime")


class Periodic:
    """Runs a duty at once and then every ``interval`` seconds, until stopped.

    The duty may return another number of seconds to wait. No error ends the loop, a bug of ours neither: it is
    logged, once until the duty succeeds again, and the duty is tried again after a growing pause.
    """

    def __init__(self, name: str, duty: Duty, interval: float) -> None:
        self.name = name
        self._duty = duty
        self._interval = interval
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
