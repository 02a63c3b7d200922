"""Growing pauses between attempts at something that keeps failing."""

from __future__ import annotations

from random import uniform

__all__ = ["Backoff"]


class Backoff:
    """Pauses that double from ``first`` to ``last`` seconds, each shortened at random by up to a quarter.

    Without the randomness all workers of a fleet would come back in the same instant when their database does.
    """

    def __init__(self, first: float = 0.25, last: float = 3.0) -> None:
        self._first = first
        self._last = last
        self._next = first

    @property
    def is_growing(self) -> bool:
        """Whether the last attempt failed."""
        return self._next > self._first

    def pause(self) -> float:
        """Seconds to wait after one more failure."""
        pause, self._next = self._next, min(self._next * 2, self._last)
        return uniform(pause * 0.75, pause)  # noqa: S311  not a secret

    def reset(self) -> None:
        """Begin anew, after a success."""
        self._next = self._first
