"""What has happened to a job and what is to come, in order, as far as its row still tells."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from pgboss.core.job import JobDetails, JobGlance
from pgboss.insights import KnownAttempt, Lineage
from pgboss.web.dashboard.job_error import JobError, error_of

__all__ = ["Moment", "timeline"]


@dataclass(frozen=True, slots=True)
class Moment:
    """One entry.

    Attributes:
        title: what happened.
        kind: the state that it is painted in.
        at: when; ``None`` where that is not known.
        until: when it was over.
        error: why an attempt failed.
        job: another job that has to do with it.
        note: what else there is to say.
    """

    title: str
    kind: str = ""
    at: datetime | None = None
    until: datetime | None = None
    error: JobError | None = None
    job: JobGlance | None = None
    note: str | None = None

    @property
    def seconds(self) -> float | None:
        """How long it took."""
        return None if self.at is None or self.until is None else (self.until - self.at).total_seconds()


def timeline(lineage: Lineage) -> Sequence[Moment]:
    """The entries, the first one first. Outputs are told as they are: hide what is not to be seen before."""
    return [*_beginning(lineage.job), *_attempts(lineage.job, lineage.attempt), *_ending(lineage)]


def _beginning(job: JobDetails) -> Iterator[Moment]:
    yield Moment("Created", "created", at=job.created_on)
    if job.state == "created" and job.blocked:
        yield Moment("Waits for other jobs", "created", note=f"{job.pending_dependencies} are still to be completed.")
    elif job.state == "created" and job.start_after > job.created_on:
        yield Moment("Falls due", "created", at=job.start_after)


def _attempts(job: JobDetails, attempt: KnownAttempt | None) -> Iterator[Moment]:
    if attempt is None:
        return
    if attempt.number > 1:
        yield _earlier(attempt.number - 1)
    ended = {"active": "runs", "completed": "was completed", "failed": "failed", "cancelled": "was cancelled"}
    failed = attempt.outcome == "failed"
    yield Moment(
        f"Attempt {attempt.number} {ended[attempt.outcome]}",
        attempt.outcome,
        at=attempt.started_on,
        until=attempt.ended_on,
        error=error_of(attempt.output) if failed else None,
    )
    if job.state == "retry":
        yield Moment(f"Attempt {attempt.number + 1} falls due", "retry", at=job.start_after)


def _earlier(count: int) -> Moment:
    which = "Attempt 1" if count == 1 else f"Attempts 1 to {count}"
    return Moment(which, "retry", note="Failed, or given back. Of a job only the last attempt is stored.")


def _ending(lineage: Lineage) -> Iterator[Moment]:
    job = lineage.job
    if lineage.attempt is None and job.state in ("completed", "cancelled", "failed"):
        error = error_of(job.output) if job.state == "failed" else None
        yield Moment(f"Was {job.state} without an attempt", job.state, at=job.completed_on, error=error)
    for relative in lineage.history:
        if relative.kinship == "dead_letter" and relative.job.source_id == job.id:
            yield Moment("Copied as a dead letter", "failed", at=relative.job.created_on, job=relative.job)
