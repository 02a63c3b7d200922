"""Queues with what they hold right now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

from pgboss.core.checks import text
from pgboss.core.job import JobState
from pgboss.core.names import SchemaName
from pgboss.core.query import Steps
from pgboss.core.queue import Queue, queues_from
from pgboss.operations.queues import get_queues
from pgboss.sql import overview
from pgboss.sql import queues as sql

__all__ = ["QueueOverview", "queue_overviews", "search_queues"]


@dataclass(frozen=True, slots=True)
class QueueOverview:
    """A queue and its jobs by state, counted now; the counts on the queue itself lag by up to a minute.

    Attributes:
        jobs: how many jobs there are of every state, in the order of a job's life.
    """

    queue: Queue
    jobs: Mapping[JobState, int]


def queue_overviews(schema: SchemaName, names: Sequence[str] | None = None) -> Steps[list[QueueOverview]]:
    """Queues by name, or all of them, in name order; unknown names are passed over.

    Counting reads every job of these queues: fine for people, too dear for a loop.
    """
    queues = yield from get_queues(schema, names)
    counts: dict[tuple[str, str], int] = {}
    for row in (yield sql.live_counts(schema, names)):
        counts[row["name"], row["state"]] = row["jobs"]
    return [
        QueueOverview(queue, {state: counts.get((queue.name, state), 0) for state in get_args(JobState)})
        for queue in queues
    ]


def search_queues(schema: SchemaName, *, search: str | None, after: str | None, limit: int) -> Steps[list[Queue]]:
    """Queues whose name holds a text, whatever its case, in name order, behind ``after``."""
    for name, value in (("search", search), ("after", after)):
        if value is not None:
            text(name, value)
    return queues_from((yield overview.search(schema, search, after, limit)))
