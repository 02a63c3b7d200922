"""Comparing this machine's clock with the database's.

Nothing here depends on the difference: every time is the database's. But people read logs, and Node's instances on
this machine do reckon with it.
"""

from __future__ import annotations

from time import time

from pgboss.core.events import WarningEvent
from pgboss.core.names import SchemaName
from pgboss.drivers.runner import Run
from pgboss.operations import firing
from pgboss.runtime.events import Events

__all__ = ["SkewWatch"]

MOST_SECONDS = 60.0


class SkewWatch:
    """Warns when the two clocks are a minute or more apart."""

    def __init__(self, run: Run, schema: SchemaName, events: Events) -> None:
        self._run = run
        self._schema = schema
        self._events = events

    async def run_once(self) -> float | None:
        """Compare once."""
        database = await self._run(firing.time(self._schema)) / 1000
        skew = database - time()
        if abs(skew) >= MOST_SECONDS:
            self._events.warn(_warning(skew))
        return None


def _warning(skew_seconds: float) -> WarningEvent:
    # Node's word for this machine's clock, seen from the database's.
    direction = "slower" if skew_seconds > 0 else "faster"
    seconds = round(abs(skew_seconds), 3)
    return WarningEvent(
        "clock_skew",
        f"This machine's clock is {seconds:.0f} s {'behind' if skew_seconds > 0 else 'ahead of'} the database's. "
        "Schedules go by the database's.",
        {"seconds": seconds, "direction": direction},
    )
