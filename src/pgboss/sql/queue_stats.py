"""Statements about recorded figures: taking snapshots, keeping their table, and reading them.

The table has a partition a day, by the calendar of UTC, whose name says which; retention drops whole ones. On an
engine without partitions Node makes it a plain table, which retention walks in batches.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from uuid import UUID

from pgboss.core.names import SchemaName, quote_literal
from pgboss.core.query import Query
from pgboss.sql.walk import FIRST_ID, WALK_BATCH

__all__ = [
    "delete_old",
    "drop_day",
    "find_cached",
    "has_history",
    "history",
    "is_partitioned",
    "make_day",
    "missing_days",
    "old_days",
    "take_snapshots",
    "within",
]

_DAY = '"queue_stats_"YYYYMMDD'

_FIGURES = (
    "deferred_count queued_count ready_count active_count failed_count total_count created_delta completed_delta "
    "failed_delta delta_seconds delta_on wait_bins run_bins ready_oldest_seconds"
).split()


def is_partitioned(schema: SchemaName) -> Query:
    """Whether the table has a partition a day; the value is NULL where there is no such table."""
    return Query(
        """
        SELECT c.relkind = 'p'
          FROM pg_catalog.pg_class c
          JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
         WHERE n.nspname = $1::text AND c.relname = 'queue_stats'
        """,
        (schema.catalog_name,),
    )


def missing_days(schema: SchemaName) -> Query:
    """Which of today and tomorrow have no partition yet, by the calendar of UTC."""
    return Query(
        f"""
        SELECT d.day
          FROM (SELECT ({schema.now} AT TIME ZONE 'UTC')::date + n AS day FROM generate_series(0, 1) n) d
         WHERE NOT EXISTS (SELECT
                             FROM pg_catalog.pg_class c
                             JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
                            WHERE n.nspname = $1::text AND c.relname = to_char(d.day, '{_DAY}'))
         ORDER BY d.day
        """,
        (schema.catalog_name,),
    )


def make_day(schema: SchemaName, day: date, following: date) -> Query:
    """Make the partition of one day."""
    # The bounds carry their offset: a bare date would be read in the time zone of the session.
    bounds = [quote_literal(f"{edge.isoformat()} 00:00:00+00") for edge in (day, following)]
    return Query(
        f"""
        CREATE TABLE IF NOT EXISTS {schema.table(f"queue_stats_{day:%Y%m%d}")}
            PARTITION OF {schema.table("queue_stats")} FOR VALUES FROM ({bounds[0]}) TO ({bounds[1]})
        """,
        guarded=True,
    )


def old_days(schema: SchemaName, days: int) -> Query:
    """The partitions of days that lie further back than this many; tables that are not named for a day are nobody's."""
    return Query(
        f"""
        SELECT c.relname AS name
          FROM pg_catalog.pg_inherits i
          JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid
          JOIN pg_catalog.pg_class p ON p.oid = i.inhparent
          JOIN pg_catalog.pg_namespace n ON n.oid = p.relnamespace AND n.oid = c.relnamespace
         WHERE n.nspname = $1::text AND p.relname = 'queue_stats'
           AND c.relname ~ '^queue_stats_[0-9]{{8}}$'
           AND to_date(right(c.relname, 8), 'YYYYMMDD') < ({schema.now} AT TIME ZONE 'UTC')::date - $2::int
         ORDER BY c.relname
        """,
        (schema.catalog_name, days),
    )


def drop_day(schema: SchemaName, name: str) -> Query:
    """Drop the partition of one day."""
    return Query(f"DROP TABLE IF EXISTS {schema.table(name)}")


def delete_old(schema: SchemaName, days: int, after: tuple[datetime, UUID] | None) -> Query:
    """Delete the next batch of snapshots older than so many days, where there are no partitions.

    Returns where the next batch begins, as ``captured_on`` and ``id``; no row when this was the last one.
    """
    stats = schema.table("queue_stats")
    captured_on, id = after or (None, FIRST_ID)
    return Query(
        f"""
        WITH old AS MATERIALIZED (
            SELECT captured_on, id
              FROM {stats}
             WHERE captured_on < {schema.now} - make_interval(days => $1::int)
               AND ($2::timestamptz IS NULL OR (captured_on, id) > ($2::timestamptz, $3::uuid))
             ORDER BY captured_on, id
             LIMIT $4::int
        ), removed AS (
            DELETE FROM {stats} s USING old WHERE s.captured_on = old.captured_on AND s.id = old.id
        )
        SELECT captured_on, id FROM old ORDER BY captured_on, id OFFSET $4::int - 1
        """,
        (days, captured_on, id, WALK_BATCH),
    )


def take_snapshots(schema: SchemaName, names: Sequence[str]) -> Query:
    """Record the figures that the rows of these queues hold."""
    columns = ", ".join(_FIGURES)
    return Query(
        f"""
        INSERT INTO {schema.table("queue_stats")} (name, {columns}, captured_on)
        SELECT name, {columns}, {schema.now}
          FROM {schema.table("queue")}
         WHERE name = ANY($1::text[])
        """,
        (list(names),),
    )


def find_cached(schema: SchemaName, name: str) -> Query:
    """The counts on a queue's row, how old they are, and whether snapshots of it were recorded."""
    now = schema.now
    return Query(
        f"""
        SELECT q.name, q.deferred_count, q.queued_count, q.ready_count, q.active_count, q.failed_count, q.total_count,
               q.monitor_on AS captured_on, q.table_name, current_database()::text AS database,
               extract(epoch FROM {now} - q.monitor_on)::float8 AS age_seconds, {now} AS read_on,
               EXISTS (SELECT FROM {schema.table("version")} WHERE monitor_backoff_on > {now}) AS is_held_off
          FROM {schema.table("queue")} q
         WHERE q.name = $1::text
        """,
        (name,),
    )


def has_history(schema: SchemaName, name: str) -> Query:
    """Whether any snapshot of a queue was recorded."""
    return Query(f"SELECT EXISTS (SELECT FROM {schema.table('queue_stats')} WHERE name = $1::text)", (name,))


def history(schema: SchemaName, name: str, from_: datetime | None, to: datetime | None, limit: int) -> Query:
    """The recorded snapshots of a queue, newest first."""
    return Query(
        f"""
        SELECT name, {", ".join(_FIGURES)}, captured_on
          FROM {schema.table("queue_stats")} s
         WHERE {within("captured_on")}
         ORDER BY captured_on DESC
         LIMIT $4::int
        """,
        (name, from_, to, limit),
    )


def within(column: str) -> str:
    """The condition on rows of queue $1 from $2 to $3, where they are given."""
    return f"""s.name = $1::text
           AND ($2::timestamptz IS NULL OR s.{column} >= $2::timestamptz)
           AND ($3::timestamptz IS NULL OR s.{column} <= $3::timestamptz)"""
