"""The pass: what is due is found here, in Python, and filed in the database.

It goes in three steps. A look at the clock of all passes, which is where instances that are not up end. Then the
evaluation, off the event loop, because it is mere computing and there may be thousands of schedules. And one statement
that takes the turn and files the findings, or does neither: another instance was first, and files the same.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import monotonic

from pgboss.core.due import Broken, find_due
from pgboss.core.events import WarningEvent
from pgboss.core.names import SchemaName
from pgboss.drivers.runner import Run
from pgboss.operations import firing
from pgboss.runtime.events import Events

__all__ = ["CronPass"]

LONGEST_BEAT_SECONDS = 1.0


class CronPass:
    """Finds what is due, when the turn is ours."""

    def __init__(
        self, run: Run, schema: SchemaName, events: Events, *, interval_seconds: float, on_filed: Callable[[], None]
    ) -> None:
        """``on_filed`` is called when there is something new to deliver."""
        self._run = run
        self._schema = schema
        self._events = events
        self._interval_seconds = interval_seconds
        self._on_filed = on_filed
        self._warned: set[tuple[str, str, str, str | None]] = set()

    async def run_once(self) -> float | None:
        """Make a pass if it is time for one; returns how many seconds to wait for the next.

        Raises:
            DatabaseError: a statement failed; what was due is still due at the next pass.
        """
        turn, rows = await self._run(firing.look(self._schema, self._interval_seconds))
        if turn.elapsed is not None and turn.elapsed < self._interval_seconds:
            return self._until_due(turn.elapsed)
        due = await asyncio.to_thread(find_due, rows, turn.now, turn.last_pass)
        filed = await self._run(firing.fire(self._schema, self._interval_seconds, turn, due))
        if filed is None:
            return self._until_due(0)
        begun_at = monotonic()
        if filed:
            self._on_filed()
        self._warn(due.broken)
        await self._run(firing.relabel(self._schema, due))
        # Measured from the claim, so that two passes are an interval apart and not more.
        return max(0.0, self._interval_seconds - (monotonic() - begun_at))

    def _until_due(self, elapsed_seconds: float) -> float:
        """Until the next turn, and a beat: whoever has had the last one comes first."""
        beat = min(LONGEST_BEAT_SECONDS, self._interval_seconds / 4)
        return max(0.0, self._interval_seconds - elapsed_seconds) + beat

    def _warn(self, broken: list[Broken]) -> None:
        """Once, until it is mended: a broken schedule stays so, and passes are many."""
        for one in broken:
            if one.identity not in self._warned:
                self._events.warn(_warning(one))
        self._warned = {one.identity for one in broken}


def _warning(broken: Broken) -> WarningEvent:
    row = broken.row
    named = f"{row.name!r}{f' (key {row.key!r})' if row.key else ''}"
    what = "cannot be evaluated and is skipped" if broken.is_skipped else "cannot be caught up on what it missed"
    return WarningEvent(
        "invalid_schedule",
        f"The schedule of queue {named} {what}: {broken.reason}",
        {"queue": row.name, "key": row.key, "cron": row.cron, "timezone": row.timezone},
    )
