"""Statements that show queues at a glance: from recorded figures, and of job tables never more than a few rows."""

from __future__ import annotations

from pgboss.core.names import SchemaName
from pgboss.core.query import Query
from pgboss.core.queue import QueueRef, queue_columns

__all__ = ["changes", "counted_up_to", "counts", "queue_count", "search", "totals_over_time"]


def totals_over_time(schema: SchemaName, seconds: int, bucket_seconds: int, most_queues: int) -> Query:
    """What all queues together held and did in each bucket of the last so many seconds, oldest first.

    Queue by queue, so that each reads its own stretch of the index by name and time. Of the counts, a bucket holds
    the most of each queue, summed; of what happened, the sum. A bucket is that of when a figure was recorded.
    """
    return Query(
        f"""
        WITH recorded AS (
            SELECT q.name, s.*
              FROM (SELECT name FROM {schema.table("queue")} ORDER BY name LIMIT $3::int) q
             CROSS JOIN LATERAL (
                   SELECT to_timestamp(floor(extract(epoch FROM s.captured_on)::float8 / $2::int) * $2::int) AS bucket,
                          max(s.ready_count) AS ready, max(s.active_count) AS active,
                          max(s.queued_count) AS queued, sum(s.created_delta) AS created,
                          sum(s.completed_delta) AS completed, sum(s.failed_delta) AS failed
                     FROM {schema.table("queue_stats")} s
                    WHERE s.name = q.name
                      AND s.captured_on >= {schema.now} - $1::int * interval '1 second'
                    GROUP BY 1
                   ) s
        )
        SELECT bucket AS at, sum(ready)::bigint AS ready, sum(active)::bigint AS active, sum(queued)::bigint AS queued,
               COALESCE(sum(created), 0)::bigint AS created, COALESCE(sum(completed), 0)::bigint AS completed,
               COALESCE(sum(failed), 0)::bigint AS failed
          FROM recorded
         GROUP BY bucket
         ORDER BY bucket
        """,
        (seconds, bucket_seconds, most_queues),
    )


def counts(schema: SchemaName, most_queues: int) -> Query:
    """The counts of every queue's row, in name order: what listeners are told of."""
    return Query(
        f"""
        SELECT name, ready_count, active_count, queued_count, deferred_count, failed_count, total_count
          FROM {schema.table("queue")}
         ORDER BY name
         LIMIT $1::int
        """,
        (most_queues,),
    )


def queue_count(schema: SchemaName) -> Query:
    """How many queues there are."""
    return Query(f"SELECT count(*)::int FROM {schema.table('queue')}")


def search(schema: SchemaName, text: str | None, after: str | None, limit: int) -> Query:
    """Queues whose name holds a text, whatever its case, in name order; ``after`` continues behind that name."""
    return Query(
        f"""
        SELECT {queue_columns(schema, "q")}
          FROM {schema.table("queue")} q
         WHERE ($1::text IS NULL OR position(lower($1::text) IN lower(q.name)) > 0)
           AND ($2::text IS NULL OR q.name > $2::text)
         ORDER BY q.name
         LIMIT $3::int
        """,
        (text, after, limit),
    )


def counted_up_to(queue: QueueRef, most: int) -> Query:
    """The jobs of a queue in each state that is not an end, now; each is counted up to so many."""
    # One branch a state, literal, so that each reads its own stretch of the partial index, in its order, and stops.
    branches = " UNION ALL ".join(
        f"""
        SELECT '{state}' AS state, count(*) AS jobs
          FROM (SELECT FROM {queue.table} WHERE name = $1::text AND state = '{state}'
                 ORDER BY blocked, start_after LIMIT $2::int) found"""
        for state in ("created", "retry", "active", "failed")
    )
    return Query(branches, (queue.name, most))


def changes(schema: SchemaName) -> Query:
    """How many rows of job tables were ever written, as PostgreSQL's statistics know: another number is news.

    A session reports at most once a second, and what came in between when it has been idle for ten.
    """
    return Query(
        """
        SELECT COALESCE(sum(pg_stat_get_tuples_inserted(t.oid) + pg_stat_get_tuples_updated(t.oid)
                            + pg_stat_get_tuples_deleted(t.oid)), 0)::bigint AS changes
          FROM (SELECT to_regclass($1::text)::oid AS oid
                 UNION ALL
                SELECT inhrelid FROM pg_inherits WHERE inhparent = to_regclass($1::text)) t
        """,
        (schema.table("job"),),
    )
