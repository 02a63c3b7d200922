"""Time zones as schedules see them: wall time to instant and back, in whole seconds.

An instant is seconds since 1970 in UTC. A wall time is the same count of what clocks on the wall say, as if they were
in UTC, so that days and hours are plain divisions. Which names are zones: docs/compatibility.md, "Time zones".
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import cache, lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from pgboss.errors import ValidationError

__all__ = ["DAY_SECONDS", "HOUR_SECONDS", "LAST_INSTANT", "MINUTE_SECONDS", "Zone", "day_of", "zone_named"]

MINUTE_SECONDS = 60
HOUR_SECONDS = 3600
DAY_SECONDS = 86400

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
# With a few days to spare, because walls and offsets are added to it.
LAST_INSTANT = int((datetime(9999, 12, 1, tzinfo=UTC) - _EPOCH).total_seconds())
FIRST_INSTANT = int((datetime(1, 2, 1, tzinfo=UTC) - _EPOCH).total_seconds())

_OFFSET = re.compile(r"([+-])([01]\d|2[0-3])(?::?([0-5]\d))?", re.ASCII)
_UTC_OFFSET = re.compile(r"utc([+-])(\d{1,2})(?::(\d{2}))?", re.ASCII | re.IGNORECASE)
# Files of a zone database that are no zones.
_NO_ZONES = frozenset({"localtime", "posixrules", "factory"})


@dataclass(frozen=True, slots=True)
class Zone:
    """A time zone, by the name it was asked for."""

    name: str
    offset_at: Callable[[int], int]
    """How far its clocks are ahead of UTC at an instant, in seconds."""

    def wall_at(self, instant: int) -> int:
        return instant + self.offset_at(instant)

    def instant_of(self, wall: int) -> int | None:
        """When clocks say so, the first time if they say so twice; ``None`` when they never do."""
        before, after = self._around(wall)
        if self.offset_at(wall - before) == before:
            return wall - before
        return wall - after if self.offset_at(wall - after) == after else None

    def instant_at_or_after(self, wall: int) -> int:
        """The same, and for a time that clocks skip as long after the change as it would have been."""
        found = self.instant_of(wall)
        return wall - self._around(wall)[0] if found is None else found

    def instant_near(self, wall: int, offset: int) -> tuple[int, int]:
        """When clocks say so, and their offset then: the given one, where it can be, decides what is ambiguous."""
        guess = self.offset_at(wall - offset)
        if guess == offset:
            return wall - offset, offset
        second = self.offset_at(wall - guess)
        if second == guess:
            return wall - guess, guess
        return wall - min(guess, second), max(guess, second)

    def _around(self, wall: int) -> tuple[int, int]:
        """The offsets before and after any change that may concern this wall time."""
        return self.offset_at(wall - 30 * HOUR_SECONDS), self.offset_at(wall + 30 * HOUR_SECONDS)


def zone_named(name: object, *, fixed_offsets_from_utc: bool = True) -> Zone:
    """Find a time zone by its IANA name, in any case, or by its offset, such as ``+02:00`` or ``UTC+2``.

    Args:
        name: the name.
        fixed_offsets_from_utc: whether names such as ``UTC+2`` count, as they do for cron expressions and not for
            recurrence rules.

    Raises:
        ValidationError: there is no such zone, or it is another one on each machine.
    """
    if not isinstance(name, str):
        raise unknown_zone(name)
    zone = _zone(name)
    if not fixed_offsets_from_utc and _UTC_OFFSET.fullmatch(name):
        raise unknown_zone(name)
    return zone


def unknown_zone(name: object) -> ValidationError:
    return ValidationError(
        f"tz must be the IANA name of a time zone such as 'Europe/Zurich', or an offset such as '+02:00', not {name!r}."
    )


@lru_cache(maxsize=512)
def _zone(name: str) -> Zone:
    offset = _OFFSET.fullmatch(name) or _UTC_OFFSET.fullmatch(name)
    if offset is not None:
        return _fixed(name, offset)
    known = _names().get(name.lower())
    if known is None:
        raise unknown_zone(name)
    try:
        return Zone(name, _offsets(ZoneInfo(known)))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise unknown_zone(name) from None


def _fixed(name: str, offset: re.Match[str]) -> Zone:
    sign, hours, minutes = offset.groups()
    seconds = int(hours) * HOUR_SECONDS + int(minutes or 0) * MINUTE_SECONDS
    return Zone(name, _constant(-seconds if sign == "-" else seconds))


def _constant(seconds: int) -> Callable[[int], int]:
    return lambda instant: seconds


def _offsets(info: tzinfo) -> Callable[[int], int]:
    # A search walks along an axis of time, so it asks for the same hours again and again.
    @lru_cache(maxsize=4096)
    def in_quarter(quarter: int) -> int | None:
        first, last = at(quarter * 900), at(quarter * 900 + 899)
        return first if first == last else None

    def at(instant: int) -> int:
        if not FIRST_INSTANT <= instant <= LAST_INSTANT:
            raise OverflowError(f"instant {instant} is beyond the calendar")
        offset = (_EPOCH + timedelta(seconds=instant)).astimezone(info).utcoffset()
        assert offset is not None
        return round(offset.total_seconds())

    def offset_at(instant: int) -> int:
        known = in_quarter(instant // 900)
        return at(instant) if known is None else known

    return offset_at


@cache
def _names() -> dict[str, str]:
    names = {name.lower(): name for name in available_timezones()}
    return {lower: name for lower, name in names.items() if lower not in _NO_ZONES} | {"utc": "UTC"}


def day_of(ordinal: int) -> int:
    """Wall seconds of the beginning of a day, from its ordinal in the calendar of ``datetime.date``."""
    return (ordinal - EPOCH_ORDINAL) * DAY_SECONDS
