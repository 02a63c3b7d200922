"""A limit on how long something may go on computing."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic

__all__ = ["budget"]


def budget(seconds: float) -> Callable[[], bool]:
    """Begin a span of time; what is returned says whether it is over."""
    end = monotonic() + seconds
    return lambda: monotonic() > end
