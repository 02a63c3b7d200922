"""The statements that bring dead letters back to work, and that say beforehand what would come of it.

docs/compatibility.md, "Redrive".
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from pgboss.core.query import Parameter, Query
from pgboss.core.queue import QueueRef

# Only jobs that wait are brought back. One whose key is held by another job of a strict queue waits behind it: it can
# neither be moved before that one nor fail in place, for the key admits one holder.
_IS_CANDIDATE = """
    j.name = $1::text AND j.state < 'active'
    AND ($3::text IS NULL OR j.source_name = $3::text)
    AND ($4::jsonb IS NULL OR j.data @> $4::jsonb)
    AND ($5::timestamptz IS NULL OR j.created_on < $5::timestamptz)
    AND ($6::uuid[] IS NULL OR j.id = ANY($6::uuid[]))
    AND NOT (j.policy IS NOT DISTINCT FROM 'key_strict_fifo' AND EXISTS (
        SELECT FROM {table} h
         WHERE h.name = $1::text AND h.singleton_key = j.singleton_key AND h.policy = 'key_strict_fifo'
           AND h.state IN ('active', 'retry', 'failed')))
"""

_DESTINATION = "COALESCE($2::text, j.source_name)"


def _filters(
    queue: QueueRef,
    destination: str | None,
    source_name: str | None,
    data_json: str | None,
    created_before: datetime | None,
    ids: Sequence[UUID] | None,
) -> tuple[Parameter, ...]:
    """The first six parameters of both statements."""
    return (queue.name, destination, source_name, data_json, created_before, None if ids is None else list(ids))


def redrive(
    queue: QueueRef,
    *,
    destination: str | None,
    source_name: str | None,
    data_json: str | None,
    created_before: datetime | None,
    ids: Sequence[UUID] | None,
    limit: int,
) -> Query:
    """Create waiting dead letters anew, oldest first, in the queue they came from or in ``destination``.

    Each gets its new id before anything is created, so that the ids that come back tell which of them found their slot
    free; those leave the dead letter queue. The others fail where they are, with the reason as their output: as long
    as they waited, they would be tried again by every further call, before all younger ones.

    Returns the number of jobs moved.
    """
    schema = queue.schema
    now, job, queues = schema.now, schema.table("job"), schema.table("queue")
    trace, trace_value = (schema.if_has("job.trace_context", text) for text in (", trace_context", ", j.trace_context"))
    root, root_value = (
        schema.if_has("job.source_root_id", text)
        for text in (", source_root_id", ", COALESCE(j.source_root_id, j.source_id)")
    )
    cause = schema.if_has("job.source_output", "source_output = COALESCE(j.source_output, j.output),")
    return Query(
        f"""
        WITH chosen AS MATERIALIZED (
            SELECT j.id, gen_random_uuid() AS new_id
              FROM {queue.table} j JOIN {queues} q ON q.name = {_DESTINATION}
             WHERE {_IS_CANDIDATE.format(table=queue.table)}
             ORDER BY j.created_on, j.id
             LIMIT $7::int
               FOR UPDATE OF j SKIP LOCKED
        ), letters AS MATERIALIZED (
            SELECT c.new_id, j.*
              FROM chosen c JOIN {queue.table} j ON j.id = c.id
             WHERE j.name = $1::text AND j.id = ANY(ARRAY(SELECT id FROM chosen))
        ), created AS (
            INSERT INTO {job} (
                id, name, data, priority, singleton_key, group_id, group_tier{trace}{root},
                retry_limit, retry_delay, retry_backoff, retry_delay_max, expire_seconds, deletion_seconds,
                heartbeat_seconds, policy, dead_letter, start_after, created_on, keep_until
            )
            SELECT j.new_id, q.name, j.data, j.priority, j.singleton_key,
                   j.group_id, j.group_tier{trace_value}{root_value},
                   q.retry_limit, q.retry_delay, q.retry_backoff, q.retry_delay_max, q.expire_seconds,
                   q.deletion_seconds, q.heartbeat_seconds, q.policy, q.dead_letter, {now}, {now},
                   {now} + q.retention_seconds * interval '1 second'
              FROM letters j JOIN {queues} q ON q.name = {_DESTINATION}
             ORDER BY j.created_on, j.id
            ON CONFLICT DO NOTHING
            RETURNING id
        ), moved AS (
            DELETE FROM {queue.table} j
             WHERE j.name = $1::text
               AND j.id = ANY(ARRAY(SELECT l.id FROM letters l JOIN created c ON c.id = l.new_id))
        ), conflicts AS MATERIALIZED (
            SELECT j.id, q.name AS destination, q.policy,
                   row_number() OVER (PARTITION BY j.policy, j.singleton_key ORDER BY j.created_on, j.id) = 1
                   OR j.policy IS DISTINCT FROM 'key_strict_fifo' OR j.singleton_key IS NULL AS may_fail
              FROM letters j JOIN {queues} q ON q.name = {_DESTINATION}
             WHERE j.new_id NOT IN (SELECT id FROM created)
        ), failed AS (
            UPDATE {queue.table} j
               SET state = 'failed',
                   completed_on = {now},
                   {cause}
                   output = {_REASON}
              FROM conflicts c
             WHERE j.name = $1::text AND j.id = ANY(ARRAY(SELECT id FROM conflicts)) AND j.id = c.id AND c.may_fail
        )
        SELECT count(*)::int AS moved FROM created
        """,
        (*_filters(queue, destination, source_name, data_json, created_before, ids), limit),
        guarded=True,
    )


# Node's words to the letter, because programs may look at them.
_REASON = """jsonb_build_object(
                       'message', 'Not redriven: queue ' || c.destination || ' already has a job '
                           || COALESCE('with singletonKey ' || j.singleton_key, 'this one conflicts with')
                           || ' under its ' || COALESCE(c.policy, 'standard') || ' policy',
                       'reason', 'redrive_conflict',
                       'destination', c.destination,
                       'policy', c.policy,
                       'singletonKey', j.singleton_key)"""


def preview(
    queue: QueueRef,
    *,
    destination: str | None,
    source_name: str | None,
    data_json: str | None,
    created_before: datetime | None,
    ids: Sequence[UUID] | None,
    limit: int,
) -> Query:
    """Where a redrive would move how many jobs, most first; without a destination are those that it would leave.

    At most ``limit`` jobs are read of those that would be moved, and as many of the others, so that it costs little
    however long the dead letter queue is.
    """
    candidates = f"""
                SELECT q.name AS destination
                  FROM {queue.table} j LEFT JOIN {queue.schema.table("queue")} q ON q.name = {_DESTINATION}
                 WHERE {_IS_CANDIDATE.format(table=queue.table)}"""
    return Query(
        f"""
        SELECT destination, count(*)::int AS jobs
          FROM (({candidates} AND q.name IS NOT NULL LIMIT $7::int)
                UNION ALL
                ({candidates} AND q.name IS NULL LIMIT $7::int)) candidates
         GROUP BY destination
         ORDER BY jobs DESC, destination
        """,
        (*_filters(queue, destination, source_name, data_json, created_before, ids), limit),
    )
