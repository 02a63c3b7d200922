"""How pages write numbers, durations and times where no script does it better."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

__all__ = ["FILTERS", "duration", "iso", "number", "size", "utc"]

_UNITS = (("d", 86_400), ("h", 3600), ("min", 60), ("s", 1))
_SIZES = ("B", "kB", "MB", "GB", "TB")


def number(count: float) -> str:
    """A count with its thousands set apart."""
    return f"{count:,}"


def duration(seconds: float) -> str:
    """A length of time in the two units that matter: ``90 ms``, ``3.2 s``, ``2 h 5 min``."""
    if seconds < 0:
        return f"-{duration(-seconds)}"
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms" if seconds else "0 s"
    if seconds < 10 and seconds != int(seconds):
        return f"{seconds:.1f} s"
    return _two_units(round(seconds))


def _two_units(seconds: int) -> str:
    unit, width = next((unit, width) for unit, width in _UNITS if seconds >= width)
    whole, rest = divmod(seconds, width)
    below = next(((name, wide) for name, wide in _UNITS if wide < width), None)
    if below is None or not rest // below[1]:
        return f"{whole} {unit}"
    return f"{whole} {unit} {rest // below[1]} {below[0]}"


def size(size_bytes: float) -> str:
    """An amount of memory: ``512 B``, ``1.5 GB``."""
    amount, power = float(size_bytes), 0
    while amount >= 1024 and power < len(_SIZES) - 1:
        amount, power = amount / 1024, power + 1
    return f"{amount:.1f} {_SIZES[power]}" if power and amount < 10 else f"{amount:.0f} {_SIZES[power]}"


def iso(at: datetime) -> str:
    """An instant as machines read it."""
    return at.isoformat()


def utc(at: datetime) -> str:
    """An instant for those without scripts, who may be in any zone."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def as_json(value: Any) -> str:
    """JSON for an attribute; the template escapes it."""
    return json.dumps(value, separators=(",", ":"))


def pretty(value: Any) -> str:
    """JSON for people."""
    return json.dumps(value, indent=2, ensure_ascii=False)


FILTERS: Mapping[str, Callable[[Any], str]] = {
    "number": number,
    "duration": duration,
    "size": size,
    "iso": iso,
    "utc": utc,
    "json": as_json,
    "pretty": pretty,
}
