"""What surrounds the creation of jobs: the trace that they become part of, and who wants to hear of them.

Jobs are created by send, insert, upsert, publish, flow and schedules, which would all have to hand this on without
using it. So it is ambient: whoever runs an operation sets it around the run.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from uuid import UUID, uuid4

from pgboss.core.wire import JSON

__all__ = ["Creation", "NewlyCreated", "creation", "prepared", "read_carrier", "report"]


@dataclass(frozen=True, slots=True)
class NewlyCreated:
    """A job that was created just now; its transaction may still be open."""

    id: UUID
    name: str
    data: JSON


@dataclass(frozen=True, slots=True)
class Creation:
    """What surrounds the operation that is being run.

    Attributes:
        trace_context: written to every job that is created: what a propagator of OpenTelemetry makes of a trace.
        on_created: hears of every job that is created, before its transaction ends.
    """

    trace_context: Mapping[str, str] | None = None
    on_created: Callable[[NewlyCreated], None] | None = None

    @property
    def is_traced(self) -> bool:
        """Whether there is a context of a trace."""
        return self.trace_context is not None


creation: ContextVar[Creation] = ContextVar("pgboss_creation", default=Creation())  # noqa: B039  it is frozen


def prepared(rows: Sequence[dict[str, JSON]]) -> Sequence[dict[str, JSON]]:
    """Jobs as the inserting statement reads them, in their surroundings; with ids, if somebody wants to hear."""
    around = creation.get()
    added: dict[str, JSON] = {}
    if around.trace_context is not None:
        added["trace_context"] = dict(around.trace_context)
    if around.on_created is None:
        return [row | added for row in rows] if added else rows
    return [{"id": uuid4()} | row | added for row in rows]


def report(name: str, rows: Sequence[dict[str, JSON]], ids: Collection[UUID] | None) -> None:
    """Tell whoever wants to hear that of these prepared jobs those with these ids were created."""
    on_created = creation.get().on_created
    if on_created is None or not ids:
        return
    created = set(ids)
    for row in rows:
        id = UUID(str(row["id"]))
        if id in created:
            on_created(NewlyCreated(id, name, row["data"]))


def read_carrier(text: str | None) -> Mapping[str, str] | None:
    """The context of a trace as it is kept with a job; whatever is no such thing counts as none."""
    carrier = json.loads(text) if text else None
    if not isinstance(carrier, dict):
        return None
    return {str(name): value for name, value in carrier.items() if isinstance(value, str)}
