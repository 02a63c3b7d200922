"""Reading a queue's figures over time, and keeping the table they are recorded in."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from pgboss.core.names import Lock, SchemaName, check_queue_name
from pgboss.core.query import Query, Rows, Steps, atomic
from pgboss.core.queue_stats import FORCED_SECONDS, QueueStats, StatsRequest, StatsSource, snapshots_from
from pgboss.core.sqlstate import DUPLICATE_TABLE, UNIQUE_VIOLATION
from pgboss.errors import DatabaseError
from pgboss.operations.queues import queue_not_found
from pgboss.schema.history import require
from pgboss.sql import locks, monitor, stats_buckets
from pgboss.sql import queue_stats as sql

__all__ = ["delete_old", "drop_day", "get_queue_stats", "is_partitioned", "make_day", "missing_days", "old_days"]

_FIGURES = "name deferred_count queued_count ready_count active_count failed_count total_count captured_on".split()


def get_queue_stats(
    schema: SchemaName, name: str, request: StatsRequest, source: StatsSource
) -> Steps[list[QueueStats]]:
    """A queue's figures, newest first: what was recorded, or else one figure of now.

    Raises:
        QueueNotFoundError: there is no such queue.
        SchemaVersionError: the schema is older than what they are made of.
    """
    require(schema, "queue.retained_count", "Queue statistics")
    cached = (yield sql.find_cached(schema, check_queue_name(name))).first()
    if cached is None:
        raise queue_not_found(name)
    has_history = source.history
    if has_history is None:
        has_history = (yield sql.has_history(schema, name)).scalar()
    if has_history:
        found = snapshots_from((yield _history(schema, name, request)))
    else:
        found = [(yield from _current(schema, cached, request, source))]
    return [request.with_percentiles(stats) for stats in found]


def _history(schema: SchemaName, name: str, request: StatsRequest) -> Query:
    given = (schema, name, request.from_, request.to, request.limit)
    if request.bucket_seconds is not None:
        return stats_buckets.by_width(*given, request.bucket_seconds, request.aggregate)
    if request.max_data_points is not None:
        return stats_buckets.by_points(*given, request.max_data_points, request.aggregate)
    return sql.history(*given)


def _current(
    schema: SchemaName, cached: Mapping[str, Any], request: StatsRequest, source: StatsSource
) -> Steps[QueueStats]:
    """The counts on the queue's row, or new ones where these are too old.

    While counting is held off for vacuum's sake, old ones must do. A queue that was never counted has none: that first
    count waits for nobody, because zeros would be made up.
    """
    is_first = cached["captured_on"] is None
    longest = FORCED_SECONDS if request.force else source.cached_seconds
    if is_first or not (cached["is_held_off"] or cached["age_seconds"] <= longest):
        counted = (yield _recount(schema, cached, waits_for_nobody=is_first)).first()
        cached = counted or cached
    figures = {name: cached[name] for name in _FIGURES}
    return QueueStats(**figures)


@atomic
def _recount(schema: SchemaName, cached: Mapping[str, Any], *, waits_for_nobody: bool) -> Steps[Rows]:
    """Count one queue now; no row when somebody else is counting, whose snapshot is long enough for two."""
    yield locks.limit_waits()
    key = schema.lock_key(cached["database"], Lock.QUEUE_STATS)
    if not waits_for_nobody and not (yield locks.try_to_take(key)).scalar():
        return Rows()
    return (yield monitor.recount_one(schema, cached["table_name"], cached["name"]))


def is_partitioned(schema: SchemaName) -> Steps[bool]:
    """Whether the table has a partition a day."""
    return bool((yield sql.is_partitioned(schema)).scalar())


def missing_days(schema: SchemaName) -> Steps[list[date]]:
    """Which of today and tomorrow have no partition yet."""
    return (yield sql.missing_days(schema)).column()


@atomic
def make_day(schema: SchemaName, day: date) -> Steps[None]:
    """Make the partition of one day, unless somebody else has just made it."""
    yield locks.limit_waits()
    try:
        yield sql.make_day(schema, day, day + timedelta(days=1))
    except DatabaseError as error:
        if error.sqlstate not in {DUPLICATE_TABLE, UNIQUE_VIOLATION}:
            raise


def old_days(schema: SchemaName, days: int) -> Steps[list[str]]:
    """The partitions of days that lie further back than this many."""
    return (yield sql.old_days(schema, days)).column()


@atomic
def drop_day(schema: SchemaName, name: str) -> Steps[None]:
    """Drop the partition of one day."""
    yield locks.limit_waits()
    yield sql.drop_day(schema, name)


def delete_old(
    schema: SchemaName, days: int, after: tuple[datetime, UUID] | None
) -> Steps[tuple[datetime, UUID] | None]:
    """Delete a batch of old snapshots where there are no partitions; where the next one begins, if there is one."""
    row = (yield sql.delete_old(schema, days, after)).first()
    return (row["captured_on"], row["id"]) if row else None
