"""What workers ask of the database: when the next job is due, and settling many attempts, each in its own way."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from uuid import UUID

from pgboss.core.frontier import Frontier
from pgboss.core.job import Job, JobState, OneAttempt
from pgboss.core.names import SchemaName
from pgboss.core.query import Rows, Steps
from pgboss.core.queue import QueueCatalog
from pgboss.operations.queues import find_queue, on_queue
from pgboss.sql import backends, claim, fail, settle

__all__ = [
    "backend",
    "complete_each",
    "completed",
    "fail_each",
    "give_back_each",
    "next_due",
    "next_left_out",
    "settled_here",
    "still_held",
]


def backend() -> Steps[str]:
    """Which server process this is run by."""
    return str((yield backends.backend()).scalar())


def next_due(schema: SchemaName, names: Sequence[str]) -> Steps[dict[str, float]]:
    """Seconds until each queue's next waiting job is due; zero or less when one is due already."""
    rows = yield claim.next_due(schema, names)
    return dict(rows.values)


def next_left_out(schema: SchemaName, name: str, frontier: Frontier) -> Steps[float]:
    """Seconds until a queue's next waiting job is due; zero or less when one before the frontier is."""
    seconds = (yield claim.next_left_out(schema, name, frontier)).scalar()
    return inf if seconds is None else float(seconds)


def complete_each(
    catalog: QueueCatalog, name: str, attempts: Sequence[OneAttempt], outputs: Sequence[str | None]
) -> Steps[dict[UUID, bool]]:
    """Complete attempts, each with its output; returns those still theirs, and whether other jobs wait for them."""
    rows = yield from on_queue(catalog, name, lambda queue: settle.complete_each(queue, attempts, outputs))
    return completed(rows, [attempt.id for attempt in attempts])


def completed(rows: Rows, ids: Sequence[UUID]) -> dict[UUID, bool]:
    """What a statement that completes many has answered: which of the ids it did, and whether other jobs wait."""
    settled, parents, kept = rows.values[0]
    if kept is None:
        kept = ids if settled else ()
    return dict.fromkeys(kept, False) | dict.fromkeys(parents or (), True)


def fail_each(
    catalog: QueueCatalog,
    name: str,
    attempts: Sequence[OneAttempt],
    outputs: Sequence[str | None],
    is_final: Sequence[bool],
) -> Steps[dict[UUID, JobState]]:
    """Fail attempts, each with its output; returns the new state of those that were still theirs."""
    rows = yield from on_queue(catalog, name, lambda queue: fail.fail_each(queue, attempts, outputs, is_final))
    return dict(rows.values)


def give_back_each(
    catalog: QueueCatalog, name: str, attempts: Sequence[OneAttempt], delays_seconds: Sequence[float]
) -> Steps[set[UUID]]:
    """Return attempts unrun, each due after its delay; returns the ids that were still theirs."""
    rows = yield from on_queue(catalog, name, lambda queue: settle.give_back(queue, attempts, delays_seconds))
    return set(rows.column())


def settled_here(catalog: QueueCatalog, name: str, ids: Sequence[UUID]) -> Steps[set[UUID]]:
    """Those of the jobs that were completed, cancelled or failed for good within the current transaction."""
    queue = yield from find_queue(catalog, name)
    rows = yield settle.settled_here(queue, ids)
    return set(rows.column())


def still_held(schema: SchemaName, jobs: Sequence[Job]) -> Steps[set[tuple[str, UUID]]]:
    """Those of the claimed jobs, by queue and id, that are still active at the attempt that was claimed."""
    rows = yield settle.still_held(schema, [job.name for job in jobs], jobs)
    return set(rows.values)
