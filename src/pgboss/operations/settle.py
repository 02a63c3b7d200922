"""Moving jobs from one state to another: complete, fail, cancel, resume, retry, touch, delete, give back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeAlias
from uuid import UUID

from pgboss.core.job import Attempt, Job, Settled
from pgboss.core.query import Query, Steps
from pgboss.core.queue import QueueCatalog, QueueRef
from pgboss.core.wire import output_text
from pgboss.errors import DatabaseError, JobConflictError, ValidationError
from pgboss.operations.queues import find_queue
from pgboss.sql import fail as sql_fail
from pgboss.sql import settle as sql

__all__ = [
    "JobRef",
    "JobRefs",
    "cancel",
    "complete",
    "delete_job",
    "fail",
    "resume",
    "retry",
    "touch",
]

UNIQUE_VIOLATION = "23505"

JobRef: TypeAlias = UUID | str | Job | Attempt
JobRefs: TypeAlias = JobRef | Iterable[JobRef]
"""One job or several: by id (whatever attempt it is at), or as claimed (that attempt and no other)."""


def attempts_from(jobs: JobRefs) -> list[Attempt]:
    """Read job references.

    Raises:
        ValidationError: there is none, one is unreadable, or ids and attempts are mixed.
    """
    several = [jobs] if isinstance(jobs, UUID | str | Job | Attempt) else list(jobs)
    if not several:
        raise ValidationError("At least one job is needed, as an id or as a job that was fetched.")
    attempts = [_attempt(job) for job in several]
    if len({attempt.retry_count is None for attempt in attempts}) > 1:
        raise ValidationError(
            "Give either ids or fetched jobs, not a mix: ids settle any attempt, jobs only their own."
        )
    return attempts


def _attempt(job: JobRef) -> Attempt:
    if isinstance(job, Attempt):
        return job
    if isinstance(job, Job):
        return Attempt.of(job)
    try:
        return Attempt(job if isinstance(job, UUID) else UUID(job))
    except (ValueError, AttributeError, TypeError):
        raise ValidationError(f"A job is named by its id (a UUID) or as fetched, not by {job!r:.100}.") from None


def _ids_from(jobs: JobRefs) -> list[UUID]:
    attempts = attempts_from(jobs)
    return [attempt.id for attempt in attempts]


def _settle(
    catalog: QueueCatalog, name: str, attempts: Sequence[Attempt], statement: Callable[[QueueRef], Query]
) -> Steps[Settled]:
    queue = yield from find_queue(catalog, name)
    try:
        rows = yield statement(queue)
    except DatabaseError as error:
        catalog.forget(name)
        if error.sqlstate == UNIQUE_VIOLATION:
            raise JobConflictError(
                f"Nothing was changed in queue {name!r}: another job of the same key holds the state asked for."
            ) from error
        raise
    return Settled(tuple(attempt.id for attempt in attempts), tuple(rows.column()))


def complete(
    catalog: QueueCatalog, name: str, jobs: JobRefs, output: object, *, include_queued: bool
) -> Steps[Settled]:
    """Active jobs become completed, with ``output`` as their result."""
    attempts, text = attempts_from(jobs), output_text(output)
    return _settle(
        catalog, name, attempts, lambda queue: sql.complete(queue, attempts, text, include_queued=include_queued)
    )


def fail(catalog: QueueCatalog, name: str, jobs: JobRefs, output: object) -> Steps[Settled]:
    """Unfinished jobs are retried if attempts are left, else failed and copied to their dead letter queue."""
    attempts, text = attempts_from(jobs), output_text(output)
    return _settle(catalog, name, attempts, lambda queue: sql_fail.fail(queue, attempts, text))


def cancel(catalog: QueueCatalog, name: str, jobs: JobRefs) -> Steps[Settled]:
    """Unfinished jobs become cancelled."""
    attempts = attempts_from(jobs)
    return _settle(catalog, name, attempts, lambda queue: sql.cancel(queue, attempts))


def delete_job(catalog: QueueCatalog, name: str, jobs: JobRefs) -> Steps[Settled]:
    """The rows go, whatever their state."""
    attempts = attempts_from(jobs)
    return _settle(catalog, name, attempts, lambda queue: sql.delete(queue, attempts))


def touch(catalog: QueueCatalog, name: str, jobs: JobRefs) -> Steps[Settled]:
    """Active jobs get a fresh heartbeat."""
    attempts = attempts_from(jobs)
    return _settle(catalog, name, attempts, lambda queue: sql.touch(queue, attempts))


def resume(catalog: QueueCatalog, name: str, jobs: JobRefs) -> Steps[Settled]:
    """Cancelled jobs become created again."""
    ids = _ids_from(jobs)
    return _settle(catalog, name, [Attempt(id) for id in ids], lambda queue: sql.resume(queue, ids))


def retry(catalog: QueueCatalog, name: str, jobs: JobRefs) -> Steps[Settled]:
    """Failed jobs get one more attempt."""
    ids = _ids_from(jobs)
    return _settle(catalog, name, [Attempt(id) for id in ids], lambda queue: sql.retry(queue, ids))
