"""Times and durations in few words."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise

__all__ = ["age", "duration", "moment", "seconds"]

_UNITS = (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1))


def age(span: timedelta) -> str:
    """``12 s``, ``3 m``, ``4 d``: one unit, for a table; a negative span is zero."""
    whole = max(int(span.total_seconds()), 0)
    unit, size = next(((unit, size) for unit, size in _UNITS if whole >= size), _UNITS[-1])
    return f"{whole // size} {unit}"


def duration(span: timedelta) -> str:
    """``0.25 s``, ``12 s``, ``3 m 20 s``, ``4 d 3 h``: at most two units; a negative span is zero."""
    exact = max(span.total_seconds(), 0.0)
    if exact < 10:
        return f"{round(exact, 2):g} s"
    whole = round(exact)
    for (unit, size), (smaller, smaller_size) in pairwise(_UNITS):
        if whole >= size:
            rest = whole % size // smaller_size
            return f"{whole // size} {unit} {rest} {smaller}" if rest else f"{whole // size} {unit}"
    return f"{whole} s"


def seconds(count: int | None) -> str:
    """Whole seconds of an option, with what they amount to: ``86400 s (1 d)``."""
    if count is None:
        return "none"
    return f"{count} s" if count < 120 else f"{count} s ({duration(timedelta(seconds=count))})"


def moment(time: datetime | None) -> str:
    """A time in the user's own zone."""
    return "" if time is None else time.astimezone().isoformat(sep=" ", timespec="milliseconds")
