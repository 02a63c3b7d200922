"""Recurrence rules of iCalendar, read as strictly as pg-boss does: docs/compatibility.md, "Recurrence rules".

Here text becomes a :class:`Rule`; ``core/rrule_walk.py`` finds its occurrences. A mistyped part is refused rather than
passed over: a rule that runs at another time than its author meant is worse than none.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from datetime import time as clock
from functools import lru_cache
from typing import Any, Final

from pgboss.core.zones import HOUR_SECONDS, MINUTE_SECONDS, Zone, day_of, zone_named
from pgboss.errors import ValidationError

__all__ = ["Rule", "looks_like_rrule", "read_rrule"]

FREQUENCIES: Final = ("YEARLY", "MONTHLY", "WEEKLY", "DAILY", "HOURLY", "MINUTELY", "SECONDLY")
WEEKDAYS: Final = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
PROPERTIES: Final = ("DTSTART", "RRULE", "RDATE", "EXDATE")
# A rule counts its intervals from DTSTART. Without one it counts from here, in the schedule's own zone.
ANCHOR = "19700101T000000"

_SHAPE = re.compile(r"^[ \t]*[a-z][a-z0-9-]*[;:]|(?:^|[\s;])FREQ=", re.ASCII | re.IGNORECASE | re.MULTILINE)
_PROPERTY = re.compile(r"([a-z][a-z0-9-]*)[;:]", re.ASCII | re.IGNORECASE)
_FOLD = re.compile(r"\r?\n[ \t]")
_LINE_END = re.compile(r"\r?\n")
_INTEGER = re.compile(r"[+-]?\d+", re.ASCII)
_WEEKDAY = re.compile(rf"([+-]?\d{{1,2}})?({'|'.join(WEEKDAYS)})", re.ASCII)
_DATE = re.compile(r"\d{8}", re.ASCII)
_TIME = re.compile(r"(\d{8})T(\d\d)(?:(\d\d)(\d\d)?)?", re.ASCII)
_UTC_TIME = re.compile(r"(\d{8})T(\d\d)(\d\d)(\d\d)Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class Weekday:
    """A weekday, Monday being 1, and which one of the month or year, or each when 0."""

    day: int
    position: int = 0


@dataclass(frozen=True, slots=True)
class Rule:
    """A recurrence rule; a part that was left out is empty. Instants are seconds since 1970.

    Attributes:
        start: the instant of DTSTART, before which there is no occurrence.
        start_wall: what clocks in its zone say then.
        until: the last instant that may be an occurrence.
        by_day: weekdays, perhaps with their position.
        names_calendar: whether RSCALE was given.
        added: instants of RDATE, in order.
        excluded: instants of EXDATE.
    """

    zone: Zone
    start: int
    start_wall: int
    frequency: str
    interval: int = 1
    count: int | None = None
    until: int | None = None
    by_second: tuple[int, ...] = ()
    by_minute: tuple[int, ...] = ()
    by_hour: tuple[int, ...] = ()
    by_day: tuple[Weekday, ...] = ()
    by_month_day: tuple[int, ...] = ()
    by_year_day: tuple[int, ...] = ()
    by_week: tuple[int, ...] = ()
    by_month: tuple[int, ...] = ()
    by_position: tuple[int, ...] = ()
    week_start: int = 1
    names_calendar: bool = False
    skip: str = "OMIT"
    added: tuple[int, ...] = ()
    excluded: frozenset[int] = frozenset()


@dataclass(slots=True)
class _Entry:
    """The lines of an expression."""

    rule: str
    start: str
    has_start: bool
    dates: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Property:
    """A line with dates, taken apart."""

    zone: Zone | None
    values: tuple[str, ...]
    is_date: bool


def looks_like_rrule(expression: str) -> bool:
    """Whether an expression is meant as a recurrence rule; no cron expression has such signs."""
    return _SHAPE.search(expression) is not None


@lru_cache(maxsize=1024)
def read_rrule(expression: str, tz: str) -> Rule:
    """Read a rule: ``FREQ=…`` alone, or the lines DTSTART, RRULE, RDATE and EXDATE of a calendar entry.

    ``tz`` is the zone of what names none of its own.

    Raises:
        ValidationError: it is no such rule, or the zone is unknown.
    """
    entry = _entry(expression)
    zone_named(tz)
    started = _property(entry.start)
    if len(started.values) != 1:
        raise ValidationError(f"DTSTART of the recurrence rule names one time, not {len(started.values)}.")
    zone = started.zone or zone_named(tz, fixed_offsets_from_utc=False)
    value = started.values[0]
    start = _instant(value, zone, is_date=started.is_date)
    must_be_utc = started.zone is not None or value.endswith("Z")
    parts = _parts(entry.rule)
    rule = Rule(
        zone=zone,
        start=start,
        start_wall=zone.wall_at(start),
        until=_until(parts.pop("UNTIL", None), zone, is_date=started.is_date, must_be_utc=must_be_utc),
        added=tuple(sorted(_dates(entry.dates, "RDATE", zone))),
        excluded=frozenset(_dates(entry.dates, "EXDATE", zone)),
        **_fields(parts),
    )
    _refuse_combinations(rule)
    return rule


def _entry(expression: str) -> _Entry:
    start: str | None = None
    rule: str | None = None
    dates: list[str] = []
    for line in _LINE_END.split(_FOLD.sub("", expression)):
        text = line.strip()
        if not text:
            continue
        found = _PROPERTY.match(text)
        name = found[1].upper() if found else "RRULE"
        _refuse_property(name)
        if name == "DTSTART":
            start = _only("DTSTART", start, text)
        elif name == "RRULE":
            rule = _only("RRULE", rule, text)
        else:
            dates.append(text)
    if rule is None:
        raise ValidationError("The recurrence rule has no RRULE, so nothing recurs.")
    rule = _value_of_rule(rule)
    if start is None and re.search(r"(^|;)COUNT=", rule, re.IGNORECASE):
        raise ValidationError("COUNT counts from DTSTART, so the recurrence rule needs a DTSTART of its own.")
    _refuse_other_type(dates, ANCHOR if start is None else start)
    return _Entry(rule, f"DTSTART:{ANCHOR}" if start is None else start, start is not None, dates)


def _refuse_property(name: str) -> None:
    if name in ("BEGIN", "END"):
        raise ValidationError(
            "Of a calendar entry, the recurrence rule takes the lines DTSTART, RRULE, RDATE and EXDATE alone, without "
            "the lines BEGIN and END around them."
        )
    if name not in PROPERTIES:
        raise ValidationError(f"The recurrence rule may hold {', '.join(PROPERTIES)}, but not {name}.")


def _only(name: str, before: str | None, text: str) -> str:
    if before is not None:
        raise ValidationError(f"The recurrence rule has more than one {name}.")
    return text


def _value_of_rule(text: str) -> str:
    found = _PROPERTY.match(text)
    if found is None:
        return text
    if text[len("RRULE")] != ":":
        raise ValidationError("RRULE of the recurrence rule takes no parameters: write RRULE:FREQ=…")
    return text[len("RRULE:") :]


def _refuse_other_type(dates: Iterable[str], start: str) -> None:
    """RDATE and EXDATE must be dates where DTSTART is one, and times where it is one: else they would not meet."""
    is_date = "T" not in start.partition(":")[2] if ":" in start else "T" not in start
    for line in dates:
        name, _, values = line.partition(":")
        for value in values.split(","):
            if ("T" not in value) != is_date:
                wanted = "a date such as 20261224" if is_date else "a date and time such as 20261224T090000"
                raise ValidationError(
                    f"{name.partition(';')[0].upper()} of the recurrence rule must be, like DTSTART, {wanted}, not "
                    f"{value!r}."
                )


def _property(line: str) -> _Property:
    head, colon, value = line.partition(":")
    if not colon or not value:
        raise ValidationError(f"The recurrence rule's line {line!r} has no value after its colon.")
    parameters = {}
    for parameter in head.split(";")[1:]:
        name, _, text = parameter.partition("=")
        parameters[name.upper()] = text.strip('"') if text.startswith('"') else text
    kind = parameters.get("VALUE", "").upper()
    zone = parameters.get("TZID")
    return _Property(
        zone_named(zone, fixed_offsets_from_utc=False) if zone else None,
        tuple(value.split(",")),
        kind == "DATE" or (not kind and "T" not in value),
    )


def _dates(lines: Iterable[str], name: str, zone: Zone) -> Iterable[int]:
    for line in lines:
        if line.upper().startswith(name):
            given = _property(line)
            for value in given.values:
                yield _instant(value, given.zone or zone, is_date=given.is_date)


def _instant(value: str, zone: Zone, *, is_date: bool) -> int:
    """Read an iCalendar date or time; what clocks skip is as long after the change."""
    try:
        if is_date or "T" not in value:
            if not _DATE.match(value):
                raise ValueError
            return zone.instant_at_or_after(_midnight(value[:8]))
        utc = _UTC_TIME.fullmatch(value)
        found = utc or _TIME.fullmatch(value)
        if found is None:
            raise ValueError
        hour, minute, second = (int(text or 0) for text in found.groups()[1:])
        # The clock refuses what is no time of day.
        at = clock(hour, minute, second)
        wall = _midnight(found[1]) + at.hour * HOUR_SECONDS + at.minute * MINUTE_SECONDS + at.second
        return wall if utc else zone.instant_at_or_after(wall)
    except (ValueError, OverflowError):
        raise ValidationError(
            f"The recurrence rule's time {value!r} cannot be read: write 20261224T090000, with a Z at its end for UTC, "
            "or 20261224 for a date."
        ) from None


def _date(digits: str) -> date:
    return date(int(digits[:4]), int(digits[4:6]), int(digits[6:8]))


def _midnight(digits: str) -> int:
    return day_of(_date(digits).toordinal())


def _until(value: str | None, zone: Zone, *, is_date: bool, must_be_utc: bool) -> int | None:
    if value is None:
        return None
    if ("T" not in value) != is_date:
        raise ValidationError("UNTIL of the recurrence rule must be a date where DTSTART is one, and a time otherwise.")
    if not is_date and must_be_utc and not value.endswith("Z"):
        raise ValidationError(
            "UNTIL of the recurrence rule must be in UTC, with a Z at its end, where DTSTART has a time zone."
        )
    return _instant(value, zone, is_date=is_date)


def _parts(rule: str) -> dict[str, str]:
    parts: dict[str, str] = {}
    for part in rule.split(";"):
        if not part:
            continue
        name, _, value = part.partition("=")
        name = name.upper()
        if not value:
            raise ValidationError(f"The part {part!r} of the recurrence rule has no value.")
        if name not in _READERS and name != "UNTIL" and not name.startswith("X-"):
            raise ValidationError(f"The recurrence rule has an unknown part: {part!r}.")
        if name in parts:
            raise ValidationError(f"The recurrence rule has more than one {name}.")
        parts[name] = value if name == "UNTIL" else value.upper()
    if "FREQ" not in parts:
        raise ValidationError("The recurrence rule must say how often, by FREQ=….")
    return parts


def _fields(parts: Mapping[str, str]) -> dict[str, Any]:
    if "SKIP" in parts and "RSCALE" not in parts:
        raise ValidationError("SKIP of the recurrence rule needs RSCALE.")
    fields: dict[str, Any] = {}
    for name, value in parts.items():
        if name in _READERS:
            key, reader = _READERS[name]
            fields[key] = reader(name, value)
    return fields


def _wrong(name: str, value: str, allowed: str) -> ValidationError:
    return ValidationError(f"{name} of the recurrence rule must be {allowed}, not {value!r}.")


def _word(words: tuple[str, ...]) -> Callable[[str, str], str]:
    def read(name: str, value: str) -> str:
        if value not in words:
            raise _wrong(name, value, f"one of {', '.join(words)}")
        return value

    return read


def _number(low: int) -> Callable[[str, str], int]:
    def read(name: str, value: str) -> int:
        if not _INTEGER.fullmatch(value.strip()) or int(value) < low:
            raise _wrong(name, value, f"a whole number of {low} or more")
        return int(value)

    return read


def _numbers(low: int, high: int, *, ordered: bool = False) -> Callable[[str, str], tuple[int, ...]]:
    """A list of numbers; where they may be negative, they may not be zero."""
    allowed = f"numbers from {low} to {high}" + (" except 0" if low < 0 else "")

    def read(name: str, value: str) -> tuple[int, ...]:
        found: dict[int, str] = {}
        for item in value.split(","):
            if not _INTEGER.fullmatch(item.strip()) or not low <= int(item) <= high or (low < 0 and int(item) == 0):
                raise _wrong(name, item, allowed)
            # The same number in another spelling is a mistake rather than a repetition.
            if found.setdefault(int(item), item) != item:
                raise _wrong(name, item, "numbers that are different from one another")
        return tuple(sorted(found)) if ordered else tuple(found)

    return read


def _weekdays(name: str, value: str) -> tuple[Weekday, ...]:
    found: dict[str, Weekday] = {}
    for item in value.split(","):
        token = _WEEKDAY.fullmatch(item)
        if token is None or (token[1] is not None and int(token[1]) == 0):
            raise _wrong(name, item, "weekdays such as MO, or with their position such as 2FR and -1SU")
        found[item] = Weekday(WEEKDAYS.index(token[2]) + 1, int(token[1] or 0))
    return tuple(found.values())


def _week_start(name: str, value: str) -> int:
    return WEEKDAYS.index(_word(WEEKDAYS)(name, value)) + 1


_LARGE = 2**53
_READERS: Final[Mapping[str, tuple[str, Callable[[str, str], Any]]]] = {
    "FREQ": ("frequency", _word(FREQUENCIES)),
    "INTERVAL": ("interval", _number(1)),
    "COUNT": ("count", _number(0)),
    "BYSECOND": ("by_second", _numbers(0, 59, ordered=True)),
    "BYMINUTE": ("by_minute", _numbers(0, 59, ordered=True)),
    "BYHOUR": ("by_hour", _numbers(0, 23, ordered=True)),
    "BYDAY": ("by_day", _weekdays),
    "BYMONTHDAY": ("by_month_day", _numbers(-31, 31)),
    "BYYEARDAY": ("by_year_day", _numbers(-366, 366)),
    "BYWEEKNO": ("by_week", _numbers(-53, 53)),
    "BYMONTH": ("by_month", _numbers(1, 12, ordered=True)),
    "BYSETPOS": ("by_position", _numbers(-_LARGE, _LARGE)),
    "WKST": ("week_start", _week_start),
    "RSCALE": ("names_calendar", lambda name, value: bool(_word(("GREGORIAN",))(name, value))),
    "SKIP": ("skip", _word(("OMIT", "BACKWARD", "FORWARD"))),
}


def _refuse_combinations(rule: Rule) -> None:
    """What RFC 5545 forbids, because no two programs would agree on when such a rule runs."""
    has_positions = any(weekday.position for weekday in rule.by_day)
    others = (rule.by_day, rule.by_month, rule.by_month_day, rule.by_year_day, rule.by_week)
    forbidden = {
        "COUNT and UNTIL together": rule.count is not None and rule.until is not None,
        "BYWEEKNO, unless FREQ is YEARLY": rule.by_week and rule.frequency != "YEARLY",
        "BYYEARDAY when FREQ is DAILY, WEEKLY or MONTHLY": rule.by_year_day
        and rule.frequency in ("DAILY", "WEEKLY", "MONTHLY"),
        "BYMONTHDAY when FREQ is WEEKLY": rule.by_month_day and rule.frequency == "WEEKLY",
        "BYDAY with positions, unless FREQ is MONTHLY or YEARLY": has_positions
        and rule.frequency not in ("MONTHLY", "YEARLY"),
        "BYDAY with positions beside BYWEEKNO": has_positions and rule.by_week,
        "BYSETPOS without another BY part": rule.by_position
        and not any((*others, rule.by_hour, rule.by_minute, rule.by_second)),
    }
    for what, is_so in forbidden.items():
        if is_so:
            raise ValidationError(f"The recurrence rule must not have {what}.")
