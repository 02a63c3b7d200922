"""All queues at a glance, those in trouble first: from their rows, recorded figures and instances.

Of jobs only the oldest due one of each queue is looked up, by index; nothing is counted.
The counts on a queue's row are those of the last upkeep, up to a minute old, so what is called trouble here is, too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias

from pgboss.core.checks import check_integer
from pgboss.core.instance import Instance
from pgboss.core.names import SchemaName
from pgboss.core.query import Steps
from pgboss.core.queue import Queue
from pgboss.insights.metrics import MOST_QUEUES, queue_metrics
from pgboss.operations.instances import get_instances
from pgboss.sql import overview as sql

__all__ = [
    "Overview",
    "QueueCounts",
    "QueueHealth",
    "QueueNews",
    "Totals",
    "TotalsPoint",
    "Trouble",
    "health_of",
    "overview",
    "queue_counts",
    "queue_news",
    "totals_over_time",
    "workers_by_queue",
]

Trouble: TypeAlias = Literal["no_worker", "stuck", "failing", "backlog", "waiting"]
"""What is wrong with a queue, the worst first.

Jobs are ready and no live worker takes them; jobs are ready and none has ended lately; jobs have failed for good
lately; more wait than ``warning_queue_size``; the oldest waits too long.
"""

_SEVERITY: tuple[Trouble, ...] = ("no_worker", "stuck", "failing", "backlog", "waiting")
WAITING_SECONDS = 60.0
"""A due job that has waited for longer is worth a look."""
INSTANCES_A_PAGE = 1000
MOST_SECONDS = 7 * 24 * 3600
MOST_POINTS = 2000


@dataclass(frozen=True, slots=True)
class QueueHealth:
    """A queue, and what is wrong with it.

    Attributes:
        troubles: the worst first; none is a healthy queue.
        oldest_ready_seconds: how long its oldest due job has been waiting, now; 0 when there is none.
        workers: how many workers of live instances take its jobs; ``None`` where the schema is older than that table.
    """

    queue: Queue
    troubles: tuple[Trouble, ...]
    oldest_ready_seconds: float
    workers: int | None


@dataclass(frozen=True, slots=True)
class Totals:
    """All queues together."""

    queues: int
    ready: int
    active: int
    deferred: int
    failed: int
    total: int


@dataclass(frozen=True, slots=True)
class Overview:
    """All queues at a moment.

    Attributes:
        queues: those in trouble first, then by name; at most 1000.
        read_on: by the database's clock.
    """

    queues: Sequence[QueueHealth]
    totals: Totals
    read_on: datetime | None


@dataclass(frozen=True, slots=True)
class TotalsPoint:
    """All queues together in one bucket of time: the most that there were, and the sum of what happened."""

    at: datetime
    ready: int
    active: int
    queued: int
    created: int
    completed: int
    failed: int


@dataclass(frozen=True, slots=True)
class QueueCounts:
    """The counts of one queue's row."""

    name: str
    ready: int
    active: int
    queued: int
    deferred: int
    failed: int
    total: int


@dataclass(frozen=True, slots=True)
class QueueNews:
    """The counts of all queues, which may be those of a minute ago, and whether jobs have changed since.

    Attributes:
        changes: another number after jobs have changed: within a second or two mostly, within ten at the latest.
    """

    queues: Sequence[QueueCounts]
    changes: int


def overview(schema: SchemaName, *, search: str | None = None) -> Steps[Overview]:
    """All queues, or those whose name holds a text, up to 1000 of them, those in trouble first."""
    metrics = yield from queue_metrics(schema, search=search)
    workers = yield from workers_by_queue(schema)
    oldest = metrics.oldest_ready_seconds or {}
    found = [
        health_of(one, oldest.get(one.name, 0.0), None if workers is None else workers[one.name])
        for one in metrics.queues
    ]
    return Overview(sorted(found, key=_urgency), _totals(metrics.queues), metrics.read_on)


def totals_over_time(
    schema: SchemaName, *, seconds: int = 3 * 3600, bucket_seconds: int = 60
) -> Steps[list[TotalsPoint]]:
    """Depth, throughput and failures of all queues together, oldest first; empty where nobody records figures.

    Args:
        schema: whose queues.
        seconds: how far to look back, up to a week.
        bucket_seconds: the width of a point.

    Raises:
        ValidationError: something is out of its range, or there would be more than 2000 points.
    """
    check_integer("seconds", seconds, 1, MOST_SECONDS)
    check_integer("bucket_seconds", bucket_seconds, max(1, -(-seconds // MOST_POINTS)), MOST_SECONDS)
    rows = yield sql.totals_over_time(schema, seconds, bucket_seconds, MOST_QUEUES)
    return [TotalsPoint(*row) for row in rows.values]


def queue_counts(schema: SchemaName) -> Steps[list[QueueCounts]]:
    """The counts on the rows of all queues, up to 1000 of them in name order."""
    return [QueueCounts(*row) for row in (yield sql.counts(schema, MOST_QUEUES)).values]


def queue_news(schema: SchemaName) -> Steps[QueueNews]:
    """What listeners are told of: it is another one after jobs or counts have changed."""
    return QueueNews((yield from queue_counts(schema)), int((yield sql.changes(schema)).scalar()))


def health_of(queue: Queue, oldest_ready_seconds: float, workers: int | None) -> QueueHealth:
    """What is wrong with a queue, as far as its row and the instances tell."""
    troubles = tuple(_troubles(queue, oldest_ready_seconds, workers))
    return QueueHealth(queue, tuple(sorted(troubles, key=_SEVERITY.index)), oldest_ready_seconds, workers)


def _troubles(queue: Queue, oldest_ready_seconds: float, workers: int | None) -> Iterator[Trouble]:
    has_ready = queue.ready_count > 0 or oldest_ready_seconds > 0
    counted = queue.delta_on is not None
    if has_ready and workers == 0:
        yield "no_worker"
    # A queue that got its first job a moment ago has completed none, either.
    if oldest_ready_seconds > WAITING_SECONDS and counted and not (queue.completed_delta or queue.failed_delta):
        yield "stuck"
    if queue.failed_delta:
        yield "failing"
    if 0 < queue.warning_queue_size < queue.queued_count:
        yield "backlog"
    if oldest_ready_seconds > WAITING_SECONDS:
        yield "waiting"


def _urgency(health: QueueHealth) -> tuple[int, float, str]:
    worst = _SEVERITY.index(health.troubles[0]) if health.troubles else len(_SEVERITY)
    return worst, -health.oldest_ready_seconds if health.troubles else 0.0, health.queue.name


def workers_by_queue(schema: SchemaName) -> Steps[Counter[str] | None]:
    """How many workers of live instances take the jobs of each queue; ``None`` where the schema is older than that."""
    if not schema.has("instance"):
        return None
    workers: Counter[str] = Counter()
    after = None
    while page := (yield from get_instances(schema, limit=INSTANCES_A_PAGE, after=after)):
        workers.update(queue for instance in page if instance.live for queue in _queues_worked(instance))
        if len(page) < INSTANCES_A_PAGE:
            break
        after = page[-1].id
    return workers


def _queues_worked(instance: Instance) -> Iterator[str]:
    # Others may have written anything into this column.
    for worker in instance.workers if isinstance(instance.workers, list) else ():
        queue = worker.get("queue") if isinstance(worker, dict) else None
        if isinstance(queue, str):
            yield queue


def _totals(queues: Sequence[Queue]) -> Totals:
    return Totals(
        queues=len(queues),
        ready=sum(one.ready_count for one in queues),
        active=sum(one.active_count for one in queues),
        deferred=sum(one.deferred_count for one in queues),
        failed=sum(one.failed_count for one in queues),
        total=sum(one.total_count for one in queues),
    )
