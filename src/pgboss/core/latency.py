"""Histograms of how long jobs waited and ran, as pg-boss keeps them: docs/compatibility.md, "Statistics".

A histogram is 48 counts. The first slot holds what took less than 10 ms; each of the next 46 reaches √2 times as far as
the one before, the last of them to about a day; the last slot holds everything beyond. They add up: those of many
queues or days, summed slot by slot, are read like those of one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from pgboss.errors import ValidationError

__all__ = ["LATENCY_SLOTS", "LOWEST_SECONDS", "add_bins", "check_percentile", "percentile"]

LATENCY_SLOTS = 48
LOWEST_SECONDS = 0.01
_GROWTH = math.sqrt(2)


def add_bins(first: Sequence[int] | None, second: Sequence[int] | None) -> list[int] | None:
    """Sum two histograms slot by slot; ``None`` counts as empty, and two of them stay ``None``.

    Raises:
        ValidationError: they have different numbers of slots.
    """
    if first is None or second is None:
        only = second if first is None else first
        return None if only is None else list(only)
    if len(first) != len(second):
        raise ValidationError(f"Histograms of {len(first)} and of {len(second)} slots cannot be added.")
    return [one + other for one, other in zip(first, second, strict=True)]


def percentile(bins: Sequence[int] | None, p: float) -> float | None:
    """Estimate the seconds within which ``p`` percent of a histogram's jobs were through; ``None`` when it is empty.

    Below 10 ms and beyond a day the answer is the edge of the slot; in between it lies within the slot, at most √2 off.

    Raises:
        ValidationError: ``p`` is not from 1 to 100.
    """
    check_percentile("p", p)
    total = sum(bins or ())
    if not bins or not total:
        return None
    target, slot, seen = p / 100 * total, 0, 0
    last = len(bins) - 1
    while slot < last and not (bins[slot] > 0 and seen + bins[slot] >= target):
        seen += bins[slot]
        slot += 1
    if slot == 0:
        return LOWEST_SECONDS
    edge = LOWEST_SECONDS * math.pow(_GROWTH, slot - 1)
    return edge if slot == last else edge * math.pow(_GROWTH, (target - seen) / bins[slot])


def check_percentile(name: str, value: object) -> float:
    """Return the value if it is a percentage from 1 to 100.

    Raises:
        ValidationError: it is not.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not 1 <= value <= 100:
        raise ValidationError(f"{name} must be a percentage from 1 to 100, such as 95, not {value!r}.")
    return value
