"""The background duties of an instance: each in its periodic loop, started and stopped together."""

from __future__ import annotations

import asyncio

from pgboss.core.names import SchemaName
from pgboss.drivers.runner import Run
from pgboss.maintenance import ExpirySweep, RetentionPass
from pgboss.runtime.periodic import Periodic

__all__ = ["Duties"]

# pg-boss sweeps once a minute at most; a crashed worker's jobs should run again sooner than that.
SWEEP_SECONDS = 15.0
RETENTION_LOOK_SECONDS = 60.0
STOP_GRACE_SECONDS = 1.0
# Cancelling a statement takes psycopg up to 5 s when the server does not answer; nobody waits for that.
CANCEL_GRACE_SECONDS = 1.0


class Duties:
    """Runs the upkeep; several instances, Node's too, share it by locks and claims in the database."""

    def __init__(self, run: Run, schema: SchemaName) -> None:
        self._loops = [
            Periodic("the expiry sweep", ExpirySweep(run, schema).run_once, SWEEP_SECONDS),
            Periodic("the retention pass", RetentionPass(run, schema).run_once, RETENTION_LOOK_SECONDS),
        ]
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        self._tasks = [asyncio.create_task(loop.run(), name=f"pgboss {loop.name}") for loop in self._loops]

    async def stop(self) -> None:
        """Stop after the statement in progress; a pass cut short is taken up by the next."""
        for loop in self._loops:
            loop.stop()
        _, late = await asyncio.wait(self._tasks, timeout=STOP_GRACE_SECONDS)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late, timeout=CANCEL_GRACE_SECONDS)
