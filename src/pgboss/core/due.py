"""What a pass over all schedules finds to send: pure, so that it is the same on whichever instance has the turn.

A pass looks at the last minute. Passes come more often than that, so they see most occurrences twice; that each is
sent once is the work of its slot, a minute that only one job of a schedule can take (docs/compatibility.md,
"Firing schedules").
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from pgboss.core.recurrence import CRON, RRULE, Kind, Recurrence, kind_of, read
from pgboss.core.schedule import UTC_NAME, occurrence_key, slot_of
from pgboss.errors import ValidationError

__all__ = ["Broken", "Due", "Occurrence", "ScheduleRow", "find_due"]

WINDOW_MILLISECONDS = 60_000


@dataclass(frozen=True, slots=True)
class ScheduleRow:
    """What a pass reads of a schedule; ``created`` in milliseconds."""

    name: str
    key: str
    kind: str
    cron: str
    timezone: str | None
    missed: str | None
    created: int


@dataclass(frozen=True, slots=True)
class Occurrence:
    """A job to be sent, and the minute that it takes."""

    name: str
    key: str
    cron: str
    singleton_key: str
    slot: str


@dataclass(frozen=True, slots=True)
class Broken:
    """A schedule that cannot be evaluated, or not caught up on, and why."""

    row: ScheduleRow
    reason: str
    is_skipped: bool

    @property
    def identity(self) -> tuple[str, str, str, str | None]:
        """What must change before it is worth another warning."""
        return self.row.name, self.row.key, self.row.cron, self.row.timezone


@dataclass(slots=True)
class Due:
    """The findings of a pass.

    Attributes:
        relabelled: schedules whose row calls them another kind than they are written in, with the kind they are.
    """

    occurrences: list[Occurrence] = field(default_factory=list)
    relabelled: list[tuple[ScheduleRow, Kind]] = field(default_factory=list)
    broken: list[Broken] = field(default_factory=list)


def find_due(rows: Iterable[ScheduleRow], now: int, last_pass: int | None) -> Due:
    """Evaluate schedules at a time; all times in milliseconds.

    Args:
        rows: the schedules.
        now: the database's time.
        last_pass: when the last pass of any instance began, if there was one.
    """
    due = Due()
    for row in rows:
        try:
            recurrence, kind = _read(row)
            found = recurrence.due(now - WINDOW_MILLISECONDS, now)
        except (ValidationError, OverflowError) as error:
            due.broken.append(Broken(row, str(error), is_skipped=True))
            continue
        if kind != row.kind:
            due.relabelled.append((row, kind))
        instants = [*_missed(row, recurrence, now, last_pass, due), *found]
        # Two occurrences within a minute are one job.
        for slot in dict.fromkeys(map(slot_of, instants)):
            due.occurrences.append(Occurrence(row.name, row.key, row.cron, occurrence_key(row.name, row.key), slot))
    return due


def _read(row: ScheduleRow) -> tuple[Recurrence, Kind]:
    """Read the expression as its row says, or else as it is written: older releases leave a wrong kind behind."""
    kind: Kind = RRULE if row.kind == RRULE else CRON
    timezone: Any = UTC_NAME if row.timezone is None else row.timezone
    try:
        return read(row.cron, timezone, kind), kind
    except ValidationError:
        written = kind_of(row.cron)
        if written == kind:
            raise
        return read(row.cron, timezone, written), written


def _missed(row: ScheduleRow, recurrence: Recurrence, now: int, last_pass: int | None, due: Due) -> Iterator[int]:
    """The last occurrence in the gap between the last pass and this one's minute, if the schedule catches up."""
    if row.missed != "once" or last_pass is None:
        return
    begin, end = max(last_pass, row.created), now - WINDOW_MILLISECONDS
    if begin >= end:
        return
    try:
        found = recurrence.latest(begin, end)
    except (ValidationError, OverflowError) as error:
        due.broken.append(Broken(row, str(error), is_skipped=False))
        return
    if found is not None:
        yield found
