"""Cron expressions, read as Node's cron-parser reads them: docs/compatibility.md, "Cron expressions".

Here an expression becomes sets of numbers; ``core/cron_walk.py`` finds the instants that they stand for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from pgboss.errors import ValidationError

__all__ = ["Cron", "read_cron"]

LONGEST_EXPRESSION = 1024
MOST_FIELDS = 6

ALIASES = {
    "@yearly": "0 0 0 1 1 *",
    "@annually": "0 0 0 1 1 *",
    "@monthly": "0 0 0 1 * *",
    "@weekly": "0 0 0 * * 0",
    "@daily": "0 0 0 * * *",
    "@hourly": "0 0 * * * *",
    "@minutely": "0 * * * * *",
    "@secondly": "* * * * * *",
    "@weekdays": "0 0 0 * * 1-5",
    "@weekends": "0 0 0 * * 0,6",
}
# Fields that are left out are those at the left.
FILLING = ("0", "*", "*", "*", "*", "*")
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
MONTH_LENGTHS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
HASH = "H"
LAST = "L"

# What JavaScript takes for space; Python's own split knows others.
_SPACE = re.compile(r"[\t\n\v\f\r \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff]+")
_NAME = re.compile(r"[a-z]{3}", re.ASCII | re.IGNORECASE)
_DIGITS = re.compile(r"\d+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Part:
    """One of the six places of an expression, and what may stand there."""

    name: str
    low: int
    high: int
    signs: str = ""
    names: tuple[str, ...] = ()
    first_named: int = 0


SECOND = Part("second", 0, 59)
MINUTE = Part("minute", 0, 59)
HOUR = Part("hour", 0, 23)
DAY_OF_MONTH = Part("day of month", 1, 31, signs=LAST)
MONTH = Part("month", 1, 12, names=MONTHS, first_named=1)
DAY_OF_WEEK = Part("day of week", 0, 7, signs=LAST + "#", names=WEEKDAYS)


@dataclass(frozen=True, slots=True)
class Days:
    """Which days match: by their number in the month and by their weekday, 0 being Sunday.

    Where both are restricted, one of them is enough.
    """

    numbers: frozenset[int]
    last_of_month: bool
    any_number: bool
    weekdays: frozenset[int]
    last_weekdays: frozenset[int]
    any_weekday: bool
    nth: int | None

    def match(self, number: int, weekday: int, month_length: int) -> bool:
        by_number = number in self.numbers or (self.last_of_month and number == month_length)
        if self.any_weekday:
            return by_number
        by_weekday = self._weekday_matches(number, weekday, month_length)
        return by_weekday if self.any_number else by_number or by_weekday

    def _weekday_matches(self, number: int, weekday: int, month_length: int) -> bool:
        if weekday in self.weekdays and (self.nth is None or (number + 6) // 7 == self.nth):
            return True
        return weekday in self.last_weekdays and number > month_length - 7


@dataclass(frozen=True, slots=True)
class Cron:
    """A cron expression as numbers, each list in ascending order."""

    seconds: tuple[int, ...]
    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    months: frozenset[int]
    days: Days

    @property
    def runs_every_hour(self) -> bool:
        return len(self.hours) == HOUR.high + 1


@lru_cache(maxsize=1024)
def read_cron(expression: str) -> Cron:
    """Read a cron expression of up to six fields.

    Raises:
        ValidationError: it is none; the message says what is wrong with which field.
    """
    second, minute, hour, day, month, weekday = _fields(expression)
    weekday, hash_sign, nth = weekday.partition("#")
    months = _plain(MONTH, month)
    numbers, weekdays = _in_single_month(months, list(_values(DAY_OF_MONTH, day))), list(_values(DAY_OF_WEEK, weekday))
    _refuse_twice(DAY_OF_MONTH, numbers)
    _refuse_twice(DAY_OF_WEEK, weekdays)
    days = Days(
        numbers=frozenset(value for value in numbers if isinstance(value, int)),
        last_of_month=LAST in day,
        any_number=day in ("*", "?"),
        weekdays=frozenset(value for value in weekdays if isinstance(value, int)),
        last_weekdays=frozenset(int(value[0]) % 7 for value in weekdays if isinstance(value, str)),
        any_weekday=weekday in ("*", "?") and not hash_sign,
        nth=_nth(weekday, nth) if hash_sign else None,
    )
    _refuse_impossible_day(days, months)
    return Cron(_plain(SECOND, second), _plain(MINUTE, minute), _plain(HOUR, hour), frozenset(months), days)


def _fields(expression: str) -> list[str]:
    if len(expression) > LONGEST_EXPRESSION:
        raise ValidationError(
            f"A cron expression has at most {LONGEST_EXPRESSION} characters, and this one {len(expression)}."
        )
    fields = _SPACE.split(ALIASES.get(expression, expression))
    fields = [field for field in fields if field]
    if not fields:
        raise ValidationError("The cron expression is empty.")
    if len(fields) > MOST_FIELDS:
        raise ValidationError(
            f"A cron expression has 5 fields, or 6 with seconds, and {expression!r} has {len(fields)}: "
            "[second] minute hour day-of-month month day-of-week."
        )
    return [*FILLING[: MOST_FIELDS - len(fields)], *fields]


def _plain(part: Part, field: str) -> tuple[int, ...]:
    """The values of a field that knows only numbers."""
    values = [value for value in _values(part, field) if isinstance(value, int)]
    _refuse_twice(part, values)
    return tuple(sorted(values))


def _values(part: Part, field: str) -> Iterator[int | str]:
    """The values of a field, with ``L`` as the text that was written."""
    field = _without_names(part, field)
    if HASH in field:
        raise _wrong(part, field, "H is another number on each reading, so it says nothing about when a job runs")
    for item in field.split(","):
        if not item:
            raise _wrong(part, field, "an item of the list is empty")
        yield from _item(part, field, item)


def _without_names(part: Part, field: str) -> str:
    def number(name: re.Match[str]) -> str:
        try:
            return str(part.names.index(name[0].lower()) + part.first_named)
        except ValueError:
            raise _wrong(part, field, f"the names are {', '.join(part.names)}, and {name[0]!r} is none") from None

    return _NAME.sub(number, field) if part.names else field


def _item(part: Part, field: str, item: str) -> Iterator[int | str]:
    span, slash, step = item.partition("/")
    if span in ("*", "?"):
        span = f"{part.low}-{part.high}"
    elif slash and "-" not in span:
        span = f"{span}-{part.high}"
    if "-" in span:
        yield from _range(part, field, span, step if slash else "1")
    elif LAST in span and LAST in part.signs:
        yield _last(part, field, span)
    else:
        value = _number(part, field, span)
        yield value % 7 if part is DAY_OF_WEEK else value


def _range(part: Part, field: str, span: str, step: str) -> Iterator[int]:
    first, _, last = span.partition("-")
    low, high = _number(part, field, first), _number(part, field, last)
    if low > high:
        raise _wrong(part, field, f"the range {span} goes backwards")
    if not _DIGITS.fullmatch(step) or int(step) == 0:
        raise _wrong(part, field, f"a step must be a positive number, not {step!r}")
    values = list(range(low, high + 1, int(step)))
    # A range that reaches 7 means Sunday, whose number is 0.
    if part is DAY_OF_WEEK and values[-1] == high and high % 7 == 0 and 0 not in values:
        yield 0
    yield from values


def _last(part: Part, field: str, value: str) -> str:
    if part is DAY_OF_MONTH and value == LAST:
        return value
    if part is DAY_OF_WEEK and len(value) == 2 and value[0] in "01234567" and value[1] == LAST:
        return value
    raise _wrong(part, field, "L stands alone as the last day of the month, or as in 5L for the last Friday of it")


def _number(part: Part, field: str, value: str) -> int:
    if not _DIGITS.fullmatch(value) or not part.low <= int(value) <= part.high:
        raise _wrong(part, field, f"{value!r} is no number from {part.low} to {part.high}")
    return int(value)


def _nth(weekday: str, nth: str) -> int:
    if any(sign in weekday for sign in ",-/L"):
        raise ValidationError(f"The day of week of a cron expression, {weekday}#{nth}, mixes # with lists or ranges.")
    if not _DIGITS.fullmatch(nth) or not 1 <= int(nth) <= 5:
        raise ValidationError(f"The number after # in a cron expression must be from 1 to 5, not {nth!r}.")
    return int(nth)


def _refuse_twice(part: Part, values: Sequence[int | str]) -> None:
    twice = {value for value in values if values.count(value) > 1}
    if twice:
        raise ValidationError(f"The {part.name} of the cron expression names {min(twice, key=str)} more than once.")


def _in_single_month(months: tuple[int, ...], values: list[int | str]) -> list[int | str]:
    """Days that the only month has not got are dropped, unless no other is left."""
    if len(months) > 1:
        return values
    longest = MONTH_LENGTHS[months[0] - 1]
    return [value for value in values if isinstance(value, str) or value <= longest] or values


def _refuse_impossible_day(days: Days, months: tuple[int, ...]) -> None:
    longest = max(MONTH_LENGTHS[month - 1] for month in months)
    if days.any_weekday and not days.last_of_month and min(days.numbers) > longest:
        raise ValidationError(f"The cron expression would never run: its months have no day {min(days.numbers)}.")


def _wrong(part: Part, field: str, reason: str) -> ValidationError:
    return ValidationError(f"The {part.name} of the cron expression, {field!r}, cannot be read: {reason}.")
