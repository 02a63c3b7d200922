"""Where a job comes from and what came of it: its attempts, its copies as a dead letter, and who waits for whom."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias
from uuid import UUID

from pgboss.core.flow import DependencyRef
from pgboss.core.job import JobDetails, JobGlance, glances_from
from pgboss.core.names import SchemaName
from pgboss.core.query import Steps
from pgboss.core.wire import JSON
from pgboss.operations.flows import get_dependencies, get_dependents
from pgboss.sql import find
from pgboss.sql import lineage as sql

__all__ = ["FlowNode", "Kinship", "KnownAttempt", "Lineage", "Outcome", "Relative", "glances_of", "lineage"]

MOST_RELATIVES = 100
MOST_NEIGHBOURS = 100

Kinship: TypeAlias = Literal["original", "dead_letter", "redriven"]
Outcome: TypeAlias = Literal["active", "completed", "failed", "cancelled"]


@dataclass(frozen=True, slots=True)
class KnownAttempt:
    """The one attempt of a job whose times and output its row still holds: the last.

    Attributes:
        number: from 1 on. Of earlier ones nothing is known but that they have failed, or were taken back.
        outcome: how it ended; ``active`` while it runs.
        ended_on: ``None`` while it runs, and of a job that waits to be tried again or was resumed.
        output: what it returned, or why it failed.
    """

    number: int
    outcome: Outcome
    started_on: datetime
    ended_on: datetime | None
    output: JSON


@dataclass(frozen=True, slots=True)
class Relative:
    """A job of the same history: the first, a copy of a failed one as a dead letter, or one that was redriven."""

    kinship: Kinship
    job: JobGlance


@dataclass(frozen=True, slots=True)
class FlowNode:
    """A job in a flow; ``job`` is ``None`` once its row is gone."""

    name: str
    id: UUID
    job: JobGlance | None


@dataclass(frozen=True, slots=True)
class Lineage:
    """What is known around a job.

    Attributes:
        job: the job itself, whose ``source_…`` tell of the failed job that it is a copy of, even when that is gone.
        attempt: its last attempt; ``None`` when it was never started.
        history: itself and its relatives, as far as they are still there, the oldest first; up to some hundred.
        parents: the jobs that it waits for, or has waited for; up to 100.
        children: the jobs that wait for it, or have; up to 100.
    """

    job: JobDetails
    attempt: KnownAttempt | None
    history: Sequence[Relative]
    parents: Sequence[FlowNode]
    children: Sequence[FlowNode]


def lineage(schema: SchemaName, job: JobDetails) -> Steps[Lineage]:
    """Follow a job in all directions."""
    history = yield from _history(schema, job)
    parents = yield from get_dependencies(schema, job.name, job.id, MOST_NEIGHBOURS, None)
    children = yield from get_dependents(schema, job.name, job.id, MOST_NEIGHBOURS, None)
    return Lineage(
        job,
        known_attempt(job),
        history,
        (yield from glances_of(schema, parents)),
        (yield from glances_of(schema, children)),
    )


def known_attempt(job: JobDetails) -> KnownAttempt | None:
    """The last attempt, as far as the row tells."""
    if job.started_on is None:
        return None
    outcomes: dict[str, Outcome] = {
        "active": "active",
        "completed": "completed",
        "failed": "failed",
        "retry": "failed",
        "cancelled": "cancelled",
        # Started and created again: somebody has cancelled it and resumed it.
        "created": "cancelled",
    }
    return KnownAttempt(job.retry_count + 1, outcomes[job.state], job.started_on, job.completed_on, job.output)


def glances_of(schema: SchemaName, refs: Sequence[DependencyRef]) -> Steps[list[FlowNode]]:
    """The jobs of references, in their order."""
    if not refs:
        return []
    rows = yield sql.glances(schema, [ref.name for ref in refs], [ref.id for ref in refs])
    found = {(job.name, job.id): job for job in glances_from(rows)}
    return [FlowNode(ref.name, ref.id, found.get((ref.name, ref.id))) for ref in refs]


def _history(schema: SchemaName, job: JobDetails) -> Steps[list[Relative]]:
    root_id = job.source_root_id or job.source_id or job.id
    found = {(one.name, one.id): one for one in (yield from _first(schema, job, root_id))}
    if schema.has("job.source_root_id"):
        for one in glances_from((yield sql.history(schema, root_id, MOST_RELATIVES))):
            found[one.name, one.id] = one
    for one in glances_from((yield sql.glances(schema, [job.name], [job.id]))):
        found[one.name, one.id] = one
    ordered = sorted(found.values(), key=lambda one: (one.created_on, one.id))
    return [Relative(_kinship(one), one) for one in ordered]


def _first(schema: SchemaName, job: JobDetails, root_id: UUID) -> Steps[list[JobGlance]]:
    """The first job of a history and the one that this is a copy of."""
    sources = [] if job.source_name is None or job.source_id is None else [(job.source_name, job.source_id)]
    if root_id not in {job.id, job.source_id}:
        # Only its id is known, and another queue may use it, too; dead letters name their queue.
        sources += [(name, root_id) for name in (yield find.queues_of(schema, root_id)).column()]
    if not sources:
        return []
    return glances_from((yield sql.glances(schema, [name for name, _ in sources], [id for _, id in sources])))


def _kinship(job: JobGlance) -> Kinship:
    if job.source_id is not None:
        return "dead_letter"
    return "original" if job.source_root_id is None else "redriven"
