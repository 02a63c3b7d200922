"""The background duties of an instance: each in its periodic loop, started and stopped together."""

from __future__ import annotations

import asyncio
from functools import partial

from pgboss.boss.upkeep import Upkeep
from pgboss.core.events import ErrorEvent
from pgboss.core.instance_options import InstanceOptions, seconds_of
from pgboss.core.names import SchemaName
from pgboss.drivers.runner import Run
from pgboss.maintenance import FlowResolver
from pgboss.runtime.events import Events
from pgboss.runtime.periodic import Duty, Periodic, stop_loops

__all__ = ["Duties"]

# pg-boss sweeps once a minute at most; a crashed worker's jobs should run again sooner than that.
SWEEP_SECONDS = 15.0


class Duties:
    """Runs the upkeep; several instances, Node's too, share it by locks and claims in the database."""

    def __init__(self, run: Run, schema: SchemaName, options: InstanceOptions, events: Events, upkeep: Upkeep) -> None:
        self._resolver = FlowResolver(
            run,
            schema,
            interval_seconds=seconds_of(options.flow_interval_seconds),
            on_resolved=partial(events.emit, "flow"),
        )
        supervise_seconds = seconds_of(options.supervise_interval_seconds)
        supervision = upkeep.supervision

        def periodic(name: str, duty: Duty, interval: float) -> Periodic:
            return Periodic(name, duty, interval, on_error=partial(_tell, events, name))

        self._resolving = periodic(
            "the flow resolver", self._resolver.run_once, seconds_of(options.flow_interval_seconds)
        )
        self._loops = [
            periodic("the expiry sweep", supervision.expiry.run_once, SWEEP_SECONDS),
            periodic("the retention pass", supervision.retention.run_once, supervise_seconds),
            self._resolving,
        ]
        if upkeep.is_current:
            self._loops += [
                periodic("the monitor", supervision.monitor.run_once, supervise_seconds),
                periodic("the pruning", supervision.pruning.run_once, supervise_seconds),
                periodic("the index pass", upkeep.reindex.run_once, supervise_seconds),
            ]
        if upkeep.vacuum is not None:
            self._loops.append(periodic("the vacuum watch", upkeep.vacuum.run_once, supervise_seconds))
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        self._tasks = [asyncio.create_task(loop.run(), name=f"pgboss {loop.name}") for loop in self._loops]

    def parents_completed(self, queue: str) -> None:
        """Free the jobs that waited for some of this queue, now rather than at the resolver's next turn."""
        self._resolver.parents_completed(queue)
        self._resolving.wake()

    async def stop(self) -> None:
        """Stop after the statement in progress; a pass cut short is taken up by the next."""
        await stop_loops(self._loops, self._tasks)


def _tell(events: Events, name: str, error: Exception) -> None:
    events.error(ErrorEvent(error, name))
