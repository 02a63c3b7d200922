"""The row of an instance: written when it starts and with every heartbeat, whether it takes part in the upkeep or not.

A process that crashes cannot say so: it goes quiet. So at its start an instance counts the lives of its name and host
right before it that ended without a stop. One that was still writing a moment ago may as well be a sibling; it is
judged again when it would have gone quiet. Nothing waits for this row, and what cannot be written is tried again.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from math import inf
from time import monotonic
from uuid import UUID

from pgboss.core.instance import InstanceReport
from pgboss.core.names import SchemaName
from pgboss.drivers.runner import Run
from pgboss.operations import instances
from pgboss.runtime.vitals import process_age_seconds

__all__ = ["Registration"]

# Beyond the moment at which a life goes quiet, and at least.
JUDGE_LATER_SECONDS = 1.0


class Registration:
    """Keeps the row of one instance."""

    def __init__(self, run: Run, schema: SchemaName, id: UUID, report: Callable[[], InstanceReport]) -> None:
        """``report`` says what to write, and measures for it."""
        self._run = run
        self._schema = schema
        self._id = id
        self._report = report
        self._started_on: datetime | None = None
        self._beat_at = 0.0
        self._judge_at = inf

    async def run_once(self) -> float | None:
        """Write what is due; returns the seconds until the next turn.

        Raises:
            DatabaseError: it could not be written.
        """
        if monotonic() >= self._beat_at:
            await self._write()
        if monotonic() >= self._judge_at:
            await self._judge()
        return max(0.0, min(self._beat_at, self._judge_at) - monotonic())

    async def stop(self) -> None:
        """Write that it was stopped.

        Raises:
            DatabaseError: it could not be written; the row will go quiet.
        """
        if self._started_on is not None:
            await self._run(instances.stop(self._schema, self._id))

    async def _write(self) -> None:
        report = self._report()
        if self._started_on is None:
            self._started_on = await self._run(instances.register(self._schema, report))
            self._judge_at = 0.0
        else:
            await self._run(instances.beat(self._schema, report, self._started_on))
        self._beat_at = monotonic() + report.heartbeat_seconds

    async def _judge(self) -> None:
        seconds = await self._run(instances.count_crashes(self._schema, self._id, process_age_seconds()))
        # After the count, which goes on from the earliest life that is left.
        await self._run(instances.prune_lives(self._schema, self._id))
        later = inf if seconds is None else max(JUDGE_LATER_SECONDS, seconds + JUDGE_LATER_SECONDS)
        self._judge_at = monotonic() + later
