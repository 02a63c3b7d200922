"""The statement that fails jobs: back to retry while attempts are left, else failed, with a copy for the dead letter.

The row is deleted and inserted anew rather than updated. The insert can then give way to a unique index: where the
retry row would break its queue's policy, the job ends as failed instead of failing the whole statement.
docs/compatibility.md, "Failing".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pgboss.core.job import Attempt
from pgboss.core.names import SchemaName
from pgboss.core.query import Parameter, Query
from pgboss.core.queue import QueueRef
from pgboss.sql.settle import attempt_arrays

JOB_COLUMNS = (
    "id name priority data state retry_limit retry_count retry_delay retry_backoff retry_delay_max expire_seconds "
    "deletion_seconds singleton_key singleton_on group_id group_tier start_after created_on started_on completed_on "
    "keep_until output dead_letter policy heartbeat_on heartbeat_seconds blocked blocking pending_dependencies "
    "source_name source_id source_created_on source_retry_count source_output source_root_id trace_context "
    "upsert_by_key"
).split()

SWEEP_BATCH = 1000


def _columns(alias: str, changes: Mapping[str, str]) -> str:
    return ", ".join(changes.get(column, f"{alias}.{column}") for column in JOB_COLUMNS)


def _retry_time(now: str) -> str:
    """When the next attempt falls due; the exponent counts this failure and stops at 16."""
    power = "pow(2, LEAST(16, f.retry_count + 1))"
    backoff = f"GREATEST(f.retry_delay, 1) * ({power} / 2 + {power} / 2 * random())"
    return f"""CASE
               WHEN f.retry_count = f.retry_limit THEN f.start_after
               WHEN NOT f.retry_backoff THEN {now} + f.retry_delay * interval '1 second'
               ELSE {now} + LEAST(f.retry_delay_max, {backoff}) * interval '1 second'
               END"""


def _statement(schema: SchemaName, table: str, failing: str, parameters: tuple[Parameter, ...]) -> Query:
    """Compose the statement around ``failing``: the DELETE that names the rows, their new output and finality."""
    now, job, queue = schema.now, schema.table("job"), schema.table("queue")
    gone = {"output": "f.new_output", "heartbeat_on": "NULL::timestamptz", "upsert_by_key": "NULL::bool"}
    again = "f.retry_count < f.retry_limit AND NOT f.is_final"
    state = schema.table("job_state")
    settled = gone | {
        "state": f"CASE WHEN {again} THEN 'retry' ELSE 'failed' END::{state}",
        "start_after": _retry_time(now),
        "completed_on": f"CASE WHEN {again} THEN NULL ELSE {now} END",
    }
    given_way = gone | {"state": f"'failed'::{state}", "completed_on": now}
    return Query(
        f"""
        WITH failing AS MATERIALIZED (
            {failing}
        ), settled AS (
            INSERT INTO {table} ({", ".join(JOB_COLUMNS)})
            SELECT {_columns("f", settled)} FROM failing f
            ON CONFLICT DO NOTHING
            RETURNING *
        ), given_way AS (
            INSERT INTO {table} ({", ".join(JOB_COLUMNS)})
            SELECT {_columns("f", given_way)} FROM failing f
             WHERE NOT EXISTS (SELECT FROM settled s WHERE s.id = f.id)
            RETURNING *
        ), done AS MATERIALIZED (
            SELECT * FROM settled UNION ALL SELECT * FROM given_way
        ), dead AS (
            INSERT INTO {job} (
                name, data, priority, singleton_key, group_id, group_tier, trace_context,
                source_name, source_id, source_created_on, source_retry_count, source_output, source_root_id,
                retry_limit, retry_backoff, retry_delay, deletion_seconds, expire_seconds, heartbeat_seconds,
                keep_until, start_after, created_on
            )
            SELECT q.name, d.data, d.priority, d.singleton_key, d.group_id, d.group_tier, d.trace_context,
                   d.name, d.id, d.created_on, d.retry_count, d.output, COALESCE(d.source_root_id, d.id),
                   q.retry_limit, q.retry_backoff, q.retry_delay, q.deletion_seconds, q.expire_seconds,
                   q.heartbeat_seconds, {now} + q.retention_seconds * interval '1 second', {now}, {now}
              FROM done d JOIN {queue} q ON q.name = d.dead_letter
             WHERE d.state = 'failed'
        )
        SELECT id, state::text AS state FROM done
        """,
        parameters,
    )


def _returning(output: str, is_final: str) -> str:
    """The old row as it was, with what the insert needs besides."""
    return f"RETURNING {_columns('j', {})}, {output} AS new_output, {is_final} AS is_final"


def fail(queue: QueueRef, attempts: Sequence[Attempt], output: str | None) -> Query:
    """Fail jobs that have not finished, all with one output."""
    return _fail(queue, attempts, [output] * len(attempts), [False] * len(attempts))


def fail_each(
    queue: QueueRef, attempts: Sequence[Attempt], outputs: Sequence[str | None], is_final: Sequence[bool]
) -> Query:
    """Fail active attempts, each with its own output; where ``is_final`` is true no retry follows."""
    return _fail(queue, attempts, outputs, is_final)


def _fail(
    queue: QueueRef, attempts: Sequence[Attempt], outputs: Sequence[str | None], is_final: Sequence[bool]
) -> Query:
    failing = f"""
            DELETE FROM {queue.table} j
             USING unnest($2::uuid[], $3::int[], $4::timestamptz[], $5::text[], $6::bool[])
                AS a(id, retry_count, started_on, output, is_final)
             WHERE j.name = $1::text AND j.id = ANY($2::uuid[]) AND j.id = a.id AND j.state < 'completed'
               AND (a.retry_count IS NULL OR (j.state = 'active' AND j.retry_count = a.retry_count))
               AND (a.started_on IS NULL OR j.started_on = a.started_on)
            {_returning("a.output::jsonb", "a.is_final")}"""
    return _statement(
        queue.schema,
        queue.table,
        failing,
        (*attempt_arrays(queue, attempts), list(outputs), list(is_final)),
    )


def fail_expired(schema: SchemaName, table_name: str, queues: Sequence[str]) -> Query:
    """Fail a batch of active jobs that ran out of time."""
    return _sweep(
        schema,
        table_name,
        queues,
        f"j.started_on + j.expire_seconds * interval '1 second' < {schema.now}",
        '{"value":{"message":"job timed out"}}',
    )


def fail_silent(schema: SchemaName, table_name: str, queues: Sequence[str]) -> Query:
    """Fail a batch of active jobs whose heartbeat stopped."""
    return _sweep(
        schema,
        table_name,
        queues,
        "j.heartbeat_seconds IS NOT NULL "
        f"AND j.heartbeat_on + j.heartbeat_seconds * interval '1 second' < {schema.now}",
        '{"value":{"message":"job heartbeat timeout"}}',
    )


def _sweep(schema: SchemaName, table_name: str, queues: Sequence[str], condition: str, output: str) -> Query:
    table = schema.table(table_name)
    failing = f"""
            DELETE FROM {table} j
             WHERE j.name = ANY($1::text[])
               AND j.id = ANY(ARRAY(
                   SELECT j.id FROM {table} j
                    WHERE j.name = ANY($1::text[]) AND j.state = 'active' AND {condition}
                    LIMIT {SWEEP_BATCH}
                      FOR UPDATE OF j SKIP LOCKED))
               AND j.state = 'active'
            {_returning("$2::jsonb", "false")}"""
    return _statement(schema, table, failing, (list(queues), output))
