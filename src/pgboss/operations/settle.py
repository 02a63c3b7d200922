"""Moving jobs from one state to another: complete, fail, cancel, resume, retry, touch, delete, give back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeAlias
from uuid import UUID

from pgboss.core.job import Attempt, Job, Settled
from pgboss.core.query import Query, Rows, Steps
from pgboss.core.queue import QueueCatalog, QueueRef
from pgboss.core.sqlstate import UNIQUE_VIOLATION
from pgboss.core.wire import output_text
from pgboss.errors import DatabaseError, JobConflictError, ValidationError
from pgboss.operations.deletes import reduce_counts
from pgboss.operations.queues import on_queue
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
    rows = yield from _change(catalog, name, statement)
    return Settled(tuple(attempt.id for attempt in attempts), tuple(rows.column()))


def _settle_counted(
    catalog: QueueCatalog,
    name: str,
    attempts: Sequence[Attempt],
    statement: Callable[[QueueRef], Query],
    *,
    deleting: bool,
    counting: bool,
) -> Steps[Settled]:
    """Settle finished jobs, and take those that the queue's retained_count held from its counts.

    Not where ``counting`` is false, in a caller's transaction: it would hold the queue's row until it ends.
    """
    rows = yield from _change(catalog, name, statement)
    retained = sum(is_retained for _, is_retained in rows.values)
    if counting and retained:
        yield from reduce_counts(catalog.schema, name, retained if deleting else 0, retained)
    return Settled(tuple(attempt.id for attempt in attempts), tuple(rows.column()))


def _change(catalog: QueueCatalog, name: str, statement: Callable[[QueueRef], Query]) -> Steps[Rows]:
    try:
        return (yield from on_queue(catalog, name, statement))
    except DatabaseError as error:
        catalog.forget(name)
        if error.sqlstate == UNIQUE_VIOLATION:
            raise JobConflictError(
                f"Nothing was changed in queue {name!r}: another job of the same key holds the state asked for."
            ) from error
        raise


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


def delete_job(catalog: QueueCatalog, name: str, jobs: JobRefs, *, counting: bool) -> Steps[Settled]:
    """The rows go, whatever their state."""
    attempts = attempts_from(jobs)
    return _settle_counted(
        catalog, name, attempts, lambda queue: sql.delete(queue, attempts), deleting=True, counting=counting
    )


def touch(catalog: QueueCatalog, name: str, jobs: JobRefs) -> Steps[Settled]:
    """Active jobs get a fresh heartbeat."""
    attempts = attempts_from(jobs)
    return _settle(catalog, name, attempts, lambda queue: sql.touch(queue, attempts))


def resume(catalog: QueueCatalog, name: str, jobs: JobRefs, *, counting: bool) -> Steps[Settled]:
    """Cancelled jobs become created again."""
    ids = _ids_from(jobs)
    attempts = [Attempt(id) for id in ids]
    return _settle_counted(
        catalog, name, attempts, lambda queue: sql.resume(queue, ids), deleting=False, counting=counting
    )


def retry(catalog: QueueCatalog, name: str, jobs: JobRefs) -> Steps[Settled]:
    """Failed jobs get one more attempt."""
    ids = _ids_from(jobs)
    return _settle(catalog, name, [Attempt(id) for id in ids], lambda queue: sql.retry(queue, ids))
