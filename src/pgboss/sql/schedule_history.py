"""What has come of a schedule: its occurrences, and the jobs that they became."""

from __future__ import annotations

from pgboss.core.names import SEND_IT_QUEUE, SchemaName
from pgboss.core.query import Query

__all__ = ["WINDOW", "history"]

WINDOW = 20_000
"""So many occurrences of all schedules are looked at, the latest first."""


def history(schema: SchemaName, queue: str, occurrence_key: str, limit: int) -> Query:
    """The latest occurrences of one schedule, each with the job that its delivery made, as far as that is there.

    An occurrence does not say which job it became. But the job was created while the occurrence was being delivered,
    in the queue and with the data that the occurrence names.
    """
    job = schema.table("job")
    return Query(
        f"""
        WITH latest AS MATERIALIZED (
            SELECT o.singleton_on, COALESCE(o.singleton_key, '') AS key, o.state, o.started_on, o.completed_on, o.data
              FROM {job} o
             WHERE o.name = '{SEND_IT_QUEUE}' AND o.state <> 'cancelled' AND o.singleton_on IS NOT NULL
             ORDER BY o.singleton_on DESC
             LIMIT {WINDOW}
        )
        SELECT l.singleton_on AT TIME ZONE 'UTC' AS due_on, l.completed_on AS delivered_on, made.id, made.state::text
          FROM (SELECT * FROM latest WHERE key = $2::text ORDER BY singleton_on DESC LIMIT $3::int) l
          LEFT JOIN LATERAL (
              SELECT j.id, j.state
                FROM {job} j
               WHERE j.name = $1::text AND j.created_on >= l.started_on AND j.created_on <= l.completed_on
                 AND NULLIF(j.data, 'null') IS NOT DISTINCT FROM NULLIF(l.data -> 'data', 'null')
               ORDER BY j.created_on
               LIMIT 1) made ON true
         ORDER BY l.singleton_on DESC
        """,
        (queue, occurrence_key, limit),
    )
