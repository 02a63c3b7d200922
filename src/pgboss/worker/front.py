"""The front of a queue as its worker knows it, so that claims need not walk over the dead rows before it.

A claim walks the queue from its most urgent job. Claimed jobs leave dead rows there, which VACUUM, or the next reader
of the index, removes, unless an old transaction anywhere in the server keeps them. Then each claim passes over all of
them again, about 0.15 ms for a thousand, and slows down for as long as that transaction lasts.

So claims begin behind what was found empty. They leave out what turns up before it: jobs committed late, retries, jobs
that fell due or were resumed. The lookout looks there soon after a claim that may have left something out, on another
connection, so that no claim waits for it; what it finds a whole walk claims. Where whole walks are as fast as others,
there is nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from math import inf

from pgboss.core.frontier import Frontier
from pgboss.core.job import Job

__all__ = ["Front"]

LATE_SECONDS = 1.0
"""Most jobs are committed, and seen, so soon after they were created."""
LEFT_OUT_SECONDS = 0.6
"""How long claims may leave something out: no due job waits a second for that, the walk to it included."""
WHOLE_WALK_SECONDS = 0.7
"""So often claims walk all the same, to know how long it takes by now."""
SECONDS_A_JOB = 0.000_04
"""What claiming a job takes, roughly: it is not the walk's time."""
SLOWER, SLOWER_SECONDS = 1.25, 0.000_1
"""Whole walks are slow that take so many times as long as partial ones, and so much longer."""
MUCH_SLOWER, MUCH_SLOWER_SECONDS = 4.0, 0.002
"""Beyond this one walk tells enough, and no claim has to wait for another one."""
ENOUGH_WALKS = 10
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
        self._last_walk_at = self._forgot_at = -inf
        self._next_walk_at = -inf
        # As of when nothing due lay before the frontier.
        self._empty_at = -inf
        # When the last claim left something out, perhaps, and until which creation at most.
        self._left_at = self._left_until = -inf
        self._has_more = False
        self._is_slow = True
        self._whole_seconds = self._partial_seconds = inf
        self._whole_walks = 0
        self._probe_at = -inf

    def begin(self, now: float, *, later_seconds: float = 0.0) -> Frontier | None:
        """Where the next claim may begin; ``None``: at the front, and :meth:`seen` must be told.

        The claim may be sent ``later_seconds`` later: more than it needs does no harm.
        """
        if self._is_forgotten or now >= self._next_walk_at or not (self._has_more or self._is_slow):
            return None
        return Frontier(self._priority, self._since, now + later_seconds - self._empty_at + LATE_SECONDS)

    def seen(self, frontier: Frontier | None, began: float, ended: float, jobs: Sequence[Job], wanted: int) -> bool:
        """Learn from a claim, the most urgent of its jobs first; whether to claim again at once, from the front."""
        has_more = len(jobs) == wanted
        if frontier is not None:
            self._left_at = began
            self._left_until = max(self._left_until, began - frontier.seconds)
            self._partial_seconds = _mixed(
                self._partial_seconds, _walk_seconds(ended - began, len(jobs)), PARTIAL_WEIGHT
            )
            if self._has_more and not has_more:
                self.forget(ended)
                return True
            if not has_more:
                self._since = None
            elif jobs[0].priority <= self._priority:
                self._since = jobs[0].created_on
            return False
        self._last_walk_at = self._empty_at = began
        self._has_more = has_more
        self._since = jobs[0].created_on if has_more else None
        if jobs:
            self._priority = jobs[0].priority
        self._judge(began, _walk_seconds(ended - began, len(jobs)))
        return False

    def forget(self, now: float) -> None:
        """Begin at the front next time: something has turned up there."""
        self._forgot_at = now

    @property
    def leaves_out(self) -> bool:
        """Whether a claim may have left something out since somebody looked."""
        return not self._is_forgotten and self._left_at >= self._empty_at

    @property
    def look_at(self) -> float:
        """When to look for what claims may have left out; never, while that is nothing."""
        return self._empty_at + LEFT_OUT_SECONDS if self.leaves_out else inf

    def left_out(self, now: float) -> Frontier | None:
        """What claims may have left out lies before this; ``None``: they have left out nothing."""
        return Frontier(self._priority, self._since, now - self._left_until) if self.leaves_out else None

    def looked(self, began: float) -> None:
        """Nothing due lay before the frontier when somebody looked."""
        self._empty_at = max(self._empty_at, began)

    @property
    def _is_forgotten(self) -> bool:
        return self._forgot_at >= self._last_walk_at

    def _judge(self, now: float, seconds: float) -> None:
        self._next_walk_at = now + WHOLE_WALK_SECONDS
        if now >= self._probe_at:
            # The next claim is a partial one, to compare with.
            self._whole_seconds = self._partial_seconds = inf
            self._whole_walks = 0
            self._is_slow, self._probe_at = True, now + PROBE_SECONDS
            return
        if self._partial_seconds == inf:
            return
        self._whole_walks += 1
        self._whole_seconds = _mixed(self._whole_seconds, seconds, max(WHOLE_WEIGHT, 1 / self._whole_walks))
        if seconds < self._partial_seconds:
            self._partial_seconds = _mixed(self._partial_seconds, seconds, FASTER_WEIGHT)
        if self._whole_seconds > MUCH_SLOWER * self._partial_seconds + MUCH_SLOWER_SECONDS:
            self._is_slow, self._next_walk_at = True, self._probe_at
        else:
            is_slower = self._whole_seconds > SLOWER * self._partial_seconds + SLOWER_SECONDS
            self._is_slow = is_slower and self._whole_walks >= ENOUGH_WALKS


def _mixed(mean: float, seconds: float, weight: float) -> float:
    return seconds if mean == inf else mean * (1 - weight) + seconds * weight


def _walk_seconds(seconds: float, jobs: int) -> float:
    return max(0.0, seconds - jobs * SECONDS_A_JOB)
