"""What migrations have put off, run by instances that may migrate, whether or not they take part in the upkeep.

Apart from the other duties, because a stop gives a command under way the time that it gives to handlers.
"""

from __future__ import annotations

import asyncio
import logging
from functools import partial

from pgboss.core.events import ErrorEvent
from pgboss.core.instance_options import InstanceOptions, seconds_of
from pgboss.core.names import SchemaName
from pgboss.drivers.database import AnyAsyncDatabase
from pgboss.maintenance import BamRunner
from pgboss.runtime.events import Events
from pgboss.runtime.periodic import Periodic

__all__ = ["Builds"]

NAME = "the runner of background commands"
# A command takes a connection for as long as it takes; another must be left for everything else.
FEWEST_CONNECTIONS = 2
# For cancelling the command, and writing that it was.
CANCEL_GRACE_SECONDS = 3.0

logger = logging.getLogger("pgboss")


class Builds:
    """Runs the commands in the table ``bam``, until stopped."""

    def __init__(
        self, database: AnyAsyncDatabase, schema: SchemaName, options: InstanceOptions, events: Events
    ) -> None:
        interval_seconds = seconds_of(options.bam_interval_seconds)
        self._has_room = database.pool_size >= FEWEST_CONNECTIONS
        self._runner = BamRunner(database, schema, events, interval_seconds=interval_seconds)
        self._loop = Periodic(NAME, self._runner.run_once, interval_seconds, on_error=partial(_tell, events))
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        if self._has_room:
            self._task = asyncio.create_task(self._loop.run(), name=f"pgboss {NAME}")
        else:
            logger.info("Index builds in the background need a pool of two connections: this instance runs none.")

    async def stop(self, timeout_seconds: float, hurry: asyncio.Event) -> None:
        """Begin no further command, and leave the one under way after the timeout, or as soon as ``hurry`` is set."""
        self._runner.stop()
        self._loop.stop()
        task, self._task = self._task, None
        if task is None:
            return
        hurried = asyncio.create_task(hurry.wait())
        await asyncio.wait([task, hurried], timeout=timeout_seconds, return_when=asyncio.FIRST_COMPLETED)
        hurried.cancel()
        if not task.done():
            task.cancel()
            await asyncio.wait([task], timeout=CANCEL_GRACE_SECONDS)


def _tell(events: Events, error: Exception) -> None:
    events.error(ErrorEvent(error, NAME))
