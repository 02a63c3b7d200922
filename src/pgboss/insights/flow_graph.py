"""The flow that a job is part of: all jobs that it is connected to by waiting, in either direction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pgboss.core.checks import check_integer
from pgboss.core.flow import DependencyRef
from pgboss.core.names import SchemaName
from pgboss.core.query import Steps
from pgboss.insights.lineage import FlowNode, glances_of
from pgboss.sql import lineage as sql

__all__ = ["FlowEdge", "FlowGraph", "flow_graph"]

MOST_JOBS = 200
MOST_EDGES = 2000


@dataclass(frozen=True, slots=True)
class FlowEdge:
    """``child`` waits for ``parent``, or has waited."""

    parent: DependencyRef
    child: DependencyRef


@dataclass(frozen=True, slots=True)
class FlowGraph:
    """Jobs and who waits for whom.

    Attributes:
        nodes: the job asked for is the first; then the nearest to it.
        edges: between these nodes.
        is_whole: whether this is all of the flow, or as much of it as was to be read.
    """

    nodes: Sequence[FlowNode]
    edges: Sequence[FlowEdge]
    is_whole: bool


def flow_graph(schema: SchemaName, job: DependencyRef, *, most: int = MOST_JOBS) -> Steps[FlowGraph]:
    """The flow around a job, one statement for each step away from it.

    Args:
        schema: the schema.
        job: its queue and id; one in no flow is a graph of its own.
        most: so many jobs at most, from 1 to 1000.

    Raises:
        ValidationError: ``most`` is out of range.
    """
    check_integer("most", most, 1, 1000)
    reached, edges, is_whole = {job: None}, dict[FlowEdge, None](), True
    frontier = [job]
    while frontier and is_whole:
        found = yield from _edges(schema, frontier)
        frontier = [ref for edge in found for ref in (edge.parent, edge.child)]
        frontier = [ref for ref in dict.fromkeys(frontier) if ref not in reached]
        is_whole = len(found) < MOST_EDGES and len(reached) + len(frontier) <= most
        reached |= dict.fromkeys(frontier[: most - len(reached)])
        edges |= dict.fromkeys(found)
    shown = [edge for edge in edges if edge.parent in reached and edge.child in reached]
    return FlowGraph((yield from glances_of(schema, list(reached))), shown, is_whole)


def _edges(schema: SchemaName, refs: Sequence[DependencyRef]) -> Steps[list[FlowEdge]]:
    rows = yield sql.edges(schema, [ref.name for ref in refs], [ref.id for ref in refs], MOST_EDGES)
    return [
        FlowEdge(DependencyRef(parent_name, parent_id), DependencyRef(child_name, child_id))
        for parent_name, parent_id, child_name, child_id in rows.values
    ]
