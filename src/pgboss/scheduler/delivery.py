"""The delivery: each occurrence that a pass has filed becomes the job that its schedule describes.

Node does this with a worker. Here a batch is claimed, sent and completed in one transaction, so that an instance that
dies in the middle has done nothing, and the occurrences are there for the next one at once.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from pgboss.core.events import ErrorEvent
from pgboss.core.queue import QueueCatalog
from pgboss.drivers.runner import Run
from pgboss.operations import firing
from pgboss.runtime.events import Events

__all__ = ["Delivery"]

logger = logging.getLogger("pgboss.scheduler")


class Delivery:
    """Sends what is due."""

    def __init__(self, run: Run, catalog: Callable[[], QueueCatalog], events: Events) -> None:
        self._run = run
        self._catalog = catalog
        self._events = events

    async def run_once(self) -> float | None:
        """Send all that is there, in batches.

        Raises:
            DatabaseError: a batch could not be sent; it is still there.
        """
        while True:
            delivered = await self._run(firing.deliver(self._catalog()))
            for queue, error in delivered.failures:
                self._report(queue, error)
            if delivered.taken < firing.BATCH:
                return None

    def _report(self, queue: str | None, error: Exception) -> None:
        logger.error("an occurrence of a schedule of queue %s could not be sent: %s", queue, error)
        self._events.error(ErrorEvent(error, "the delivery of schedules", queue))
