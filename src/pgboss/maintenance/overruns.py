"""Handlers that overran their time, counted an hour at a time: a queue whose every job does must not fill a table.

The first overrun on a queue is told at once and opens an hour. Those within it become one warning at its end, which
opens the next hour; an hour without any closes, and the next overrun is told at once again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from time import monotonic
from typing import Any

from pgboss.core.events import WarningEvent

__all__ = ["HANDLER_OVERRUN", "Overruns"]

HANDLER_OVERRUN = "handler_overrun"
SAMPLED_JOBS = 10


@dataclass(slots=True)
class _Hour:
    """The overruns on one queue since the one told last."""

    since: datetime
    ends: float
    count: int = 0
    expire_in_seconds: float = 0
    jobs: list[Any] = field(default_factory=list)
    instance: Any = None


class Overruns:
    """The open hours of all queues."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._hours: dict[str, _Hour] = {}

    def add(self, warning: WarningEvent) -> WarningEvent | None:
        """Count one; what to store of it now, if it is the first of its hour."""
        queue, jobs = str(warning.data.get("queue")), list(warning.data.get("jobs", ()))
        hour = self._hours.get(queue)
        if hour is None:
            opened = self._open(queue)
            span = {"count": 1, "since": _text(opened.since), "until": _text(opened.since)}
            return WarningEvent(warning.type, warning.message, {**warning.data, **span, "jobs": jobs[:SAMPLED_JOBS]})
        hour.count += 1
        hour.expire_in_seconds = max(hour.expire_in_seconds, warning.data.get("expireInSeconds", 0))
        hour.jobs = [*hour.jobs, *jobs][-SAMPLED_JOBS:]
        hour.instance = warning.data.get("instance")
        return None

    def seconds_left(self) -> float | None:
        """Until the first hour ends; ``None`` when none is open."""
        ends = min((hour.ends for hour in self._hours.values()), default=None)
        return None if ends is None else max(ends - monotonic(), 0.0)

    def ended(self) -> list[WarningEvent]:
        """What to store of the hours that are over."""
        now = monotonic()
        over = [(queue, hour) for queue, hour in self._hours.items() if hour.ends <= now]
        found = [self._close(queue, hour) for queue, hour in over if hour.count]
        for queue, hour in over:
            if hour.count:
                self._open(queue)
            else:
                del self._hours[queue]
        return found

    def all(self) -> list[WarningEvent]:
        """What to store of every hour, because there will be no more of them."""
        hours, self._hours = self._hours, {}
        return [self._close(queue, hour) for queue, hour in hours.items() if hour.count]

    def _open(self, queue: str) -> _Hour:
        hour = self._hours[queue] = _Hour(datetime.now(UTC), monotonic() + self._seconds)
        return hour

    def _close(self, queue: str, hour: _Hour) -> WarningEvent:
        until = datetime.now(UTC)
        data = {
            "type": HANDLER_OVERRUN,
            "instance": hour.instance,
            "queue": queue,
            "count": hour.count,
            "since": _text(hour.since),
            "until": _text(until),
            "expireInSeconds": hour.expire_in_seconds,
            "jobs": hour.jobs,
        }
        message = (
            f"Queue {queue}: {hour.count} handlers were still running after their {hour.expire_in_seconds:g} s between "
            f"{data['since']} and {data['until']}. Their jobs were failed, and each kept its place until it returned."
        )
        return WarningEvent(HANDLER_OVERRUN, message, data)


def _text(time: datetime) -> str:
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")
