"""The heart: keeps the leases of all claimed jobs of a process, from a thread and a connection of its own.

Theory. A job with ``heartbeat_seconds`` is leased: whoever works it must refresh ``heartbeat_on`` before that many
seconds have passed, or a sweep fails the attempt and somebody else runs the job. Two things can go wrong.

*The event loop is blocked* by a handler that does not await. Were the beat sent from the loop, every job of the
process would lose its lease. So the heart has a thread, and a connection that nothing else waits for.

*The beat does not get through.* Then the lease may have run out without our knowing. Two clocks tell: the row, when a
beat does get through and an attempt does not come back (it is no longer active under our claim); and the monotonic
clock, when no beat has got through for longer than the lease. In both cases the handler must stop, for another worker
may be running the job by now. Its late result is refused by the fence in any case; stopping spares the double work.

A beat is due after a third of the shortest lease, so that one lost beat costs nothing. It waits for its answer for as
long at most: then the connection leads nowhere any more, and the next beat takes another one. To connect may take
longer than a lease, so the monotonic clock is read elsewhere: the event loop calls ``give_up_expired``. Where the loop
is blocked, no handler could be stopped anyway.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import inf
from time import monotonic

from pgboss.core.job import Job
from pgboss.core.names import SchemaName
from pgboss.drivers.psycopg import LoneConnection
from pgboss.errors import LeaseLostError
from pgboss.runtime.backoff import Backoff
from pgboss.sql import settle
from pgboss.worker.records import job_fields

__all__ = ["Heart"]

BEATS_A_LEASE = 3
LONGEST_BEAT_SECONDS = 5.0

logger = logging.getLogger("pgboss.worker")


@dataclass(slots=True, eq=False)
class _Lease:
    """What jobs have in common that were claimed together: each beat is for all of them."""

    seconds: int
    beaten_at: float
    refresh_seconds: float

    @property
    def ends_at(self) -> float:
        return self.beaten_at + self.seconds


class Heart:
    """Holds leases; ``on_lost`` is called, from whatever thread, with jobs that may be running elsewhere."""

    def __init__(
        self,
        conninfo: str,
        schema: SchemaName,
        on_lost: Callable[[list[Job]], None],
        on_error: Callable[[Exception], None] = lambda error: None,
    ) -> None:
        """``on_error`` is called likewise, with why a beat did not get through, and that a lease ran out over it."""
        self._connection = LoneConnection(conninfo)
        self._schema = schema
        self._on_lost = on_lost
        self._on_error = on_error
        # By the number of the job's id: ids themselves take long to hash, and this is done for every job.
        self._leases: dict[int, tuple[Job, _Lease]] = {}
        self._wakes_at = inf
        self._changed = threading.Condition()
        self._beating = threading.Lock()
        self._stopping = False
        self._thread: threading.Thread | None = None
        self._backoff = Backoff(first=0.5, last=2.0)
        self._next_beat = 0.0

    def hold(self, jobs: Sequence[Job], claimed_at: float, refresh_seconds: float | None = None) -> None:
        """Keep the leases of jobs claimed at this moment of the monotonic clock (before the claim was sent).

        They are renewed after ``refresh_seconds``, but not later than after half of the lease; after a third of it
        where nothing is said.
        """
        every = {job.heartbeat_seconds for job in jobs}
        leases = {
            seconds: _Lease(seconds, claimed_at, _refresh(seconds, refresh_seconds))
            for seconds in every
            if seconds is not None
        }
        if not leases:
            return
        held = {job.id.int: (job, leases[job.heartbeat_seconds]) for job in jobs if job.heartbeat_seconds is not None}
        with self._changed:
            self._leases.update(held)
            if self._thread is None:
                self._thread = threading.Thread(target=self._beat_until_stopped, name="pgboss-heart", daemon=True)
                self._thread.start()
            if claimed_at + min(lease.refresh_seconds for lease in leases.values()) < self._wakes_at:
                self._changed.notify()

    def release(self, jobs: Iterable[Job]) -> None:
        """Stop keeping the leases of jobs that are settled."""
        with self._changed:
            for job in jobs:
                number = job.id.int
                held = self._leases.pop(number, None)
                # A job that came back to us meanwhile has a lease of its own.
                if held is not None and held[0] is not job and held[0].started_on != job.started_on:
                    self._leases[number] = held

    @property
    def holds_any(self) -> bool:
        """Whether there is a lease to keep."""
        return bool(self._leases)

    def beat_now(self) -> None:
        """Beat once from the calling thread, if anything is held."""
        with self._beating:
            self._beat()

    def give_up_expired(self) -> None:
        """Give up the leases that have run out because no beat got through; to be called several times a second."""
        now = monotonic()
        with self._changed:
            expired = [(job, lease) for job, lease in self._leases.values() if lease.ends_at <= now]
            self._drop([job for job, _ in expired], "no heartbeat got through")
        # Not of leases that somebody else has ended, by cancelling the job for example: nothing went wrong then.
        for job, lease in expired:
            self._on_error(
                LeaseLostError(
                    f"No heartbeat of job {job.id} of queue {job.name} got through for {lease.seconds} s: "
                    "somebody else may be running it."
                )
            )

    def stop(self) -> None:
        """End the thread; nobody waits for it, and it does not wait for the answer to a beat."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        self._connection.cut()

    def _beat_until_stopped(self) -> None:
        while self._wait_for_a_beat():
            with self._beating:
                self._beat()
        self._connection.close()

    def _wait_for_a_beat(self) -> bool:
        with self._changed:
            while not self._stopping:
                pause = self._pause()
                if pause is not None and pause <= 0:
                    return True
                self._wakes_at = inf if pause is None else monotonic() + pause
                self._changed.wait(pause)
            return False

    def _pause(self) -> float | None:
        """Seconds until the next beat; ``None`` when nothing is held."""
        if not self._leases:
            return None
        due = min(lease.beaten_at + lease.refresh_seconds for _, lease in self._leases.values())
        return max(due, self._next_beat) - monotonic()

    def _beat(self) -> None:
        with self._changed:
            beaten = list(self._leases.values())
        if not beaten:
            return
        began = monotonic()
        attempts = [job for job, _ in beaten]
        leases = {lease for _, lease in beaten}
        try:
            statement = settle.beat(self._schema, [job.name for job in attempts], attempts)
            rows = self._connection.execute(statement, within_seconds=_patience(leases))
        except Exception as error:  # noqa: BLE001  a heart that died would lose every lease
            if not self._backoff.is_growing:
                logger.warning("the heartbeat of %d jobs did not get through: %s", len(beaten), error)
            self._on_error(error)
            self._next_beat = monotonic() + self._backoff.pause()
            return
        self._backoff.reset()
        self._next_beat = 0.0
        ours = set(rows.column())
        with self._changed:
            for lease in leases:
                lease.beaten_at = began
            gone = [job for job in attempts if job.id not in ours and self._is_held(job)]
            self._drop(gone, "somebody else has settled or claimed it")

    def _is_held(self, job: Job) -> bool:
        held = self._leases.get(job.id.int)
        return held is not None and held[0] is job

    def _drop(self, jobs: list[Job], reason: str) -> None:
        """Give leases up, holding the lock."""
        if not jobs:
            return
        for job in jobs:
            del self._leases[job.id.int]
            logger.warning(
                "the lease of job %s of queue %s is lost: %s", job.id, job.name, reason, extra=job_fields(job)
            )
        self._on_lost(jobs)


def _patience(leases: Iterable[_Lease]) -> float:
    return min(LONGEST_BEAT_SECONDS, min(lease.seconds for lease in leases) / BEATS_A_LEASE)


def _refresh(lease_seconds: int, wanted: float | None) -> float:
    # Beyond half of a lease, the first beat that is late or lost ends it.
    return lease_seconds / BEATS_A_LEASE if wanted is None else min(wanted, lease_seconds / 2)
