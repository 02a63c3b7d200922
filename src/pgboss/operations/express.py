"""Working jobs while they stay locked: what an express worker asks of the database, within its transaction and without.

:mod:`pgboss.sql.express` has the theory.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from pgboss.core.frontier import Frontier
from pgboss.core.job import Attempt, Job, JobState, OneAttempt, details_from, jobs_from, traced_from
from pgboss.core.names import SchemaName
from pgboss.core.options import FetchOptions
from pgboss.core.query import Rows, Steps, atomic
from pgboss.core.queue import QueueCatalog, QueueRef
from pgboss.errors import ValidationError
from pgboss.operations.own_tables import make_sure_of
from pgboss.operations.queues import find_queue, on_queue
from pgboss.operations.work import completed
from pgboss.sql import express as sql
from pgboss.sql import fail, own_tables, settle

__all__ = ["activate", "complete_each", "fail_each", "give_back_each", "hold", "let_go", "lock", "recover", "remove"]

LOST_OUTPUT = '{"value":{"message":"job was lost with the process that worked it"}}'


def lock(
    catalog: QueueCatalog,
    name: str,
    options: FetchOptions,
    lane: int,
    *,
    details: bool,
    lease_seconds: int | None = None,
    is_traced: bool = False,
    frontier: Frontier | None = None,
) -> Steps[list[Job]]:
    """Lock due jobs for the current transaction, and return them as a claim would."""
    rows = yield from on_queue(
        catalog,
        name,
        lambda queue: sql.lock(
            queue,
            options,
            lane,
            details=details,
            lease_seconds=lease_seconds,
            is_traced=is_traced,
            frontier=frontier,
        ),
    )
    make: Callable[[Rows], list[Any]] = details_from if details else jobs_from
    return traced_from(rows, make) if is_traced and rows else make(rows)


def hold(schema: SchemaName, lane: int, name: str, jobs: Sequence[Job]) -> Steps[None]:
    """Say which jobs a lane has in its hands."""
    yield sql.hold(schema, lane, name, [job.id for job in jobs])


def complete_each(
    queue: QueueRef,
    lane: int,
    jobs: Sequence[Job],
    outputs: Sequence[str | None],
    *,
    lease_seconds: int | None = None,
    delete: bool = False,
) -> Steps[dict[UUID, bool]]:
    """Complete locked jobs; returns those that were there, and whether other jobs wait for them. The lane lets go."""
    ids = [job.id for job in jobs]
    rows = yield sql.complete_each(
        queue, lane, ids, outputs, _started_on(jobs), lease_seconds=lease_seconds, delete=delete
    )
    return completed(rows, ids)


def let_go(schema: SchemaName, lane: int) -> Steps[None]:
    """The lane has nothing in its hands any more."""
    yield sql.let_go(schema, lane)


def activate(queue: QueueRef, jobs: Sequence[Job], *, lease_seconds: int | None = None) -> Steps[None]:
    """Make locked jobs active, as if they had been claimed when they were locked."""
    yield sql.activate(queue, [job.id for job in jobs], _started_on(jobs), lease_seconds=lease_seconds)


def fail_each(
    queue: QueueRef, attempts: Sequence[OneAttempt], outputs: Sequence[str | None], is_final: Sequence[bool]
) -> Steps[dict[UUID, JobState]]:
    """Fail active jobs; returns their new states."""
    rows = yield fail.fail_each(queue, attempts, outputs, is_final)
    return dict(rows.values)


def give_back_each(queue: QueueRef, jobs: Sequence[Job], delays_seconds: Sequence[float]) -> Steps[set[UUID]]:
    """Return active jobs unrun, each due after its delay; returns their ids."""
    rows = yield settle.give_back(queue, jobs, delays_seconds)
    return set(rows.column())


@atomic
def recover(catalog: QueueCatalog, name: str) -> Steps[bool]:
    """Count the attempts that were lost with workers of a queue, and whether there are suspects.

    Makes the table where it is missing.

    Raises:
        ValidationError: the queue is not a standard one.
    """
    schema = catalog.schema
    yield from make_sure_of(schema, own_tables.exists(schema, sql.TABLE), sql.create_table(schema))
    queue = yield from find_queue(catalog, name)
    if queue.policy != "standard":
        raise ValidationError(
            f"express=True is for standard queues, and {name!r} has the policy {queue.policy!r}, whose limits count "
            "active jobs. Leave it out for this queue."
        )
    lanes = (yield sql.dead_lanes(schema, name)).column()
    lost = (yield sql.suspect(schema, lanes)).values if lanes else []
    for ids, begun_on in lost:
        yield from _count_lost(queue, ids, begun_on)
    if not (yield sql.has_suspects(schema, name)).scalar():
        return False
    yield sql.clear(queue)
    return bool((yield sql.has_suspects(schema, name)).scalar())


def remove(schema: SchemaName, lanes: Sequence[int]) -> Steps[None]:
    """Lanes that have ended."""
    for lane in lanes:
        yield sql.remove(schema, lane)


def _count_lost(queue: QueueRef, ids: Sequence[UUID], begun_on: datetime) -> Steps[None]:
    last = [Attempt(*row) for row in (yield sql.count_lost(queue, ids, begun_on)).values]
    if last:
        yield fail.fail_each(queue, last, [LOST_OUTPUT] * len(last), [False] * len(last))


def _started_on(jobs: Sequence[Job]) -> datetime:
    started_on = jobs[0].started_on
    assert started_on is not None
    return started_on
