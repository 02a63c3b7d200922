"""The picture of a flow: what is written into each of its jobs, and how they are told to those who cannot see it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from pgboss.core.flow import DependencyRef
from pgboss.insights import FlowGraph
from pgboss.web.dashboard.flow_layout import Box, lay_out

__all__ = ["DrawnJob", "FlowDrawing", "draw_flow"]

MOST_LETTERS = 19


@dataclass(frozen=True, slots=True)
class DrawnJob:
    """A job in the picture; its state is ``gone`` once its row is."""

    box: Box
    queue: str
    id: UUID
    state: str
    is_blocked: bool
    is_here: bool

    @property
    def label(self) -> str:
        return self.queue if len(self.queue) <= MOST_LETTERS else f"{self.queue[: MOST_LETTERS - 1]}…"

    @property
    def status(self) -> str:
        return "waiting" if self.is_blocked and self.state in ("created", "retry") else self.state


@dataclass(frozen=True, slots=True)
class DrawnLine:
    """A line; it is done when what it comes from is completed."""

    path: str
    is_done: bool


@dataclass(frozen=True, slots=True)
class FlowDrawing:
    """All of it; ``is_whole`` is false where the flow has more jobs than are drawn."""

    width: float
    height: float
    jobs: Sequence[DrawnJob]
    lines: Sequence[DrawnLine]
    is_whole: bool

    @property
    def summary(self) -> str:
        """The picture in a sentence."""
        states = [job.status for job in self.jobs]
        told = ", ".join(f"{states.count(state)} {state}" for state in dict.fromkeys(states))
        return f"{len(self.jobs)} jobs with {len(self.lines)} dependencies between them: {told}."


def draw_flow(graph: FlowGraph) -> FlowDrawing | None:
    """Draw the flow around a job, which is the first of the graph; ``None`` where it is in none."""
    if not graph.edges:
        return None
    refs = [DependencyRef(node.name, node.id) for node in graph.nodes]
    layout = lay_out(refs, [(edge.parent, edge.child) for edge in graph.edges])
    jobs = [
        DrawnJob(
            layout.boxes[ref],
            node.name,
            node.id,
            "gone" if node.job is None else node.job.state,
            node.job is not None and node.job.blocked,
            is_here=ref == refs[0],
        )
        for ref, node in zip(refs, graph.nodes, strict=True)
    ]
    done = {ref for ref, job in zip(refs, jobs, strict=True) if job.state == "completed"}
    lines = [DrawnLine(line.path, line.start in done) for line in layout.lines]
    return FlowDrawing(layout.width, layout.height, jobs, lines, graph.is_whole)
