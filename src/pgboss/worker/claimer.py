"""The claimer of one worker: when to ask for jobs, how, and where in the queue to begin.

It asks again at once while full batches come back. A batch that is not full means that the queue is drained; it then
sleeps until it is told to look again, by a notification or by the lookout, which knows when the next job falls due.
The claim after that is ready by then wherever it is known what it will be, and begins with the notification itself.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from time import monotonic
from typing import Any

from pgboss.core.frontier import Frontier
from pgboss.core.job import Job
from pgboss.core.options import FetchOptions
from pgboss.core.query import Steps
from pgboss.core.queue import QueueCatalog
from pgboss.core.work_options import WorkOptions
from pgboss.drivers.psycopg import Ahead
from pgboss.drivers.runner import Run
from pgboss.operations import fetch as operations
from pgboss.runtime.backoff import Backoff
from pgboss.runtime.wakeup import Wakeup
from pgboss.runtime.watch import Watch
from pgboss.worker.front import Front
from pgboss.worker.groups import GroupPlaces
from pgboss.worker.hearing import Hearing

__all__ = ["Claimed", "Claimer", "Lock"]

CLAIMS_REMEMBERED = 16
SENT_LATER_SECONDS = 1.0
"""So much later the next claim may begin without leaving out more for that."""
FEW = 10
"""What a claim that begins by itself asks for, where a batch is not more. Seldom are more jobs announced at once, and
they are claimed right after it; and for a few there is still room when the room has become another one meanwhile."""

logger = logging.getLogger("pgboss.worker")

Lock = Callable[[FetchOptions, Frontier | None], Awaitable[list[Job] | None]]


@dataclass(frozen=True, slots=True)
class Claimed:
    """What a claim has brought.

    Attributes:
        jobs: the most urgent first, and of those the oldest.
        claimed_at: when the claim was sent, by the monotonic clock: from then on their time runs.
        are_leased: whether they are active; else they are only locked.
    """

    jobs: list[Job]
    claimed_at: float
    are_leased: bool


@dataclass(frozen=True, slots=True)
class _Claim:
    """How many jobs are asked for, and where it begins to look."""

    wanted: int
    frontier: Frontier | None


@dataclass(slots=True)
class _Next:
    """The next claim, which begins by itself when jobs are announced; and whether we were told what made it begin."""

    claim: _Claim
    ahead: Ahead[Any]
    is_told: bool = False


class Claimer:
    """Claims the jobs of one queue, as many as there is room for."""

    def __init__(
        self,
        name: str,
        options: WorkOptions,
        *,
        room: Callable[[], int],
        on_claimed: Callable[[Claimed], None],
        on_failed: Callable[[Exception, bool], None],
        on_left_out: Callable[[], object],
        run: Run,
        lock: Lock | None,
        hearing: Hearing | None,
        catalog: Callable[[], QueueCatalog],
        places: GroupPlaces,
        watch: Watch,
    ) -> None:
        """``room`` says how many jobs may be claimed now; ``lock`` locks jobs, or leaves them to be leased.

        ``on_failed`` hears of each failure, and whether it is the first of a series; ``on_left_out``, that claims
        may have begun to leave out what somebody has to look for soon.
        """
        self._name = name
        self._options = options
        # A worker that waits for jobs asks for as many each time, and each job waits for the options to be checked.
        self._options_of_claim = lru_cache(CLAIMS_REMEMBERED)(options.fetch_options)
        self._room = room
        self._on_claimed = on_claimed
        self._on_failed = on_failed
        self._on_left_out = on_left_out
        self._run = run
        self._lock = lock
        self._hearing = hearing
        self._catalog = catalog
        self._places = places
        self._watch = watch
        self._front = Front()
        self._wakeup = Wakeup()
        self._backoff = Backoff()
        self._is_drained = False
        self._stopping = False
        self._next: _Next | None = None
        self._is_asleep = False
        self.is_traced = False
        """Whether the jobs of the last claim, or of the one under way, come with the trace of their sender."""
        self.jobs_are_independent = False
        """Whether no job of the queue, as of the last claim, keeps another from being claimed."""
        self.is_announced = False
        """Whether the queue, as of the last claim, announces new jobs."""

    @property
    def is_asleep(self) -> bool:
        """Whether it waits to be told that there may be jobs, or room for them."""
        return self._is_asleep and (self._next is None or not self._next.ahead.is_under_way)

    @property
    def look_at(self) -> float:
        """When to look for what claims may have left out, by the monotonic clock; never, while that is nothing."""
        return self._front.look_at

    def left_out(self) -> Frontier | None:
        """What claims may have left out lies before this; ``None``: they have left out nothing."""
        return self._front.left_out(monotonic())

    def looked(self, began: float) -> None:
        """Somebody has looked for due jobs and found none."""
        self._front.looked(began)

    async def serve(self) -> None:
        """Claim jobs, until told to stop."""
        while not self._stopping:
            wanted = self._room()
            if wanted and not self._is_drained:
                await self._claim(wanted)
            else:
                await self._sleep()

    def stop(self) -> None:
        """Claim no more."""
        self._stopping = True
        self._wakeup.set()

    def look(self) -> None:
        """Claim now, from the front: there may be due jobs, new or old."""
        self._front.forget(monotonic())
        self._claim_again()

    def announced(self) -> None:
        """Claim now: new jobs are there. The first time that is what has made a claim begin by itself."""
        if self._next is not None and self._next.ahead.is_under_way and not self._next.is_told:
            self._next.is_told = True
        else:
            self._claim_again()

    def _claim_again(self) -> None:
        self._places.look_again()
        self._is_drained = False
        self._wakeup.set()

    def room_freed(self) -> None:
        """Claim more if there may be more."""
        if not self._is_drained:
            self._wakeup.set()

    def key_freed(self) -> None:
        """Claim again where a job that is over may have held back others: those of its key, or of its group."""
        if not self.jobs_are_independent:
            self._is_drained = False
            self._wakeup.set()

    def let_go(self) -> None:
        """Claimed jobs have become free again: claim once more when there is room."""
        self._is_drained = False

    async def _sleep(self) -> None:
        """Wait to be woken, while the next claim may begin by itself; one that has begun is seen to its end."""
        self._next = self._arm(self._room() if self._is_drained else 0)
        self._is_asleep = True
        try:
            await self._wakeup.wait(None)
            while self._next is not None and self._next.ahead.is_under_way:
                await self._wakeup.wait(None)
        finally:
            self._is_asleep = False
            begun, self._next = self._next, None
            if begun is not None and self._hearing is not None:
                self._hearing.disarm(begun.ahead)
        if begun is None or begun.ahead.sent_at is None or begun.ahead.over_at is None:
            return
        if begun.ahead.rest is None:
            self._learn(begun.claim, begun.ahead.sent_at, begun.ahead.over_at, begun.ahead.value)
        else:
            # What it brings is claimed from now on.
            await self._receive(begun.claim, self._leased(begun.ahead.rest, monotonic()))

    def _arm(self, wanted: int) -> _Next | None:
        """Have the next claim begin as soon as jobs are announced, where it is known by now what it will be."""
        if self._hearing is None or not wanted or not self.is_announced:
            return None
        if self._lock is not None or self._options.local_limits is not None:
            return None
        catalog = self._catalog()
        queue = catalog.get(self._name)
        if queue is None:
            return None

        def may_begin() -> bool:
            has_room = not self._stopping and self._room() >= claim.wanted
            # The catalog forgets, because a queue may have been made anew since.
            return has_room and self._catalog().get(self._name) == queue

        def over(ahead: Ahead[Any]) -> None:
            # Also when the jobs cannot be taken on; it is for whoever waits that it is over.
            self._wakeup.set()
            if ahead.rest is None:
                assert ahead.sent_at is not None
                # The jobs first. What else it tells can wait until they have started, and we have woken up.
                ahead.value.sort(key=_urgency)
                self._on_claimed(Claimed(ahead.value, ahead.sent_at, are_leased=True))

        few = min(wanted, max(FEW, self._options.jobs_a_call))
        claim = self._prepared(few, catalog, monotonic(), later_seconds=SENT_LATER_SECONDS)
        ahead = self._hearing.arm(self._name, self._fetching(catalog, claim), may_begin, over)
        return None if ahead is None else _Next(claim, ahead)

    async def _claim(self, wanted: int) -> None:
        # Set before, because a notification that comes meanwhile may be of a job too young for this claim to see.
        self._is_drained = True
        claimed_at = monotonic()
        catalog = self._catalog()
        claim = self._prepared(wanted, catalog, claimed_at)
        await self._receive(claim, self._locked_or_leased(catalog, claim, claimed_at))

    async def _locked_or_leased(self, catalog: QueueCatalog, claim: _Claim, claimed_at: float) -> Claimed:
        if self._lock is not None:
            locked = await self._lock(self._fetch_options(claim.wanted), claim.frontier)
            if locked is not None:
                return Claimed(locked, claimed_at, are_leased=False)
        return await self._leased(self._fetching(catalog, claim), claimed_at)

    async def _leased(self, fetching: Steps[Any], claimed_at: float) -> Claimed:
        return Claimed(await self._run(fetching), claimed_at, are_leased=True)

    async def _receive(self, claim: _Claim, coming: Awaitable[Claimed]) -> None:
        try:
            claimed = await coming
        except Exception as error:  # noqa: BLE001  a claimer that died would leave its queue to nobody
            self._is_drained = False
            self._on_failed(error, not self._backoff.is_growing)
            await self._wakeup.wait(self._backoff.pause())
            return
        fetched_at = monotonic()
        claimed.jobs.sort(key=_urgency)
        self._learn(claim, claimed.claimed_at, fetched_at, claimed.jobs)
        self._on_claimed(claimed)

    def _prepared(self, wanted: int, catalog: QueueCatalog, now: float, *, later_seconds: float = 0.0) -> _Claim:
        # Asked once a claim: whether anybody receives telemetry takes a while to find out.
        self.is_traced = self._watch.is_traced
        are_independent = self._finds_independent(catalog)
        return _Claim(wanted, self._front.begin(now, later_seconds=later_seconds) if are_independent else None)

    def _fetching(self, catalog: QueueCatalog, claim: _Claim) -> Steps[Any]:
        options = self._options
        fetch: Callable[..., Steps[Any]] = operations.fetch_details if options.has_metadata else operations.fetch
        return fetch(
            catalog,
            self._name,
            self._fetch_options(claim.wanted),
            lease_seconds=options.lease,
            is_traced=self.is_traced,
            frontier=claim.frontier,
        )

    def _fetch_options(self, wanted: int) -> FetchOptions:
        limits = self._options.local_limits
        if limits is None:
            return self._options_of_claim(wanted)
        return self._options.fetch_options(wanted, self._places.full(limits))

    def _learn(self, claim: _Claim, claimed_at: float, fetched_at: float, jobs: list[Any]) -> None:
        """Conclude from a claim what the next one is to be."""
        if self._backoff.is_growing:
            logger.info("queue %s is being worked again", self._name)
        self._backoff.reset()
        catalog = self._catalog()
        queue = catalog.get(self._name)
        self.is_announced = queue is not None and queue.notify
        # Asked anew: the claim may be what has made the queue known.
        self.jobs_are_independent = self._finds_independent(catalog)
        # Where keys or groups are limited, a claim is cut short by jobs that had to give way to others of the same one.
        if len(jobs) == claim.wanted or (jobs and not self.jobs_are_independent):
            self._is_drained = False
        if not self.jobs_are_independent:
            return
        left_out = self._front.leaves_out
        if self._front.seen(claim.frontier, claimed_at, fetched_at, jobs, claim.wanted):
            self._is_drained = False
        if self._front.leaves_out and not left_out:
            self._on_left_out()

    def _finds_independent(self, catalog: QueueCatalog) -> bool:
        queue = catalog.get(self._name)
        return queue is not None and queue.policy == "standard" and not self._options.limits_groups


def _urgency(job: Job) -> tuple[int, datetime, int]:
    # The statement returns jobs in no particular order; within a batch the urgent and the old come first.
    # Of jobs that were sent together only the ids differ, and they compare much faster as numbers.
    return -job.priority, job.created_on, job.id.int
