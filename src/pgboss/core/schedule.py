"""Schedules: the declaration a program makes, the row as people see it, and what is stored of either.

docs/compatibility.md, "Schedules".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal, TypeAlias, Unpack
from uuid import UUID

from pgboss.core.names import check_queue_name
from pgboss.core.options import SendKeywords, SendOptions
from pgboss.core.query import Rows
from pgboss.core.recurrence import Kind, Recurrence, kind_of, read
from pgboss.core.wire import JSON, camel_case, loads
from pgboss.errors import ValidationError

__all__ = [
    "MISSED",
    "UTC_NAME",
    "Missed",
    "Schedule",
    "ScheduleDetails",
    "check_key",
    "occurrence_key",
    "schedules_from",
    "send_options_of",
    "slot_of",
]

Missed: TypeAlias = Literal["skip", "once"]
MISSED: Final = ("skip", "once")
UTC_NAME: Final = "UTC"
SLOT_MILLISECONDS: Final = 60_000


class Schedule:
    """When a queue gets a job by itself, again and again: ``Schedule("0 6 * * *", tz="Europe/Zurich")``."""

    __slots__ = ("data", "expression", "key", "missed", "options", "tz")

    def __init__(
        self,
        expression: str,
        data: JSON = None,
        *,
        key: str = "",
        tz: str | None = None,
        missed: Missed | None = None,
        **options: Unpack[SendKeywords],
    ) -> None:
        """Say when, and with what.

        Args:
            expression: a cron expression of 5 fields, or 6 with seconds; or a recurrence rule such as
                ``FREQ=MONTHLY;BYDAY=-1FR;BYHOUR=17``.
            data: the payload of every job.
            key: sets schedules of one queue apart from one another.
            tz: the time zone, by its IANA name; UTC when nothing is said.
            missed: what to do about occurrences that no instance was there to see: ``skip`` them, or send ``once``
                for the last of them. ``skip`` when nothing is said.
            **options: of the jobs, as in ``send``.

        Raises:
            ValidationError: something of it is out of its range, or the expression cannot be read.
        """
        if missed is not None and missed not in MISSED:
            raise ValidationError(f"missed must be one of {', '.join(MISSED)}, not {missed!r}.")
        if "id" in options:
            raise ValidationError("A schedule makes one job after the other, so it cannot give them an id.")
        self.expression = expression
        self.data = data
        self.key = check_key(key)
        self.tz = tz
        self.missed = missed
        self.options = SendOptions(**options)
        # Whoever makes a schedule hears at once of an expression that cannot be read.
        self.recurrence()

    def __repr__(self) -> str:
        return f"Schedule({self.expression!r}{f', tz={self.tz!r}' if self.tz else ''})"

    @property
    def kind(self) -> Kind:
        """What its expression is written as."""
        return kind_of(self.expression)

    @property
    def timezone(self) -> str:
        """The zone that is stored."""
        return self.tz or UTC_NAME

    def recurrence(self) -> Recurrence:
        """Its expression, read."""
        return read(self.expression, self.timezone)

    def stored_options(self) -> dict[str, JSON]:
        """What the row keeps of its options, by pg-boss's names."""
        own = {"tz": self.tz, "key": self.key or None, "missed": self.missed}
        return {name: value for name, value in own.items() if value is not None} | _send_options(self.options)


@dataclass(frozen=True, slots=True)
class ScheduleDetails:
    """A schedule as it is stored.

    Attributes:
        name: the queue that gets the jobs.
        key: what sets it apart from other schedules of the queue; mostly empty.
        kind: how the expression is written.
        expression: pg-boss's column ``cron``, whichever kind it is.
        timezone: ``None`` only in rows that something else than pg-boss has written.
        options: those of the jobs, and ``tz``, ``key`` and ``missed`` as far as they were given; in pg-boss's names.
        last_job_id: the job that was made last.
    """

    name: str
    key: str
    kind: Kind
    expression: str
    timezone: str | None
    data: JSON
    options: JSON
    created_on: datetime
    updated_on: datetime
    last_job_id: UUID | None

    @property
    def missed(self) -> Missed:
        """What happens about occurrences that no instance was there to see."""
        asked = self.options.get("missed") if isinstance(self.options, dict) else None
        return "once" if asked == "once" else "skip"


_COLUMN_OF = {"expression": "cron"}
_JSON_FIELDS = frozenset({"data", "options"})


def schedule_columns(alias: str) -> str:
    """The select list from which :func:`schedules_from` makes schedules."""
    columns = ((field.name, f"{alias}.{_COLUMN_OF.get(field.name, field.name)}") for field in fields(ScheduleDetails))
    # As text, because drivers decode jsonb each in its own way.
    return ", ".join(f"{column}::text" if name in _JSON_FIELDS else column for name, column in columns)


def schedules_from(rows: Rows) -> list[ScheduleDetails]:
    json_at = [index for index, field in enumerate(fields(ScheduleDetails)) if field.name in _JSON_FIELDS]
    found = []
    for row in rows.values:
        values = list(row)
        for index in json_at:
            values[index] = loads(values[index])
        found.append(ScheduleDetails(*values))
    return found


def check_key(key: object) -> str:
    """Return the key if Node would take it too: empty, or made like the name of a queue."""
    return "" if key == "" else check_queue_name(key, what="key of the schedule")


def occurrence_key(name: str, key: str) -> str:
    """The singleton key under which all instances file the occurrences of a schedule."""
    # Node's form. Without the backslash, other names and keys could come together to the same text.
    return name.replace("_", "\\_") + "__" + key


def slot_of(instant_milliseconds: int) -> str:
    """The minute in which an occurrence falls, as text in UTC: there is one job a minute."""
    start = instant_milliseconds - instant_milliseconds % SLOT_MILLISECONDS
    at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=start)
    return at.strftime("%Y-%m-%d %H:%M:%S")


def _send_options(options: SendOptions) -> dict[str, JSON]:
    given = options.given()
    group = {part: given.pop(f"group_{part}") for part in ("id", "tier") if f"group_{part}" in given}
    stored: dict[str, JSON] = {camel_case(name): _plain(value) for name, value in given.items()}
    return stored | ({"group": group} if group else {})


def _plain(value: Any) -> JSON:
    if isinstance(value, timedelta):
        seconds = value.total_seconds()
        return int(seconds) if seconds.is_integer() else seconds
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z") if isinstance(value, datetime) else value


_SEND_NAMES = {
    camel_case(name): name for name in SendKeywords.__annotations__ if name not in ("id", "group_id", "group_tier")
}


def send_options_of(stored: object) -> SendOptions:
    """The options of the jobs, from those of a schedule's row; what is none of them is passed over.

    Raises:
        ValidationError: one is out of its range.
    """
    if not isinstance(stored, Mapping):
        return SendOptions()
    given: dict[str, Any] = {name: stored[wire] for wire, name in _SEND_NAMES.items() if stored.get(wire) is not None}
    group = stored.get("group")
    if isinstance(group, Mapping):
        given |= {f"group_{part}": group[part] for part in ("id", "tier") if group.get(part) is not None}
    return SendOptions(**given)
