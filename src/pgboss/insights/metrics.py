"""Queues for those who watch them all the time: in few statements, whose cost does not grow with the jobs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from pgboss.core.checks import text
from pgboss.core.names import SchemaName
from pgboss.core.query import Steps
from pgboss.core.queue import Queue, queues_from
from pgboss.sql import claim, clock, overview
from pgboss.sql import queues as sql

__all__ = ["MOST_QUEUES", "QueueMetrics", "queue_metrics"]

MOST_QUEUES = 1000
"""More are not told: a time series for each of them would be too many for Prometheus as well."""
# One branch of a statement each.
QUEUES_A_STATEMENT = 100


@dataclass(frozen=True, slots=True)
class QueueMetrics:
    """All queues at a moment.

    Attributes:
        queues: with the counts of the upkeep, which lag by up to a minute.
        oldest_ready_seconds: how long the oldest due job of each queue has been waiting, now; 0 when there is none.
        read_on: when, by the database's clock.
    """

    queues: Sequence[Queue] = ()
    oldest_ready_seconds: Mapping[str, float] | None = None
    read_on: datetime | None = None


def queue_metrics(schema: SchemaName, *, search: str | None = None) -> Steps[QueueMetrics]:
    """All queues, or those whose name holds a text, up to 1000 of them in name order."""
    if search:
        text("search", search)
        queues = queues_from((yield overview.search(schema, search, None, MOST_QUEUES)))
    else:
        queues = queues_from((yield sql.find(schema, None, limit=MOST_QUEUES)))
    names = [queue.name for queue in queues]
    oldest = dict.fromkeys(names, 0.0)
    for start in range(0, len(names), QUEUES_A_STATEMENT):
        rows = yield claim.next_due(schema, names[start : start + QUEUES_A_STATEMENT])
        oldest |= {name: max(0.0, -seconds) for name, seconds in rows.values}
    return QueueMetrics(queues, oldest, (yield clock.current_time(schema)).scalar())
