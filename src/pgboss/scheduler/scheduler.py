"""What an instance runs to take part in firing schedules, started and stopped together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial

from pgboss.core.events import ErrorEvent
from pgboss.core.instance_options import InstanceOptions, seconds_of
from pgboss.core.names import SchemaName
from pgboss.core.queue import QueueCatalog
from pgboss.drivers.runner import Run
from pgboss.runtime.events import Events
from pgboss.runtime.periodic import Duty, Periodic, stop_loops
from pgboss.scheduler.cron_pass import CronPass
from pgboss.scheduler.delivery import Delivery
from pgboss.scheduler.skew import SkewWatch

__all__ = ["Scheduler"]

STOP_GRACE_SECONDS = 2.0


class Scheduler:
    """Runs passes and deliveries; the queue for deliveries must be there."""

    def __init__(
        self,
        run: Run,
        schema: SchemaName,
        catalog: Callable[[], QueueCatalog],
        options: InstanceOptions,
        events: Events,
    ) -> None:
        def periodic(name: str, duty: Duty, interval: int) -> Periodic:
            return Periodic(name, duty, interval, on_error=partial(_tell, events, name))

        pass_seconds = seconds_of(options.cron_monitor_interval_seconds)
        delivering = periodic(
            "the delivery of schedules",
            Delivery(run, catalog, events).run_once,
            seconds_of(options.cron_worker_interval_seconds),
        )
        cron_pass = CronPass(run, schema, events, interval_seconds=pass_seconds, on_filed=delivering.wake)
        self._loops = [
            periodic(
                "comparing the clocks",
                SkewWatch(run, schema, events).run_once,
                seconds_of(options.clock_monitor_interval_seconds),
            ),
            delivering,
            periodic("the pass over schedules", cron_pass.run_once, pass_seconds),
        ]
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        self._tasks = [asyncio.create_task(loop.run(), name=f"pgboss {loop.name}") for loop in self._loops]

    async def stop(self) -> None:
        """Stop after the statement in progress; one that is cut short leaves nothing half done."""
        if self._tasks:
            await stop_loops(self._loops, self._tasks, grace_seconds=STOP_GRACE_SECONDS)


def _tell(events: Events, name: str, error: Exception) -> None:
    events.error(ErrorEvent(error, name))
