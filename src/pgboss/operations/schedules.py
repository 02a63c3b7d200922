"""Making, reading and removing schedules, and previewing expressions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from pgboss.core.checks import check_integer, text
from pgboss.core.names import SchemaName, check_queue_name
from pgboss.core.query import Steps
from pgboss.core.recurrence import RRULE, read
from pgboss.core.schedule import UTC_NAME, Schedule, ScheduleDetails, check_key, schedules_from
from pgboss.core.sqlstate import FOREIGN_KEY_VIOLATION
from pgboss.core.wire import JSON, dumps, loads
from pgboss.errors import DatabaseError, ValidationError
from pgboss.operations.queues import MAX_LISTED, queue_not_found
from pgboss.operations.send import refuse_large
from pgboss.schema.history import require
from pgboss.sql import schedules as sql

__all__ = [
    "MOST_PREVIEWED",
    "declare",
    "get_schedule",
    "get_schedules",
    "preview_schedule",
    "schedule",
    "unschedule",
    "upcoming",
]

MOST_PREVIEWED = 1000
# Beyond these, zones and calendars end.
EARLIEST, LATEST = datetime(1900, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def schedule(schema: SchemaName, name: str, wanted: Schedule, data: JSON, max_payload_bytes: int) -> Steps[None]:
    """Create a schedule, or change the one that has the same queue and key."""
    check_queue_name(name)
    _require_kinds(schema)
    refuse_large(data, max_payload_bytes)
    yield from _refuse_spent(schema, wanted)
    yield from _store(schema, name, wanted, data)


def declare(
    schema: SchemaName, wanted: Sequence[tuple[str, Schedule, JSON]], max_payload_bytes: int
) -> Steps[list[tuple[str, Schedule]]]:
    """Store those schedules, of queues by name, that are not stored so already; returns what has no occurrence left."""
    spent = []
    for name, one, data in wanted:
        stored = yield from get_schedule(schema, name, one.key)
        if stored is not None and _is_same(stored, one, data):
            continue
        try:
            yield from schedule(schema, name, one, data, max_payload_bytes)
        except _SpentError:
            spent.append((name, one))
    return spent


def unschedule(schema: SchemaName, name: str, key: str) -> Steps[bool]:
    """Delete a schedule; returns whether there was one."""
    check_queue_name(name)
    return len((yield sql.unschedule(schema, name, check_key(key)))) > 0


def get_schedule(schema: SchemaName, name: str, key: str) -> Steps[ScheduleDetails | None]:
    """Read one schedule, or ``None``."""
    check_queue_name(name)
    _require_kinds(schema)
    found = schedules_from((yield sql.find(schema, name, check_key(key))))
    return found[0] if found else None


def get_schedules(
    schema: SchemaName,
    name: str | None,
    key: str | None,
    *,
    after: tuple[str, str] | None,
    limit: int | None,
) -> Steps[list[ScheduleDetails]]:
    """Read schedules, in the order of queue and key."""
    _require_kinds(schema)
    if name is not None:
        check_queue_name(name)
    if key is not None:
        if name is None:
            raise ValidationError(f"key ({key!r}) sets schedules of one queue apart: name the queue, too.")
        check_key(key)
    if after is not None:
        after = _place(after)
    if limit is not None:
        check_integer("limit", limit, 1, MAX_LISTED)
    return schedules_from((yield sql.find(schema, name, key, after=after, limit=limit)))


def _require_kinds(schema: SchemaName) -> None:
    require(schema, "schedule.kind", "Schedules")


def preview_schedule(
    schema: SchemaName,
    expression: str,
    tz: str | None,
    after: datetime | None,
    count: int,
    is_late: Callable[[], bool],
) -> Steps[list[datetime]]:
    """The next occurrences of an expression; the database is asked for the time alone, and only without ``after``."""
    begin = (yield sql.time(schema)).scalar() if after is None else _milliseconds(after)
    return _upcoming(expression, tz, begin, count, is_late)


def upcoming(
    expression: str, tz: str | None, after: datetime, count: int, is_late: Callable[[], bool]
) -> list[datetime]:
    """The next occurrences of an expression after a time, in UTC, without any database."""
    return _upcoming(expression, tz, _milliseconds(after), count, is_late)


def _upcoming(expression: str, tz: str | None, begin: int, count: int, is_late: Callable[[], bool]) -> list[datetime]:
    recurrence = read(expression, tz or UTC_NAME)
    check_integer("count", count, 1, MOST_PREVIEWED)
    found: list[datetime] = []
    for instant in recurrence.later_than(begin):
        found.append(_EPOCH + timedelta(milliseconds=instant))
        if len(found) == count:
            break
        if is_late():
            raise ValidationError(
                f"Only {len(found)} of {count} occurrences of {expression!r} were found within a second. Ask for "
                "fewer, and for those after the last one next."
            )
    return found


class _SpentError(ValidationError):
    """A rule without an occurrence left."""


def _refuse_spent(schema: SchemaName, wanted: Schedule) -> Steps[None]:
    """Nobody would notice a rule that never sends anything."""
    if wanted.kind != RRULE:
        return
    now = (yield sql.time(schema)).scalar()
    if next(wanted.recurrence().later_than(now), None) is None:
        raise _SpentError(f"The recurrence rule has no occurrence left, so it would never send a job: {wanted!r}.")


def _store(schema: SchemaName, name: str, wanted: Schedule, data: JSON) -> Steps[None]:
    query = sql.schedule(
        schema,
        name,
        wanted.key,
        wanted.kind,
        text("expression", wanted.expression),
        wanted.timezone,
        dumps(data),
        dumps(wanted.stored_options(), what="options of the schedule"),
    )
    try:
        yield replace(query, guarded=True)
    except DatabaseError as error:
        if error.sqlstate == FOREIGN_KEY_VIOLATION:
            raise queue_not_found(name) from error
        raise


def _is_same(stored: ScheduleDetails, wanted: Schedule, data: JSON) -> bool:
    """Whether writing it again would change nothing; compared as JSON, because a list may have been a tuple."""
    return (stored.expression, stored.kind, stored.timezone) == (wanted.expression, wanted.kind, wanted.timezone) and (
        _as_stored(stored.data) == _as_stored(data)
        and _as_stored(stored.options) == _as_stored(wanted.stored_options())
    )


def _as_stored(value: JSON) -> JSON:
    return loads(dumps(value))


def _place(after: object) -> tuple[str, str]:
    if isinstance(after, tuple) and len(after) == 2 and all(isinstance(part, str) for part in after):
        return text("after", after[0]), text("after", after[1])
    raise ValidationError(f"after must be the last schedule of the page before, or its queue and key, not {after!r}.")


def _milliseconds(after: object) -> int:
    if not isinstance(after, datetime) or after.tzinfo is None:
        raise ValidationError(f"after must be a datetime with a time zone, not {after!r}.")
    if not EARLIEST <= after <= LATEST:
        raise ValidationError(f"after must be from {EARLIEST:%Y} to {LATEST:%Y}, not {after!r}.")
    return (after - _EPOCH) // timedelta(milliseconds=1)
