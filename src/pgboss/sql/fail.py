"""The statement that fails jobs: back to retry while attempts are left, else failed, with a copy for the dead letter.

The row is deleted and inserted anew rather than updated. The insert can then give way to a unique index: where the
retry row would break its queue's policy, the job ends as failed instead of failing the whole statement.
docs/compatibility.md, "Failing".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pgboss.core.checks import MAX_DELAY_SECONDS
from pgboss.core.job import OneAttempt
from pgboss.core.names import SchemaName
from pgboss.core.query import Parameter, Query
from pgboss.core.queue import QueueRef
from pgboss.sql.settle import ATTEMPT, IDS, attempt_arrays, listed

JOB_COLUMNS = (
    "id name priority data state retry_limit retry_count retry_delay retry_backoff retry_delay_max expire_seconds "
    "deletion_seconds singleton_key singleton_on group_id group_tier start_after created_on started_on completed_on "
    "keep_until output dead_letter policy heartbeat_on heartbeat_seconds blocked blocking pending_dependencies "
    "source_name source_id source_created_on source_retry_count source_output source_root_id trace_context "
    "upsert_by_key"
).split()

SWEEP_BATCH = 1000

EACH_JOB = "SELECT id, state::text AS state FROM done"


def _offered(schema: SchemaName) -> list[str]:
    return [column for column in JOB_COLUMNS if schema.has(f"job.{column}")]


def _columns(schema: SchemaName, alias: str, changes: Mapping[str, str]) -> str:
    return ", ".join(changes.get(column, f"{alias}.{column}") for column in _offered(schema))


def _retry_time(now: str) -> str:
    """When the next attempt falls due; the exponent counts this failure and stops at 16.

    A delay in the billions would otherwise end beyond PostgreSQL's calendar, and its job could never be failed.
    """
    power = "pow(2, LEAST(16, f.retry_count + 1))"
    backoff = f"GREATEST(f.retry_delay, 1) * ({power} / 2 + {power} / 2 * random())"
    return f"""CASE
               WHEN f.retry_count = f.retry_limit THEN f.start_after
               WHEN NOT f.retry_backoff THEN {now} + f.retry_delay * interval '1 second'
               ELSE {now} + LEAST(f.retry_delay_max, {backoff}, {MAX_DELAY_SECONDS}) * interval '1 second'
               END"""


def _statement(
    schema: SchemaName,
    table: str,
    failing: str,
    parameters: tuple[Parameter, ...],
    outcome: str = EACH_JOB,
    *,
    is_repeated: bool = False,
) -> Query:
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
    columns = ", ".join(_offered(schema))
    # Older versions know less of where a dead letter comes from, and keep why the job failed as the copy's output.
    trace, trace_value = (schema.if_has("job.trace_context", text) for text in (", trace_context", ", d.trace_context"))
    origin = schema.if_has("job.source_output", "source_output, source_root_id", "output")
    origin_value = schema.if_has("job.source_output", "d.output, COALESCE(d.source_root_id, d.id)", "d.output")
    return Query(
        f"""
        WITH failing AS MATERIALIZED (
            {failing}
        ), settled AS (
            INSERT INTO {table} ({columns})
            SELECT {_columns(schema, "f", settled)} FROM failing f
            ON CONFLICT DO NOTHING
            RETURNING *
        ), given_way AS (
            INSERT INTO {table} ({columns})
            SELECT {_columns(schema, "f", given_way)} FROM failing f
             WHERE (f.name, f.id) NOT IN (SELECT s.name, s.id FROM settled s)
            RETURNING *
        ), done AS MATERIALIZED (
            SELECT * FROM settled UNION ALL SELECT * FROM given_way
        ), dead AS (
            INSERT INTO {job} (
                name, data, priority, singleton_key, group_id, group_tier{trace},
                source_name, source_id, source_created_on, source_retry_count, {origin},
                retry_limit, retry_backoff, retry_delay, deletion_seconds, expire_seconds, heartbeat_seconds,
                keep_until, start_after, created_on
            )
            SELECT q.name, d.data, d.priority, d.singleton_key, d.group_id, d.group_tier{trace_value},
                   d.name, d.id, d.created_on, d.retry_count, {origin_value},
                   q.retry_limit, q.retry_backoff, q.retry_delay, q.deletion_seconds, q.expire_seconds,
                   q.heartbeat_seconds, {now} + q.retention_seconds * interval '1 second', {now}, {now}
              FROM done d JOIN {queue} q ON q.name = d.dead_letter
             WHERE d.state = 'failed'
        )
        {outcome}
        """,
        parameters,
        guarded=True,
        is_repeated=is_repeated,
    )


def _returning(schema: SchemaName, output: str, is_final: str) -> str:
    """The old row as it was, with what the insert needs besides."""
    return f"RETURNING {_columns(schema, 'j', {})}, {output} AS new_output, {is_final} AS is_final"


def fail(queue: QueueRef, attempts: Sequence[OneAttempt], output: str | None) -> Query:
    """Fail jobs that have not finished, all with one output."""
    return _fail(queue, attempts, [output] * len(attempts), [False] * len(attempts))


def fail_each(
    queue: QueueRef, attempts: Sequence[OneAttempt], outputs: Sequence[str | None], is_final: Sequence[bool]
) -> Query:
    """Fail active attempts, each with its own output; where ``is_final`` is true no retry follows."""
    return _fail(queue, attempts, outputs, is_final)


def _fail(
    queue: QueueRef, attempts: Sequence[OneAttempt], outputs: Sequence[str | None], is_final: Sequence[bool]
) -> Query:
    failing = f"""
            DELETE FROM {queue.table} j
             USING {listed(**ATTEMPT, output="text", is_final="bool")}
             WHERE j.name = $1::text AND j.id = ANY({IDS}) AND j.id = a.id AND j.state < 'completed'
               AND (a.retry_count IS NULL OR (j.state = 'active' AND j.retry_count = a.retry_count))
               AND (a.started_on IS NULL OR j.started_on = a.started_on)
            {_returning(queue.schema, "a.output::jsonb", "a.is_final")}"""
    return _statement(
        queue.schema,
        queue.table,
        failing,
        (*attempt_arrays(queue, attempts), list(outputs), list(is_final)),
        # The time that has passed stands in the text, which never comes again.
        is_repeated=not queue.schema.passed_seconds,
    )


def is_timed_out(schema: SchemaName) -> str:
    """The condition on an active job ``j`` that says it ran out of time."""
    return f"j.started_on + j.expire_seconds * interval '1 second' < {schema.now}"


def is_silent(schema: SchemaName) -> str:
    """The condition on an active job ``j`` that says its heartbeat stopped; without a limit it never does."""
    return (
        f"j.heartbeat_seconds IS NOT NULL AND j.heartbeat_on + j.heartbeat_seconds * interval '1 second' < {schema.now}"
    )


def fail_expired(schema: SchemaName, table_name: str, queues: Sequence[str]) -> Query:
    """Fail a batch of active jobs that ran out of time; returns how many of each queue and their new state."""
    return _sweep(schema, table_name, queues, is_timed_out(schema), '{"value":{"message":"job timed out"}}')


def fail_silent(schema: SchemaName, table_name: str, queues: Sequence[str]) -> Query:
    """Fail a batch of active jobs whose heartbeat stopped; returns how many of each queue and their new state."""
    return _sweep(schema, table_name, queues, is_silent(schema), '{"value":{"message":"job heartbeat timeout"}}')


def _sweep(schema: SchemaName, table_name: str, queues: Sequence[str], condition: str, output: str) -> Query:
    table = schema.table(table_name)
    # A row that somebody holds is being settled or touched right now: it is left for the next sweep. The lock makes
    # PostgreSQL look at the condition again on the row's newest version, so a heartbeat that came first wins. Two
    # queues may hold the same id, hence the pairs; the array beside them keeps the access path the primary key.
    failing = f"""
            WITH overdue AS MATERIALIZED (
                SELECT j.name, j.id
                  FROM {table} j
                 WHERE j.name = ANY($1::text[]) AND j.state = 'active' AND {condition}
                 LIMIT {SWEEP_BATCH}
                   FOR UPDATE OF j SKIP LOCKED
            )
            DELETE FROM {table} j
             USING overdue o
             WHERE j.name = ANY($1::text[]) AND j.id = ANY(ARRAY(SELECT id FROM overdue))
               AND j.name = o.name AND j.id = o.id
            {_returning(schema, "$2::jsonb", "false")}"""
    outcome = "SELECT name, state::text AS state, count(*)::int AS jobs FROM done GROUP BY name, state"
    return _statement(schema, table, failing, (list(queues), output), outcome)
