"""The statement that creates jobs: one round trip for one job or fifty thousand."""

from __future__ import annotations

from pgboss.core.names import SchemaName
from pgboss.core.query import Query

# One line a column of the incoming JSON; the names are those of core.options as columns.
_INCOMING = """
    id uuid, data jsonb, priority int, start_after text, singleton_key text, group_id text, group_tier text,
    retry_limit int, retry_delay int, retry_backoff bool, retry_delay_max int, expire_seconds int,
    retention_seconds int, deletion_seconds int, heartbeat_seconds int, dead_letter text
"""

# pg-boss reads a start time in the database: text that ends in Z or begins with a date is an instant,
# anything else an interval from now. No backslash: it means something else where standard_conforming_strings is off.
_STARTS = """
    CASE WHEN i.start_after IS NULL THEN {now}
         WHEN i.start_after LIKE '%Z' OR i.start_after ~ '^[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}'
         THEN i.start_after::timestamptz
         ELSE {now} + i.start_after::interval
     END
"""


def insert(schema: SchemaName, name: str, jobs_json: str, *, return_ids: bool) -> Query:
    """Create jobs from a JSON list of objects, filling absent options from the queue's row.

    Whatever would break a unique index (the id, a policy, a throttle slot) is dropped without an error. Listeners
    are notified once when the queue wants it and at least one new job is due.

    Returns one row: ``queues`` (0 when the queue is missing, and then nothing was created), ``lost`` (dead letter
    queues that were named and do not exist; then nothing was created either), ``created`` (a count), ``ids``.
    """
    now, job, queue = schema.now, schema.table("job"), schema.table("queue")
    return Query(
        f"""
        WITH queue AS MATERIALIZED (
            SELECT * FROM {queue} WHERE name = $1::text
        ), incoming AS MATERIALIZED (
            SELECT i.*, {_STARTS.format(now=now)} AS starts
              FROM json_to_recordset($2::json) AS i({_INCOMING})
        ), lost AS MATERIALIZED (
            SELECT DISTINCT i.dead_letter
              FROM incoming i
             WHERE i.dead_letter IS NOT NULL
               AND NOT EXISTS (SELECT FROM {queue} d WHERE d.name = i.dead_letter)
        ), created AS (
            INSERT INTO {job} (
                id, name, data, priority, start_after, created_on, singleton_key, group_id, group_tier,
                retry_limit, retry_delay, retry_backoff, retry_delay_max, expire_seconds, deletion_seconds,
                keep_until, heartbeat_seconds, dead_letter, policy
            )
            SELECT COALESCE(i.id, gen_random_uuid()), q.name, i.data, COALESCE(i.priority, 0), i.starts, {now},
                   i.singleton_key, i.group_id, i.group_tier,
                   COALESCE(i.retry_limit, q.retry_limit), COALESCE(i.retry_delay, q.retry_delay),
                   COALESCE(i.retry_backoff, q.retry_backoff), COALESCE(i.retry_delay_max, q.retry_delay_max),
                   COALESCE(i.expire_seconds, q.expire_seconds), COALESCE(i.deletion_seconds, q.deletion_seconds),
                   i.starts + COALESCE(i.retention_seconds, q.retention_seconds) * interval '1 second',
                   COALESCE(i.heartbeat_seconds, q.heartbeat_seconds), COALESCE(i.dead_letter, q.dead_letter),
                   q.policy
              FROM incoming i CROSS JOIN queue q
             WHERE NOT EXISTS (SELECT FROM lost)
            ON CONFLICT DO NOTHING
            RETURNING id, start_after
        ), notified AS (
            SELECT pg_notify($3::text, q.name)
              FROM queue q
             WHERE q.notify AND EXISTS (SELECT FROM created WHERE start_after <= {now})
        )
        SELECT (SELECT count(*) FROM queue)::int AS queues,
               (SELECT array_agg(dead_letter) FROM lost) AS lost,
               (SELECT count(*) FROM created)::int AS created,
               {"(SELECT array_agg(id) FROM created)" if return_ids else "NULL::uuid[]"} AS ids,
               (SELECT count(*) FROM notified)::int AS notified
        """,
        (name, jobs_json, schema.channel),
    )
