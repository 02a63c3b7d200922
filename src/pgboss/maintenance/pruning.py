"""Removing old warnings and old statistics, for instances that store them, and what dead instances have left.

Warnings and statistics that an instance does not store it does not prune: others may keep them for longer.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from pgboss.core.instance_options import InstanceOptions
from pgboss.core.names import SchemaName
from pgboss.drivers.runner import Run
from pgboss.operations import instances, queue_stats, warnings

__all__ = ["Pruning"]


class Pruning:
    """Removes warnings and snapshots that are older than the instance keeps them, and rows of dead instances."""

    def __init__(self, run: Run, schema: SchemaName, options: InstanceOptions) -> None:
        self._run = run
        self._schema = schema
        self._options = options

    async def run_once(self) -> float | None:
        """Remove what is old, in batches; of partitioned statistics whole days."""
        if self._options.persist_warnings:
            while not await self._run(warnings.delete_old(self._schema, self._options.warning_retention_days)):
                pass
        if self._options.persist_queue_stats:
            await self._prune_stats(self._options.queue_stat_retention_days)
        await self._run(instances.prune(self._schema))
        return None

    async def _prune_stats(self, days: int) -> None:
        if await self._run(queue_stats.is_partitioned(self._schema)):
            for name in await self._run(queue_stats.old_days(self._schema, days)):
                await self._run(queue_stats.drop_day(self._schema, name))
            return
        after: tuple[datetime, UUID] | None = None
        while (after := await self._run(queue_stats.delete_old(self._schema, days, after))) is not None:
            pass
