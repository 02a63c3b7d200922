"""When a schedule comes next: in its own zone, and as an instant that browsers show in the viewer's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

from pgboss.core.recurrence import read
from pgboss.core.schedule import UTC_NAME
from pgboss.errors import ValidationError
from pgboss.web.site import Site

__all__ = ["NextRuns", "Run", "next_runs"]

COUNT = 10


@dataclass(frozen=True, slots=True)
class Run:
    """One occurrence; ``wall`` is what clocks say in the schedule's zone."""

    at: datetime
    wall: datetime


@dataclass(frozen=True, slots=True)
class NextRuns:
    """The next occurrences of an expression, or why there are none to show."""

    zone: str = UTC_NAME
    runs: Sequence[Run] = ()
    problem: str | None = None


async def next_runs(site: Site, expression: str, tz: str | None, connection: Any, *, count: int = COUNT) -> NextRuns:
    """The next occurrences from now on, by the database's clock."""
    try:
        found = await site.boss.preview_schedule(expression, tz=tz, count=count, connection=connection)
        zone = read(expression, tz or UTC_NAME).zone
    except ValidationError as error:
        return NextRuns(problem=str(error))
    return NextRuns(zone.name, [Run(at, _wall(at, zone.offset_at(int(at.timestamp())))) for at in found])


def _wall(at: datetime, offset_seconds: int) -> datetime:
    return at.astimezone(timezone(timedelta(seconds=offset_seconds)))
