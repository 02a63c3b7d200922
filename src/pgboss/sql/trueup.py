"""Making up for jobs that were committed after their window had been counted.

A job carries the time at which the transaction that wrote it began. One that committed later than the counting lag lies
in a window that is over, so recent snapshots are compared with the jobs and raised where they fall short. They are
never lowered, because jobs are deleted, too.

A window begins where the snapshot before it ends. Looked at again are those of the last hour, after the last fresh
start (which left out what came before it on purpose), and as far back as retention has deleted nothing yet.
docs/compatibility.md, "Statistics".
"""

from __future__ import annotations

from collections.abc import Sequence

from pgboss.core.names import SchemaName
from pgboss.core.query import Query
from pgboss.sql.transactions import PINNED_SECONDS

__all__ = ["raise_counts", "recounted"]

REACH = "interval '1 hour'"


def recounted(schema: SchemaName, table_name: str) -> tuple[str, str]:
    """A lateral part of the monitor's count: what snapshots of queue ``q`` hold, and what a recount finds there now."""
    job, stats = schema.table(table_name), schema.table("queue_stats")
    return (
        "recounted",
        f"""
                SELECT COALESCE(told.settled, 0) AS settled,
                       (SELECT count(*) FROM {job} j
                         WHERE j.name = q.name AND j.created_on >= b.beginning AND j.created_on < told.latest)
                       + (SELECT count(*) FROM {job} j
                           WHERE j.name = q.name AND j.completed_on >= b.beginning AND j.completed_on < told.latest
                             AND j.state IN ('completed', 'failed')) AS recount
                  FROM ({_beginning(schema)}) b
                 CROSS JOIN LATERAL (
                       SELECT max(s.delta_on) AS latest,
                              sum(s.created_delta + s.completed_delta + s.failed_delta) AS settled
                         FROM {stats} s
                        WHERE s.name = q.name AND {_in_reach(schema)} AND s.delta_on > b.beginning) told""",
    )


def raise_counts(schema: SchemaName, table_name: str, names: Sequence[str]) -> Query:
    """Count the recent windows of these queues anew, and raise the snapshots that hold less."""
    job, stats = schema.table(table_name), schema.table("queue_stats")
    return Query(
        f"""
        WITH spans AS MATERIALIZED (
            SELECT s.id, s.captured_on, s.name, s.delta_on AS span_end,
                   COALESCE(lag(s.delta_on) OVER (PARTITION BY s.name ORDER BY s.delta_on, s.captured_on), b.beginning)
                       AS span_start
              FROM {schema.table("queue")} q
             CROSS JOIN LATERAL ({_beginning(schema)}) b
              JOIN {stats} s ON s.name = q.name AND {_in_reach(schema)} AND s.delta_on > b.beginning
             WHERE q.name = ANY($1::text[])
        ), recount AS MATERIALIZED (
            SELECT w.id, w.captured_on, arrived.created, ended.completed, ended.failed
              FROM spans w
             CROSS JOIN LATERAL (
                   SELECT count(*)::int AS created
                     FROM {job} j
                    WHERE j.name = w.name AND j.created_on >= w.span_start AND j.created_on < w.span_end) arrived
             CROSS JOIN LATERAL (
                   SELECT (count(*) FILTER (WHERE j.state = 'completed'))::int AS completed,
                          (count(*) FILTER (WHERE j.state = 'failed'))::int AS failed
                     FROM {job} j
                    WHERE j.name = w.name AND j.completed_on >= w.span_start AND j.completed_on < w.span_end) ended
        ), raised AS (
            UPDATE {stats} s
               SET created_delta = GREATEST(s.created_delta, r.created),
                   completed_delta = GREATEST(s.completed_delta, r.completed),
                   failed_delta = GREATEST(s.failed_delta, r.failed)
              FROM recount r
             WHERE s.id = r.id AND s.captured_on = r.captured_on
               AND (r.created > s.created_delta OR r.completed > s.completed_delta OR r.failed > s.failed_delta)
            RETURNING 1
        )
        SELECT (SELECT count(*) FROM raised)::int AS raised, {PINNED_SECONDS} AS pin_seconds
        """,
        (list(names),),
    )


def _in_reach(schema: SchemaName) -> str:
    return f"s.captured_on >= {schema.now} - 2 * {REACH} AND s.delta_on IS NOT NULL"


def _beginning(schema: SchemaName) -> str:
    """One row for queue ``q``: where the windows begin that are looked at again; NULL when none are."""
    now = schema.now
    kept = f"{now} - LEAST(NULLIF(q.deletion_seconds, 0), q.retention_seconds) * interval '1 second'"
    return f"""SELECT CASE WHEN r.undeleted IS NOT NULL THEN GREATEST(r.settled, r.undeleted) END AS beginning
                         FROM (SELECT COALESCE(
                                          max(s.delta_on)
                                              FILTER (WHERE s.delta_on <= {now} - {REACH} OR s.delta_seconds IS NULL),
                                          min(s.delta_on)) AS settled,
                                      min(s.delta_on) FILTER (WHERE s.delta_on >= {kept}) AS undeleted
                                 FROM {schema.table("queue_stats")} s
                                WHERE s.name = q.name AND {_in_reach(schema)}) r"""
