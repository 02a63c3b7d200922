"""The occurrences of a recurrence rule, in order.

A rule proposes dates and times period by period: each year, month, week or day for the larger frequencies, each step of
real time for HOURLY and smaller ones. Periods are numbered from the one that holds DTSTART, so a search begins near the
instant it is asked about, however long ago DTSTART was; only a COUNT makes it begin at DTSTART.

When clocks change, dates and times are wall times: one that clocks skip is left out, and of one that comes twice the
first counts. Steps of real time pass through; only FREQ=HOURLY leaves the repeated hour out. This is how Node's
rrule-temporal has it (docs/compatibility.md, "When clocks change").
"""

from __future__ import annotations

from calendar import isleap, monthrange
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import date
from functools import lru_cache
from heapq import merge
from itertools import count, product

from pgboss.core.rrule import Rule
from pgboss.core.zones import DAY_SECONDS, EPOCH_ORDINAL, HOUR_SECONDS, MINUTE_SECONDS, day_of
from pgboss.errors import ValidationError

__all__ = ["between", "latest"]

MOST_PERIODS = 10_000
YEARS_OF_NODE = 273_734
# After that many days the calendar repeats itself, weekdays included.
CALENDAR_CYCLE_DAYS = 146_097
FIRST_STEP_BACK_SECONDS = HOUR_SECONDS
STEP_GROWTH = 4
STEPS = {"HOURLY": HOUR_SECONDS, "MINUTELY": MINUTE_SECONDS, "SECONDLY": 1}


def between(rule: Rule, after: int, until: int | None) -> Iterator[int]:
    """The occurrences later than an instant, up to and including another, or for ever.

    Raises:
        ValidationError: 10,000 periods in a row have none.
    """
    added = (instant for instant in rule.added if instant > after and (until is None or instant <= until))
    last = None
    for instant in merge(_realigned(rule, after, until), added):
        if instant != last and instant not in rule.excluded:
            yield instant
        last = instant


def latest(rule: Rule, after: int, until: int) -> int | None:
    """The last occurrence in that range, or ``None``.

    The range is searched in steps that grow backwards from its end, so that a dense rule answers from the first and a
    sparse one does not take long either, however wide the range is.
    """
    if rule.count is not None:
        return max(between(rule, after, until), default=None)
    upper, width = until, FIRST_STEP_BACK_SECONDS
    while upper > after:
        lower = max(after, upper - width)
        found = max(between(rule, lower, upper), default=None)
        if found is not None:
            return found
        upper, width = lower, width * STEP_GROWTH
    return None


def _realigned(rule: Rule, after: int, until: int | None) -> Iterator[int]:
    """What the rule alone gives, with a peculiarity of Node's.

    Without BYDAY, BYWEEKNO takes the weekday of DTSTART. Node first moves DTSTART to the last year before the instant
    that it is asked about, and then takes the weekday that the date has in that year.
    """
    if not rule.by_week or rule.by_day or rule.names_calendar or rule.count is not None:
        yield from _of_rule(rule, after, until)
        return
    if until is not None:
        yield from _of_rule(_moved_to_year_of(rule, after), after, until)
        return
    while (found := next(_of_rule(_moved_to_year_of(rule, after), after, until), None)) is not None:
        yield found
        after = found


def _moved_to_year_of(rule: Rule, instant: int) -> Rule:
    """The rule with its DTSTART as late as its interval allows, up to this instant's day."""
    start_day, time = divmod(rule.start_wall, DAY_SECONDS)
    start, now = _date_of(start_day), _date_of(rule.zone.wall_at(instant) // DAY_SECONDS)
    years = now.year - start.year - ((now.month, now.day) < (start.month, start.day))
    for number in range(years // rule.interval, 0, -1):
        year = start.year + number * rule.interval
        if start.day > monthrange(year, start.month)[1]:
            continue
        wall = _day(year, start.month, start.day) * DAY_SECONDS + time
        moved = rule.zone.instant_of(wall)
        if moved is not None:
            return replace(rule, start=moved, start_wall=wall)
    return rule


def _of_rule(rule: Rule, after: int, until: int | None) -> Iterator[int]:
    """What the parts of the rule give."""
    if rule.count == 0:
        return
    end = until if rule.until is None else rule.until if until is None else min(until, rule.until)
    begin = rule.start - 1 if rule.count is not None else max(after, rule.start - 1)
    candidates = _steps(rule, begin, end) if rule.frequency in STEPS else _dated(rule, begin, end)
    number = 0
    for instant in candidates:
        if instant < rule.start:
            continue
        number += 1
        if instant > after:
            yield instant
        if number == rule.count:
            return


def _refuse_endless() -> ValidationError:
    return ValidationError(f"The recurrence rule has no occurrence within {MOST_PERIODS} of its periods.")


class _DayFilter:
    """The parts that restrict dates, for frequencies of a day or less."""

    def __init__(self, rule: Rule) -> None:
        self._months = frozenset(rule.by_month)
        self._weekdays = frozenset(weekday.day for weekday in rule.by_day)
        self._month_days = rule.by_month_day
        self._year_days = rule.by_year_day
        self._known: dict[int, bool] = {}
        self._next: dict[int, int] = {}

    def passes(self, day: int) -> bool:
        known = self._known.get(day)
        if known is None:
            known = self._known[day] = self._passes(_date_of(day))
        return known

    def next_after(self, day: int, last: int) -> int | None:
        """The first day that passes after this one, before the last."""
        known = self._next.get(day)
        if known is not None:
            return known if known < last else None
        later = day + 1
        while later < last:
            that = _date_of(later)
            if self._months and that.month not in self._months:
                later += monthrange(that.year, that.month)[1] - that.day + 1
            elif self._passes(that):
                self._next[day] = later
                return later
            else:
                later += 1
        return None

    def _passes(self, that: date) -> bool:
        if self._months and that.month not in self._months:
            return False
        if self._weekdays and that.isoweekday() not in self._weekdays:
            return False
        length = monthrange(that.year, that.month)[1]
        if self._month_days and that.day not in _from_either_end(self._month_days, length):
            return False
        return not self._year_days or that.timetuple().tm_yday in _from_either_end(self._year_days, _days_in(that.year))


@lru_cache(maxsize=64)
def _day_filter(rule: Rule) -> _DayFilter:
    return _DayFilter(rule)


# Years, months, weeks and days.


def _dated(rule: Rule, begin: int, end: int | None) -> Iterator[int]:
    """The occurrences later than ``begin`` of a rule that proposes dates."""
    if _never_meets_weekday(rule) or _never_meets_week(rule):
        return
    begin_day, start_day = rule.zone.wall_at(begin) // DAY_SECONDS, rule.start_wall // DAY_SECONDS
    end_day = None if end is None else rule.zone.wall_at(end) // DAY_SECONDS
    first = 0 if rule.count is not None else max(0, _period_of(rule, begin_day) - 1)
    empty, last = first - 1, None
    for period in count(first):
        try:
            opening, days = _period(rule, period, start_day)
        except (OverflowError, ValueError):
            if _outruns_calendar(rule):
                return
            raise _refuse_endless() from None
        if end_day is not None and opening > end_day + 7:
            return
        for instant in _instants(rule, days, begin_day):
            if end is not None and instant > end:
                return
            if instant > begin and (last is None or instant > last):
                empty = period if rule.count is None else empty
                last = instant
                yield instant
        if period - empty > MOST_PERIODS:
            raise _refuse_endless()


def _never_meets_weekday(rule: Rule) -> bool:
    """Every seventh day from a Monday is never a Tuesday."""
    if rule.frequency != "DAILY" or not rule.by_day:
        return False
    start = rule.start_wall // DAY_SECONDS
    weekdays = {weekday.day for weekday in rule.by_day}
    return all(_weekday_of(start + away * rule.interval) not in weekdays for away in range(7))


def _never_meets_week(rule: Rule) -> bool:
    """Whether none of the days that BYYEARDAY names ever lies in a week of BYWEEKNO: then Node has none at all."""
    if not rule.by_week or not rule.by_year_day:
        return False
    for year in range(2000, 2400):
        for day in _year_days(rule, year):
            that = _date_of(day).isocalendar()
            if that.week in _from_either_end(rule.by_week, date(that.year, 12, 28).isocalendar().week):
                return False
    return True


def _outruns_calendar(rule: Rule) -> bool:
    """Whether Node comes to the end of its calendar, and so of the rule, before it has looked at 10,000 periods."""
    months = {"YEARLY": 12, "MONTHLY": 1}.get(rule.frequency, 0) * rule.interval
    return months * MOST_PERIODS > 12 * YEARS_OF_NODE


def _period_of(rule: Rule, day: int) -> int:
    """The number of the period that a day lies in."""
    start = rule.start_wall // DAY_SECONDS
    if rule.frequency == "DAILY":
        return (day - start) // rule.interval
    if rule.frequency == "WEEKLY":
        return (day - _week_of(rule, start)) // (7 * rule.interval)
    then, now = _date_of(start), _date_of(day)
    if rule.frequency == "MONTHLY":
        return ((now.year - then.year) * 12 + now.month - then.month) // rule.interval
    return (now.year - then.year) // rule.interval


def _period(rule: Rule, number: int, start_day: int) -> tuple[int, Iterable[int]]:
    """The first day of a period, and the days that the rule proposes in it, in order."""
    if rule.frequency == "DAILY":
        day = start_day + number * rule.interval
        return day, [day] if _day_filter(rule).passes(day) else []
    if rule.frequency == "WEEKLY":
        week = _week_of(rule, start_day) + 7 * number * rule.interval
        return week, _days_of_week(rule, week, start_day)
    start = _date_of(start_day)
    if rule.frequency == "MONTHLY":
        year, month = divmod(start.year * 12 + start.month - 1 + number * rule.interval, 12)
        return _day(year, month + 1, 1), _days_of_month(rule, year, month + 1, start)
    year = start.year + number * rule.interval
    return _day(year, 1, 1), sorted(set(_days_of_year(rule, year, start)))


def _days_of_week(rule: Rule, week: int, start_day: int) -> list[int]:
    weekdays = {weekday.day for weekday in rule.by_day} or {_weekday_of(start_day)}
    days = sorted(week + (weekday - rule.week_start) % 7 for weekday in weekdays)
    return [day for day in days if not rule.by_month or _date_of(day).month in rule.by_month]


def _days_of_month(rule: Rule, year: int, month: int, start: date) -> list[int]:
    if rule.by_month and month not in rule.by_month:
        return []
    if not rule.by_day and not rule.by_month_day:
        day = _same_number(rule, year, month, start.day)
        return [] if day is None else [day]
    first, length = _day(year, month, 1), monthrange(year, month)[1]
    numbers = set(range(1, length + 1))
    if rule.by_month_day:
        numbers &= _from_either_end(rule.by_month_day, length)
    if rule.by_day:
        numbers &= set(_weekdays_in(rule, first, length))
    return [first + number - 1 for number in sorted(numbers)]


def _weekdays_in(rule: Rule, first: int, length: int) -> Iterator[int]:
    """The numbers of a month's days that BYDAY names."""
    for weekday in rule.by_day:
        earliest = 1 + (weekday.day - _weekday_of(first)) % 7
        days = range(earliest, length + 1, 7)
        if weekday.position == 0:
            yield from days
        elif abs(weekday.position) <= len(days):
            yield days[weekday.position - (weekday.position > 0)]


def _days_of_year(rule: Rule, year: int, start: date) -> Iterator[int]:
    """What the parts propose for a year.

    Beside BYYEARDAY and BYWEEKNO, BYMONTHDAY says nothing, and BYDAY only in which days of the weeks, or which ones of
    the year. That is Node's reading.
    """
    if not (rule.by_day or rule.by_month_day or rule.by_year_day or rule.by_week):
        for month in rule.by_month or (start.month,):
            day = _same_number(rule, year, month, start.day)
            if day is not None:
                yield day
        return
    if any(weekday.position for weekday in rule.by_day) and not rule.by_month:
        yield from _positions_in_year(rule, year)
    elif not rule.by_year_day and not rule.by_week:
        for month in rule.by_month or range(1, 13):
            yield from _days_of_month(rule, year, month, start) or _skipped_day(rule, year, month)
    named = [*_year_days(rule, year), *_week_days(rule, year, start)]
    yield from (day for day in named if not rule.by_month or _date_of(day).month in rule.by_month)


def _skipped_day(rule: Rule, year: int, month: int) -> Iterator[int]:
    """Where a month has not got the first day that BYMONTHDAY names, what SKIP puts in its place."""
    length = monthrange(year, month)[1]
    number = rule.by_month_day[0] if rule.by_month_day else 1
    if rule.skip != "OMIT" and not 1 <= (number if number > 0 else length + number + 1) <= length:
        yield _day(year, month, length) + (rule.skip == "FORWARD")


def _positions_in_year(rule: Rule, year: int) -> Iterator[int]:
    first, last = _day(year, 1, 1), _day(year, 12, 31)
    for weekday in rule.by_day:
        if weekday.position > 0:
            yield first + (weekday.day - _weekday_of(first)) % 7 + 7 * (weekday.position - 1)
        elif weekday.position < 0:
            yield last - (_weekday_of(last) - weekday.day) % 7 + 7 * (weekday.position + 1)


def _year_days(rule: Rule, year: int) -> Iterator[int]:
    first, length = _day(year, 1, 1), _days_in(year)
    yield from (first + number - 1 for number in _from_either_end(rule.by_year_day, length) if 1 <= number <= length)


def _week_days(rule: Rule, year: int, start: date) -> Iterator[int]:
    """Days of the weeks that BYWEEKNO names: the first week of a year is the one with 4 January."""
    first, end = (_week_of(rule, _day(which, 1, 4)) for which in (year, year + 1))
    weeks = (end - first) // 7
    weekdays = [weekday.day for weekday in rule.by_day] or [start.isoweekday()]
    for number in rule.by_week:
        if abs(number) <= weeks:
            week = first + 7 * (number - 1 if number > 0 else weeks + number)
            yield from (week + (weekday - rule.week_start) % 7 for weekday in weekdays)


def _same_number(rule: Rule, year: int, month: int, number: int) -> int | None:
    """The day of a month with this number; where it has none, what SKIP says."""
    length = monthrange(year, month)[1]
    if number <= length:
        return _day(year, month, number)
    if rule.skip == "OMIT":
        return None
    return _day(year, month, length) + (rule.skip == "FORWARD")


def _instants(rule: Rule, days: Iterable[int], begin_day: int) -> Iterator[int]:
    """The instants of the proposed times on these days, in order."""
    if not rule.by_position:
        for day in days:
            if day >= begin_day:
                yield from _instants_of(rule, day)
        return
    everything = [instant for day in days for instant in _instants_of(rule, day)]
    yield from sorted(_at_positions(rule, everything))


def _instants_of(rule: Rule, day: int) -> list[int]:
    time = rule.start_wall % DAY_SECONDS
    times = product(
        rule.by_hour or (time // HOUR_SECONDS,),
        rule.by_minute or (time // MINUTE_SECONDS % 60,),
        rule.by_second or (time % 60,),
    )
    found = set()
    for hour, minute, second in times:
        wall = day * DAY_SECONDS + hour * HOUR_SECONDS + minute * MINUTE_SECONDS + second
        # DTSTART may be the second of two equal wall times, and then it is that one.
        instant = rule.start if wall == rule.start_wall else rule.zone.instant_of(wall)
        if instant is not None:
            found.add(instant)
    return sorted(found)


def _at_positions(rule: Rule, instants: list[int]) -> set[int]:
    size = len(instants)
    indexes = (position - 1 if position > 0 else size + position for position in rule.by_position)
    return {instants[index] for index in indexes if 0 <= index < size}


# Steps of real time.


def _steps(rule: Rule, begin: int, end: int | None) -> Iterator[int]:
    """The occurrences later than ``begin`` of a rule that goes by hours, minutes or seconds."""
    step = STEPS[rule.frequency] * rule.interval
    number = 0 if rule.count is not None else max(0, (begin - rule.start) // step - 1)
    visited, last = 0, None
    while True:
        instant = rule.start + number * step
        # What one step expands to lies within its hour, on either side.
        if end is not None and instant - 2 * HOUR_SECONDS > end:
            return
        visited += 1
        if visited > MOST_PERIODS:
            raise _refuse_endless()
        try:
            later = _next_that_may_match(rule, instant, end)
        except (OverflowError, ValueError):
            raise _refuse_endless() from None
        if later is not None:
            number = max(number + 1, -((rule.start - later) // step))
            continue
        for found in () if _is_repeated_hour(rule, number, instant) else _expanded(rule, instant):
            if end is not None and found > end:
                return
            if found > begin and (last is None or found > last):
                visited, last = (0 if rule.count is None else visited), found
                yield found
        number += 1


def _is_repeated_hour(rule: Rule, number: int, instant: int) -> bool:
    if rule.frequency != "HOURLY" or rule.interval != 1 or number == 0:
        return False
    wall_at = rule.zone.wall_at
    return wall_at(instant) // HOUR_SECONDS == wall_at(instant - HOUR_SECONDS) // HOUR_SECONDS


def _next_that_may_match(rule: Rule, instant: int, end: int | None) -> int | None:
    """Where to go on, when nothing can match before; ``None`` when this instant may."""
    wall = rule.zone.wall_at(instant)
    day, time = divmod(wall, DAY_SECONDS)
    days = _day_filter(rule)
    if not days.passes(day):
        last = day + (CALENDAR_CYCLE_DAYS if end is None else (end - instant) // DAY_SECONDS + 3)
        found = days.next_after(day, last)
        if found is None and end is None:
            raise _refuse_endless()
        return rule.zone.instant_at_or_after((last if found is None else found) * DAY_SECONDS)
    hour, minute, second = time // HOUR_SECONDS, time // MINUTE_SECONDS % 60, time % 60
    if rule.by_hour and hour not in rule.by_hour:
        return _skip(rule, instant, _gap(rule.by_hour, hour, 24) * HOUR_SECONDS - time % HOUR_SECONDS)
    if rule.frequency == "HOURLY":
        return None
    if rule.by_minute and minute not in rule.by_minute:
        return _skip(rule, instant, _gap(rule.by_minute, minute, 60) * MINUTE_SECONDS - second)
    if rule.frequency == "SECONDLY" and rule.by_second and second not in rule.by_second:
        return _skip(rule, instant, _gap(rule.by_second, second, 60))
    return None


def _gap(values: tuple[int, ...], value: int, size: int) -> int:
    return next((candidate for candidate in values if candidate > value), size) - value


def _skip(rule: Rule, instant: int, seconds: int) -> int:
    """As far ahead as this, or only to where clocks change: what comes after it says something else."""
    offset_at = rule.zone.offset_at
    if offset_at(instant) == offset_at(instant + seconds):
        return instant + seconds
    low, high = instant, instant + seconds
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if offset_at(middle) == offset_at(instant) else (low, middle)
    return high


def _expanded(rule: Rule, instant: int) -> list[int]:
    """What a step stands for: the minutes and seconds that are expanded at its frequency."""
    offset = rule.zone.offset_at(instant)
    wall = instant + offset
    hour, minute, second = wall // HOUR_SECONDS, wall // MINUTE_SECONDS % 60, wall % 60
    minutes = (rule.frequency == "HOURLY" and rule.by_minute) or (minute,)
    seconds = (rule.frequency != "SECONDLY" and rule.by_second) or (second,)
    found = set()
    for chosen_minute, chosen_second in product(minutes, seconds):
        target = hour * HOUR_SECONDS + chosen_minute * MINUTE_SECONDS + chosen_second
        candidate, its_offset = rule.zone.instant_near(target, offset)
        if candidate + its_offset == target:
            found.add(candidate)
    expanded = sorted(found)
    return sorted(_at_positions(rule, expanded)) if rule.by_position else expanded


def _from_either_end(numbers: tuple[int, ...], length: int) -> set[int]:
    return {number if number > 0 else length + number + 1 for number in numbers}


def _week_of(rule: Rule, day: int) -> int:
    """The first day of the week that a day lies in."""
    return day - (_weekday_of(day) - rule.week_start) % 7


def _weekday_of(day: int) -> int:
    """The ISO weekday of a day since 1970, which began with a Thursday."""
    return (day + 3) % 7 + 1


def _date_of(day: int) -> date:
    return date.fromordinal(day + EPOCH_ORDINAL)


def _day(year: int, month: int, number: int) -> int:
    return day_of(date(year, month, number).toordinal()) // DAY_SECONDS


def _days_in(year: int) -> int:
    return 366 if isleap(year) else 365
