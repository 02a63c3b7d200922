"""How fast a handler works, and how many jobs ahead of it may therefore be claimed."""

from __future__ import annotations

__all__ = ["Pace"]

AHEAD_SECONDS = 0.2
MOST_AHEAD = 4000
WEIGHT = 0.05


class Pace:
    """A running mean of handler times, from which the prefetch follows.

    Prefetched work must start within a fifth of a second, or another process could have started it sooner; and only
    on standard queues, because elsewhere a claimed job may block others.
    """

    def __init__(self, concurrency: int) -> None:
        self._concurrency = concurrency
        self._observed = 0
        self._mean_seconds = 0.0
        self.may_prefetch = False

    def observe(self, seconds: float) -> None:
        """Take one handler's time into account; a slow one counts at once, quick ones little by little."""
        self._observed += 1
        if seconds > self._mean_seconds:
            self._mean_seconds = seconds if self._observed <= self._concurrency else self._mix(seconds, WEIGHT * 4)
        else:
            self._mean_seconds = self._mix(seconds, WEIGHT)

    def forget(self) -> None:
        """Begin anew: what was observed is no longer true."""
        self._observed = 0
        self._mean_seconds = 0.0

    def _mix(self, seconds: float, weight: float) -> float:
        return self._mean_seconds * (1 - weight) + seconds * weight

    def room(self, free: int, waiting: int) -> int:
        """How many jobs to claim where so many could start at once, and so many wait already; 0: none for now."""
        ahead = self._ahead()
        room = free + ahead - waiting
        # Where jobs are claimed ahead, many tiny claims would cost more than they start.
        return room if room >= max(1, ahead // 2) else 0

    def _ahead(self) -> int:
        """How many jobs may wait beyond those that run."""
        if not self.may_prefetch or self._observed < self._concurrency:
            return 0
        return min(MOST_AHEAD, int(self._concurrency * AHEAD_SECONDS / max(self._mean_seconds, 0.000_1)))
