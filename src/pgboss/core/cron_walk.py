"""The instants of a cron expression, forwards and backwards, on the axis where Node's cron-parser finds them.

Most of this is plain search: where the month does not match, go to the next month, then the day, the hour, and so on.
What makes it delicate are the two days a year on which clocks change, and Node's answers there depend on how the search
came upon them. Both sides must agree on every occurrence, or it would be sent twice or by nobody; so the search takes
the same steps as Node's (docs/compatibility.md, "When clocks change"):

- Forwards, a step that passes over hours that clocks skip notes them, with the first hour after them. That hour then
  stands for the skipped ones. A step into an hour that has just been passed notes that it is repeated, and it is left.
- Backwards neither is noted: an hour that was skipped has no occurrence, and one that is repeated has two. The pass
  that fires schedules looks backwards, a preview forwards.
- An expression that runs every hour is not concerned.

A search gives up after 10,000 steps, which takes some expressions decades and 30 February for ever.
"""

from __future__ import annotations

from calendar import monthrange
from datetime import date

from pgboss.core.cron import Cron
from pgboss.core.zones import DAY_SECONDS, EPOCH_ORDINAL, HOUR_SECONDS, MINUTE_SECONDS, Zone, day_of
from pgboss.errors import ValidationError

__all__ = ["CronWalk"]

MOST_STEPS = 10_000
MILLISECONDS = 1000


class CronWalk:
    """A search for one occurrence after the other, from an instant in milliseconds.

    Each search goes on from the occurrence before, so use a walk in one direction only.
    """

    def __init__(self, cron: Cron, zone: Zone, from_milliseconds: int) -> None:
        self._cron = cron
        self._instant, self._milliseconds = divmod(from_milliseconds, MILLISECONDS)
        self._zone = zone
        self._offset = zone.offset_at(self._instant)
        # The first hour that clocks skipped, and the hour on which they landed.
        self._skipped: tuple[int, int] | None = None
        self._repeated: int | None = None

    def next(self) -> int:
        """The next occurrence, as an instant in seconds.

        Raises:
            ValidationError: none was found within reason.
        """
        return self._search(+1)

    def previous(self) -> int:
        """The occurrence before.

        Raises:
            ValidationError: none was found within reason.
        """
        return self._search(-1)

    def _search(self, direction: int) -> int:
        start = None if self._milliseconds else self._instant
        if self._milliseconds and direction > 0:
            self._step_time(+1, 1)
        self._milliseconds = 0
        try:
            for _ in range(MOST_STEPS - 1):
                if self._matches(direction):
                    if self._instant != start:
                        return self._instant
                    self._step_time(direction, 1)
        except (OverflowError, ValueError):
            pass
        raise ValidationError("The cron expression has no occurrence, or only one very far away.")

    def _matches(self, direction: int) -> bool:
        """Whether this is an occurrence; if not, the search has been moved."""
        cron = self._cron
        day = self._date
        if day.month not in cron.months:
            self._step_month(direction)
        elif not cron.days.match(day.day, day.isoweekday() % 7, monthrange(day.year, day.month)[1]):
            self._step_day(direction)
        elif self._hour_matches(direction):
            minute, second = self._time // 60 % 60, self._time % 60
            if minute not in cron.minutes:
                self._to_minute(_beyond(cron.minutes, minute, direction), direction)
            elif second not in cron.seconds:
                self._to_second(_beyond(cron.seconds, second, direction), direction)
            else:
                return True
        return False

    def _hour_matches(self, direction: int) -> bool:
        hours, hour = self._cron.hours, self._hour
        if self._skipped is not None and self._skipped[1] == hour and self._stands_for_skipped(*self._skipped):
            return True
        if self._repeated == hour and direction > 0:
            self._repeated = None
            self._step_time(direction, HOUR_SECONDS)
            return False
        if hour in hours:
            return True
        self._skipped = None
        self._to_hour(_beyond(hours, hour, direction), direction)
        return False

    def _stands_for_skipped(self, first: int, landing: int) -> bool:
        return any((first + away) % 24 in self._cron.hours for away in range((landing - first) % 24))

    def _to_hour(self, hour: int | None, direction: int) -> None:
        if hour is None:
            self._step_day(direction)
            return
        if self._clocks_change_today():
            self._step_towards_hour(hour, direction)
        else:
            self._set_time(hour * HOUR_SECONDS + self._time % HOUR_SECONDS)
        self._set_minute(_first(self._cron.minutes, direction))
        self._set_second(_first(self._cron.seconds, direction))

    def _step_towards_hour(self, hour: int, direction: int) -> None:
        """Hour by hour, for what is skipped or repeated on the way; a step may pass over the hour itself."""
        for _ in range(abs(hour - self._hour)):
            self._step_time(direction, HOUR_SECONDS)
            if (self._hour - hour) * direction >= 0:
                break

    def _to_minute(self, minute: int | None, direction: int) -> None:
        if minute is None:
            self._step_time(direction, HOUR_SECONDS)
            minute = _first(self._cron.minutes, direction)
        self._set_minute(minute)
        self._set_second(_first(self._cron.seconds, direction))

    def _to_second(self, second: int | None, direction: int) -> None:
        if second is None:
            self._step_time(direction, MINUTE_SECONDS)
            second = _first(self._cron.seconds, direction)
        self._set_second(second)

    @property
    def _wall(self) -> int:
        return self._instant + self._offset

    @property
    def _date(self) -> date:
        return date.fromordinal(self._wall // DAY_SECONDS + EPOCH_ORDINAL)

    @property
    def _time(self) -> int:
        """Wall seconds since midnight."""
        return self._wall % DAY_SECONDS

    @property
    def _hour(self) -> int:
        return self._time // HOUR_SECONDS

    def _go(self, instant: int) -> None:
        self._instant, self._offset = instant, self._zone.offset_at(instant)

    def _go_to_wall(self, wall: int) -> None:
        self._instant, self._offset = self._zone.instant_near(wall, self._offset)

    def _set_time(self, time: int) -> None:
        if time != self._time:
            self._go_to_wall(self._wall - self._time + time)

    def _set_minute(self, minute: int) -> None:
        self._set_time(self._hour * HOUR_SECONDS + minute * MINUTE_SECONDS + self._time % MINUTE_SECONDS)

    def _set_second(self, second: int) -> None:
        self._set_time(self._time - self._time % MINUTE_SECONDS + second)

    def _floor(self, unit_seconds: int) -> None:
        self._go_to_wall(self._wall - self._wall % unit_seconds)

    def _step_time(self, direction: int, unit_seconds: int) -> None:
        """To the beginning of the next second, minute or hour, or to the last second of the one before."""
        hour, offset = self._hour, self._offset
        if direction > 0:
            self._go(self._instant + unit_seconds)
            self._floor(unit_seconds)
        else:
            self._floor(unit_seconds)
            self._go(self._instant - 1)
        self._note_change(hour, offset, direction)

    def _note_change(self, hour: int, offset: int, direction: int) -> None:
        if self._cron.runs_every_hour:
            return
        advance = (self._hour - hour) % 24
        if direction > 0 and self._offset > offset and advance >= 2:
            self._skipped = (hour + 1) % 24, self._hour
        elif advance == 0 and self._time % HOUR_SECONDS == 0:
            self._repeated = self._hour

    def _step_day(self, direction: int) -> None:
        """To midnight of the next day, or to the last second of the day before."""
        self._go_to_wall(self._wall + direction * DAY_SECONDS)
        if direction < 0:
            # There and back, because midnight may be twice, and where one comes from decides which of them it is.
            self._go_to_wall(self._wall + DAY_SECONDS)
        self._floor(DAY_SECONDS)
        self._end_step(direction)

    def _step_month(self, direction: int) -> None:
        self._shift_month(direction)
        if direction < 0:
            self._shift_month(+1)
        self._go_to_wall(day_of(self._date.replace(day=1).toordinal()))
        self._end_step(direction)

    def _shift_month(self, months: int) -> None:
        today = self._date
        year, month = divmod(today.year * 12 + today.month - 1 + months, 12)
        number = min(today.day, monthrange(year, month + 1)[1])
        self._go_to_wall(day_of(date(year, month + 1, number).toordinal()) + self._time)

    def _end_step(self, direction: int) -> None:
        if direction < 0:
            self._go(self._instant - 1)
        self._note_midnight(direction)

    def _note_midnight(self, direction: int) -> None:
        self._skipped = None
        if direction > 0 and not self._cron.runs_every_hour and self._hour > 0:
            self._skipped = 0, self._hour

    def _clocks_change_today(self) -> bool:
        midnight = self._wall - self._time
        first = self._zone.instant_near(midnight, self._offset)[1]
        tomorrow = self._zone.instant_near(self._wall + DAY_SECONDS, self._offset)[1]
        end, _ = self._zone.instant_near(midnight + DAY_SECONDS, tomorrow)
        return first != self._zone.offset_at(end - 1)


def _beyond(values: tuple[int, ...], value: int, direction: int) -> int | None:
    """The nearest of the values that lies further on."""
    if direction > 0:
        return next((candidate for candidate in values if candidate > value), None)
    return next((candidate for candidate in reversed(values) if candidate < value), None)


def _first(values: tuple[int, ...], direction: int) -> int:
    return values[0] if direction > 0 else values[-1]
