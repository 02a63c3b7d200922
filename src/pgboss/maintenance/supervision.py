"""The upkeep as one pass, for those who drive it themselves, and the duties it is made of, for those who let it run.

In the background every duty has a loop of its own: a long walk over old jobs must not keep queues from being counted,
nor dead workers' jobs from being found. A pass that was asked for does them one after the other, in pg-boss's order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pgboss.core.events import WarningEvent
from pgboss.core.instance_options import InstanceOptions, seconds_of
from pgboss.core.names import SchemaName
from pgboss.drivers.runner import Run
from pgboss.maintenance.expiry import ExpirySweep
from pgboss.maintenance.monitor import Monitor
from pgboss.maintenance.pruning import Pruning
from pgboss.maintenance.retention import RetentionPass
from pgboss.maintenance.slow_queries import SlowQueries

__all__ = ["Supervision"]


class Supervision:
    """Monitor, sweeps, retention and pruning of one instance.

    Attributes:
        timed: runs operations, and warns of slow ones.
    """

    def __init__(
        self,
        run: Run,
        schema: SchemaName,
        options: InstanceOptions,
        warn: Callable[[WarningEvent], None],
        *,
        counts: bool = True,
    ) -> None:
        """``counts`` is false on a schema of another version, where only the sweeps have the same rules."""
        timed = SlowQueries(run, warn, threshold_seconds=seconds_of(options.warning_slow_query_seconds))
        self.timed = timed
        self.counts = counts
        self.monitor = Monitor(timed, schema, options, warn)
        self.expiry = ExpirySweep(timed, schema)
        self.retention = RetentionPass(
            timed, schema, maintenance_interval_seconds=seconds_of(options.maintenance_interval_seconds)
        )
        self.pruning = Pruning(timed, schema, options)

    async def run_pass(self, names: Sequence[str] | None = None) -> None:
        """Do everything that is due once: of the named queues, or of all; what others have claimed is theirs.

        Raises:
            DatabaseError: why a duty could not be done; those after it were not tried.
        """
        if self.counts:
            await self.monitor.run_once(names)
        await self.expiry.run_once(names)
        await self.retention.run_once(names)
        if self.counts:
            await self.pruning.run_once()
