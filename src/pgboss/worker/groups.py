"""How many jobs of each group this process works, queue by queue: what ``local_group_concurrency`` limits.

Only claims can limit groups, and a claim knows groups, not tiers: groups that are full by their highest limit are left
out of it. A job above the limit of its own tier may still come; it goes back uncounted, and its group is left out
until one of the group's jobs has returned, or until the next look at the queue.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from pgboss.core.groups import GroupConcurrency
from pgboss.core.job import Job

__all__ = ["GroupPlaces"]


class GroupPlaces:
    """The places that groups of one queue take in this process; jobs without a group take none."""

    def __init__(self) -> None:
        self._taken: Counter[str] = Counter()
        self._turned_away: set[str] = set()

    def admit(self, job: Job, limits: GroupConcurrency) -> bool:
        """Take a place for a job; whether there was one."""
        if job.group_id is None:
            return True
        limit = limits.tiers.get(job.group_tier or "", limits.default)
        if self._taken[job.group_id] >= limit:
            self._turned_away.add(job.group_id)
            return False
        self._taken[job.group_id] += 1
        return True

    def leave(self, jobs: Iterable[Job]) -> None:
        """Free the places of jobs that were admitted."""
        for job in jobs:
            if job.group_id is not None:
                self._taken[job.group_id] -= 1
                self._turned_away.discard(job.group_id)
                if self._taken[job.group_id] <= 0:
                    del self._taken[job.group_id]

    def look_again(self) -> None:
        """Let groups be claimed again from which a job was turned away."""
        self._turned_away.clear()

    def full(self, limits: GroupConcurrency) -> frozenset[str]:
        """The groups that the next claim should leave out."""
        highest = max(limits.limits)
        return frozenset(group for group, taken in self._taken.items() if taken >= highest) | self._turned_away
