"""The front of a queue as its worker knows it, so that claims need not walk over the dead rows before it.

A claim walks the queue from its most urgent job. Claimed jobs leave dead rows there, which VACUUM, or the next reader
of the index, removes, unless an old transaction anywhere in the server keeps them. Then each claim passes over all of
them again, about 0.15 ms for a thousand, and slows down for as long as that transaction lasts.

So claims begin behind what the last whole walk has found empty. They leave out what turns up before it: jobs committed
late, retries, jobs that fell due or were resumed. A whole walk finds those, ``WHOLE_WALK_SECONDS`` after the last one
at the latest, also when nobody wakes the worker. Where whole walks are as fast as others, there is nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from math import inf

from pgboss.core.frontier import Frontier
from pgboss.core.job import Job

__all__ = ["Front"]

WHOLE_WALK_SECONDS = 0.7
"""No due job waits a second for being left out, the time of the walk included."""
LATE_SECONDS = 1.0
"""Most jobs are committed, and seen, so soon after they were created."""
SECONDS_A_JOB = 0.000_04
"""What claiming a job takes, roughly: it is not the walk's time."""
SLOWER, SLOWER_SECONDS = 1.25, 0.000_1
"""Whole walks are slow that take so many times as long as partial ones, and so much longer."""
WHOLE_WEIGHT, PARTIAL_WEIGHT, FASTER_WEIGHT = 0.1, 0.5, 0.1
"""What a walk counts against those before it. On a machine that has slept each takes as long as it likes, so that no
single one tells; a whole walk that is faster than partial ones says that these have become faster, too."""
PROBE_SECONDS = 60.0
"""How long partial walks are remembered: servers and networks change."""


class Front:
    """What the claims of one worker have shown. Times are those of a monotonic clock, in seconds."""

    def __init__(self) -> None:
        self._priority = 0
        self._since: datetime | None = None
        self._at = -inf
        self._has_more = False
        self._is_slow = True
        self._whole_seconds = self._partial_seconds = inf
        self._probe_at = -inf
        self.is_partial = False
        """Whether something may have been left out since the last whole walk."""

    def begin(self, now: float, *, later_seconds: float = 0.0) -> Frontier | None:
        """Where the next claim may begin; ``None``: at the front, and :meth:`seen` must be told.

        The claim may be sent ``later_seconds`` later: more than it needs does no harm.
        """
        if now >= self._at + WHOLE_WALK_SECONDS or not (self._has_more or self._is_slow):
            return None
        return Frontier(self._priority, self._since, now + later_seconds - self._at + LATE_SECONDS)

    def seen(self, frontier: Frontier | None, began: float, ended: float, jobs: Sequence[Job], wanted: int) -> bool:
        """Learn from a claim, the most urgent of its jobs first; whether to claim again at once, from the front."""
        has_more = len(jobs) == wanted
        if frontier is not None:
            self.is_partial = True
            self._partial_seconds = _mixed(
                self._partial_seconds, _walk_seconds(ended - began, len(jobs)), PARTIAL_WEIGHT
            )
            if self._has_more and not has_more:
                self.forget()
                return True
            if has_more and jobs[0].priority <= self._priority:
                self._since = jobs[0].created_on
            return False
        self.is_partial = False
        self._at, self._has_more = began, has_more
        self._since = jobs[0].created_on if has_more else None
        if jobs:
            self._priority = jobs[0].priority
        self._judge(began, _walk_seconds(ended - began, len(jobs)))
        return False

    def forget(self) -> None:
        """Begin at the front next time: something has turned up there."""
        self._at = -inf

    def seconds_left(self, now: float) -> float | None:
        """The time until the whole walk that is owed to what was left out; ``None``: nothing was."""
        return max(0.0, self._at + WHOLE_WALK_SECONDS - now) if self.is_partial else None

    def _judge(self, now: float, seconds: float) -> None:
        if now >= self._probe_at:
            # The next claim is a partial one, to compare with.
            self._whole_seconds = self._partial_seconds = inf
            self._is_slow, self._probe_at = True, now + PROBE_SECONDS
            return
        self._whole_seconds = _mixed(self._whole_seconds, seconds, WHOLE_WEIGHT)
        if seconds < self._partial_seconds:
            self._partial_seconds = _mixed(self._partial_seconds, seconds, FASTER_WEIGHT)
        self._is_slow = self._whole_seconds > SLOWER * self._partial_seconds + SLOWER_SECONDS


def _mixed(mean: float, seconds: float, weight: float) -> float:
    return seconds if mean == inf else mean * (1 - weight) + seconds * weight


def _walk_seconds(seconds: float, jobs: int) -> float:
    return max(0.0, seconds - jobs * SECONDS_A_JOB)
