"""One queue with everything that its page tells of it, in statements whose cost does not grow with its jobs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from pgboss.core.query import Steps
from pgboss.core.queue import Queue, QueueCatalog
from pgboss.core.queue_stats import QueueStats, StatsRequest, StatsSource
from pgboss.insights.overview import QueueHealth, health_of, workers_by_queue
from pgboss.insights.subscriptions import Subscription, subscriptions
from pgboss.operations.keys import get_blocked_keys
from pgboss.operations.pauses import get_pauses
from pgboss.operations.queue_stats import get_queue_stats
from pgboss.operations.queues import find_queue, get_queues
from pgboss.operations.walk import walking
from pgboss.sql import claim, clock, overview

__all__ = ["COUNTED_UP_TO", "MOST_LISTED", "PERCENTILES", "QueueDetails", "queue_details"]

COUNTED_UP_TO = 10_000
MOST_LISTED = 100
"""So many blocked keys and subscriptions are told."""
PERCENTILES = (50.0, 95.0, 99.0)


@dataclass(frozen=True, slots=True)
class QueueDetails:
    """A queue at a moment.

    Attributes:
        health: its row, and what is wrong with it.
        counted: its jobs that are not at their end, by state, now; more than 10,000 are counted no further.
        paused_on: since when Python's workers claim nothing of it.
        blocked_keys: of a ``key_strict_fifo`` queue: those that stand still; the first hundred.
        subscriptions: the first hundred.
        figures: what was recorded, oldest first, with the percentiles 50, 95 and 99; empty where nobody records.
        read_on: by the database's clock.
    """

    health: QueueHealth
    counted: Mapping[str, int]
    paused_on: datetime | None
    blocked_keys: Sequence[str]
    subscriptions: Sequence[Subscription]
    figures: Sequence[QueueStats]
    read_on: datetime

    @property
    def queue(self) -> Queue:
        return self.health.queue


def queue_details(catalog: QueueCatalog, name: str, *, seconds: int, bucket_seconds: int) -> Steps[QueueDetails]:
    """A queue, with its figures of the last so many seconds in buckets.

    Raises:
        QueueNotFoundError: there is no such queue.
    """
    schema = catalog.schema
    reference = yield from find_queue(catalog, name)
    [queue] = yield from get_queues(schema, [name])
    read_on = (yield clock.current_time(schema)).scalar()
    due = (yield claim.next_due(schema, [name])).first()
    workers = yield from workers_by_queue(schema)
    oldest = 0.0 if due is None else max(0.0, -due["seconds"])
    counted = {
        row["state"]: row["jobs"] for row in (yield from walking(overview.counted_up_to(reference, COUNTED_UP_TO)))
    }
    return QueueDetails(
        health=health_of(queue, oldest, None if workers is None else workers[name]),
        counted=counted,
        paused_on=(yield from _paused_on(catalog, name)),
        blocked_keys=(yield from _blocked_keys(catalog, queue)),
        subscriptions=(yield from subscriptions(schema, event=None, queue=name, after=None, limit=MOST_LISTED)),
        figures=(yield from _figures(catalog, name, read_on - timedelta(seconds=seconds), bucket_seconds)),
        read_on=read_on,
    )


def _paused_on(catalog: QueueCatalog, name: str) -> Steps[datetime | None]:
    pauses = yield from get_pauses(catalog.schema)
    return next((one.paused_on for one in pauses if (one.kind, one.target) == ("queue", name)), None)


def _blocked_keys(catalog: QueueCatalog, queue: Queue) -> Steps[list[str]]:
    if queue.policy != "key_strict_fifo":
        return []
    return (yield from get_blocked_keys(catalog, queue.name, limit=MOST_LISTED, after=None))


def _figures(catalog: QueueCatalog, name: str, since: datetime, bucket_seconds: int) -> Steps[list[QueueStats]]:
    if not catalog.schema.has("queue.retained_count"):
        return []
    request = StatsRequest(since, bucket_seconds=bucket_seconds, percentiles=PERCENTILES)
    found = yield from get_queue_stats(catalog.schema, name, request, StatsSource(history=True))
    return found[::-1]
