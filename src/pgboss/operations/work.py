"""What workers ask of the database: when the next job is due, and settling many attempts, each in its own way."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from pgboss.core.job import Attempt, JobState
from pgboss.core.names import SchemaName
from pgboss.core.query import Steps
from pgboss.core.queue import QueueCatalog
from pgboss.operations.queues import find_queue
from pgboss.sql import claim, fail, settle

__all__ = ["complete_each", "fail_each", "give_back_each", "next_due"]


def next_due(schema: SchemaName, names: Sequence[str]) -> Steps[dict[str, float]]:
    """Seconds until each queue's next waiting job is due; zero or less when one is due already."""
    rows = yield claim.next_due(schema, names)
    return dict(rows.values)


def complete_each(
    catalog: QueueCatalog, name: str, attempts: Sequence[Attempt], outputs: Sequence[str | None]
) -> Steps[set[UUID]]:
    """Complete attempts, each with its output; returns the ids that were still theirs."""
    queue = yield from find_queue(catalog, name)
    rows = yield settle.complete_each(queue, attempts, outputs)
    return set(rows.column())


def fail_each(
    catalog: QueueCatalog,
    name: str,
    attempts: Sequence[Attempt],
    outputs: Sequence[str | None],
    is_final: Sequence[bool],
) -> Steps[dict[UUID, JobState]]:
    """Fail attempts, each with its output; returns the new state of those that were still theirs."""
    queue = yield from find_queue(catalog, name)
    rows = yield fail.fail_each(queue, attempts, outputs, is_final)
    return dict(rows.values)


def give_back_each(
    catalog: QueueCatalog, name: str, attempts: Sequence[Attempt], delays_seconds: Sequence[float]
) -> Steps[set[UUID]]:
    """Return attempts unrun, each due after its delay; returns the ids that were still theirs."""
    queue = yield from find_queue(catalog, name)
    rows = yield settle.give_back(queue, attempts, delays_seconds)
    return set(rows.column())
