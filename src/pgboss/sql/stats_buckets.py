"""The statement that reads recorded figures in buckets of time.

A count says how things stood at ``captured_on``; deltas and histograms say what happened up to ``delta_on``, some
seconds earlier. So each is put into the bucket of its own time: counts are aggregated, deltas and histograms summed. A
bucket without a count would look like an empty queue; what happened in it is added to the bucket with counts at or
before it, or to the first one.
"""

from __future__ import annotations

from datetime import datetime

from pgboss.core.names import SchemaName
from pgboss.core.query import Query
from pgboss.core.queue_stats import Aggregate
from pgboss.sql.queue_stats import within

__all__ = ["by_points", "by_width"]

_COUNTS = "deferred_count queued_count ready_count active_count failed_count total_count".split()
_DELTAS = "created_delta completed_delta failed_delta delta_seconds".split()


def by_width(
    schema: SchemaName,
    name: str,
    from_: datetime | None,
    to: datetime | None,
    limit: int,
    bucket_seconds: int,
    aggregate: Aggregate,
) -> Query:
    """Buckets of so many seconds, counted from 1970 on, newest first."""
    width = "SELECT $5::float8 AS seconds"
    return Query(_statement(schema, width, aggregate, "$4::int"), (name, from_, to, limit, bucket_seconds))


def by_points(
    schema: SchemaName,
    name: str,
    from_: datetime | None,
    to: datetime | None,
    limit: int,
    max_data_points: int,
    aggregate: Aggregate,
) -> Query:
    """Buckets of a width that makes at most so many of what was recorded in that time, newest first."""
    width = f"""
            SELECT GREATEST(1, ceil(extract(epoch FROM LEAST(COALESCE($3::timestamptz, last), last)
                                                       - GREATEST(COALESCE($2::timestamptz, first), first))::float8
                                    / $5::int)) AS seconds
              FROM (SELECT min(captured_on) AS first, max(captured_on) AS last
                      FROM {schema.table("queue_stats")}
                     WHERE name = $1::text) recorded"""
    # Counted from 1970, buckets may begin before the first snapshot, and be one too many.
    statement = _statement(schema, width, aggregate, "LEAST($4::int, $5::int)")
    return Query(statement, (name, from_, to, limit, max_data_points))


def _statement(schema: SchemaName, width: str, aggregate: Aggregate, limit: str) -> str:
    stats = schema.table("queue_stats")
    counts = ", ".join(f"{_aggregated(aggregate, f's.{column}')} AS {column}" for column in _COUNTS)
    sums = ", ".join(f"sum({column})::int AS {column}" for column in _DELTAS)
    return f"""
        WITH width AS MATERIALIZED ({width}
        ), counted AS MATERIALIZED (
            SELECT {_bucket("s.captured_on")} AS bucket, {counts}
              FROM {stats} s, width
             WHERE {within("captured_on")}
             GROUP BY 1
        ), passes AS MATERIALIZED (
            SELECT {_bucket("s.delta_on")} AS bucket, {", ".join(f"s.{column}" for column in _DELTAS)},
                   s.delta_on, s.ready_oldest_seconds, s.wait_bins, s.run_bins
              FROM {stats} s, width
             WHERE s.delta_on IS NOT NULL AND {within("delta_on")}
        ), places AS (
            SELECT bucket, COALESCE(max(counted_bucket) OVER (ORDER BY bucket), min(counted_bucket) OVER ()) AS place
              FROM (SELECT bucket, bucket AS counted_bucket FROM counted
                    UNION ALL SELECT DISTINCT bucket, NULL::timestamptz FROM passes) known
        ), placed AS MATERIALIZED (
            SELECT l.place, p.*
              FROM passes p
              JOIN (SELECT DISTINCT bucket, place FROM places WHERE place IS NOT NULL) l ON l.bucket = p.bucket
        ), happened AS (
            SELECT place, {sums}, max(delta_on) AS delta_on, max(ready_oldest_seconds) AS ready_oldest_seconds
              FROM placed
             GROUP BY place
        ), histograms AS (
            SELECT place, array_agg(waited ORDER BY slot) AS wait_bins, array_agg(ran ORDER BY slot) AS run_bins
              FROM (SELECT place, slot, COALESCE(sum(waited), 0)::int AS waited, COALESCE(sum(ran), 0)::int AS ran
                      FROM placed, unnest(wait_bins, run_bins) WITH ORDINALITY u(waited, ran, slot)
                     WHERE wait_bins IS NOT NULL
                     GROUP BY place, slot) slots
             GROUP BY place
        )
        SELECT $1::text AS name, {", ".join(f"c.{column}" for column in _COUNTS)}, c.bucket AS captured_on,
               {", ".join(f"h.{column}" for column in _DELTAS)}, h.delta_on, h.ready_oldest_seconds,
               b.wait_bins, b.run_bins
          FROM counted c
          LEFT JOIN happened h ON h.place = c.bucket
          LEFT JOIN histograms b ON b.place = c.bucket
         ORDER BY c.bucket DESC
         LIMIT {limit}
        """


def _bucket(column: str) -> str:
    epoch = f"extract(epoch FROM {column})::float8"
    return f"to_timestamp(floor({epoch} / width.seconds) * width.seconds)"


def _aggregated(aggregate: Aggregate, column: str) -> str:
    # One of three words of ours: no text of a caller's gets here.
    return {"max": f"max({column})", "min": f"min({column})", "avg": f"round(avg({column}))::int"}[aggregate]
