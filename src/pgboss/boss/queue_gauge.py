"""The gauge of jobs by queue and state, for OpenTelemetry: what the upkeep has counted, read once a minute.

Counting itself is the upkeep's, of whichever instance. Where nobody collects metrics, the counts are read once.
"""

from __future__ import annotations

import asyncio

from pgboss.core.names import SchemaName
from pgboss.drivers.runner import Run
from pgboss.operations.queues import get_queues
from pgboss.runtime.periodic import Periodic, stop_loops
from pgboss.runtime.telemetry import Telemetry

__all__ = ["QueueGauge"]

READ_SECONDS = 60.0


class QueueGauge:
    """Reads the counts for a gauge that is observed by whatever thread exports metrics."""

    def __init__(self, run: Run, schema: SchemaName, telemetry: Telemetry) -> None:
        self._run = run
        self._schema = schema
        self._telemetry = telemetry
        self._loop = Periodic("reading the counts of queues", self.run_once, READ_SECONDS)
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._loop.run(), name="pgboss queue gauge")

    async def run_once(self) -> None:
        """Read the counts, if anybody has looked at the last ones."""
        if self._telemetry.is_observed and self._telemetry.is_live:
            self._telemetry.counted(await self._run(get_queues(self._schema, None)))

    async def stop(self) -> None:
        if self._task is not None:
            await stop_loops([self._loop], [self._task])
