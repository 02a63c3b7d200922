"""What a job belongs to: its history over dead letters and redrives, and the flow around it."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel

from pgboss.core.flow import DependencyRef
from pgboss.core.job import JobGlance
from pgboss.insights import FlowNode, KnownAttempt, flow_graph, lineage
from pgboss.web.api.job_bodies import basics
from pgboss.web.api.jobs import Queue
from pgboss.web.dependencies import AnyReader, AnySite, Options
from pgboss.web.jobs import found_job
from pgboss.web.options import WebOptions
from pgboss.web.redaction import redacted

__all__ = ["router"]

router = APIRouter(prefix="/jobs", tags=["jobs"])


class Place(BaseModel):
    """A job by its queue and id."""

    name: str
    id: UUID


class Glance(Place):
    """A job without its data and outputs."""

    state: str
    created_at: datetime
    started_at: datetime | None
    completed_at: datetime | None
    start_after: datetime
    retry_count: int
    retry_limit: int


class Attempt(BaseModel):
    """The last attempt of a job, from 1 on; of those before nothing is known but that there were some."""

    number: int
    outcome: str
    started_at: datetime
    ended_at: datetime | None
    output: Any


class Relative(BaseModel):
    """A job of one history: the first of all, a dead letter, or one that was redriven."""

    kinship: Literal["original", "dead_letter", "redriven"]
    job: Glance


class Node(Place):
    """A job of a flow; ``job`` is ``null`` once its row is gone."""

    job: Glance | None


class LineageBody(BaseModel):
    """Where a job comes from, and what came of it; the earliest of its history first."""

    attempt: Attempt | None
    history: list[Relative]
    parents: list[Node]
    children: list[Node]


class Edge(BaseModel):
    """``child`` waits for ``parent``, or has waited."""

    parent: Place
    child: Place


class FlowBody(BaseModel):
    """The jobs that a job is connected to by waiting; it is the first of them. Not ``whole``: there are more."""

    nodes: list[Node]
    edges: list[Edge]
    whole: bool


@router.get("/{id}/lineage")
async def get_lineage(id: UUID, site: AnySite, reader: AnyReader, options: Options, queue: Queue = None) -> LineageBody:
    """A job's last attempt, its copies as dead letters and by redrives, and the jobs beside it in its flow."""
    found = await site.read(lineage(site.schema, await found_job(site, id, queue)))
    return LineageBody(
        attempt=None if found.attempt is None else _attempt(found.attempt, options),
        history=[Relative(kinship=one.kinship, job=_glance(one.job)) for one in found.history],
        parents=[_node(one) for one in found.parents],
        children=[_node(one) for one in found.children],
    )


@router.get("/{id}/flow")
async def get_flow(id: UUID, site: AnySite, reader: AnyReader, queue: Queue = None) -> FlowBody:
    """The flow that a job is part of, as a graph of up to 200 jobs."""
    job = await found_job(site, id, queue)
    found = await site.read(flow_graph(site.schema, DependencyRef(job.name, job.id)))
    return FlowBody(
        nodes=[_node(one) for one in found.nodes],
        edges=[Edge(parent=_place(edge.parent), child=_place(edge.child)) for edge in found.edges],
        whole=found.is_whole,
    )


def _attempt(attempt: KnownAttempt, options: WebOptions) -> Attempt:
    return Attempt(
        number=attempt.number,
        outcome=attempt.outcome,
        started_at=attempt.started_on,
        ended_at=attempt.ended_on,
        output=redacted(attempt.output, options.redact),
    )


def _node(node: FlowNode) -> Node:
    return Node(name=node.name, id=node.id, job=None if node.job is None else _glance(node.job))


def _place(ref: DependencyRef) -> Place:
    return Place(name=ref.name, id=ref.id)


def _glance(job: JobGlance) -> Glance:
    return Glance(**basics(job), start_after=job.start_after, retry_limit=job.retry_limit)
