"""Statements that move jobs from one state to another, by id or by attempt.

Everything that settles takes *attempts*: parallel arrays of id, retry_count and started_on. Where retry_count is
NULL the job is taken by its id alone; where it is given the row must be active and at that very attempt, so a worker
that lost its job cannot overwrite what somebody else has made of it since.
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from pgboss.core.job import OneAttempt
from pgboss.core.names import SchemaName
from pgboss.core.query import Parameter, Query
from pgboss.core.queue import QueueRef
from pgboss.sql.deletes import is_retained

# Beside the join with the attempts, so that the access path is the primary key whatever the statistics say. Made by a
# subquery, because the planner then does not count the ids: a thousand would look dearer to it than a small queue.
IDS = "ARRAY(SELECT unnest($2::uuid[]))"
# Said in a way that no index answers, for the same reason: the way is not through all active jobs of the queue.
IS_ACTIVE = "(j.state = 'active') IS TRUE"


def listed(**types: str) -> str:
    """The arrays from ``$2`` on as rows of ``a``: a column for each of these types.

    The planner of a kept statement knows nothing about the arrays, and would take them for so few that it compares
    each job with each of them. Of subscripts it believes that there are a thousand.
    """
    arrays = [f"${number}::{type}[]" for number, type in enumerate(types.values(), 2)]
    subscripts = f"generate_subscripts({arrays[0]}, 1)"
    return f"ROWS FROM (unnest({', '.join(arrays)}), {subscripts}) AS a({', '.join(types)}, place)"


ATTEMPT = {"id": "uuid", "retry_count": "int", "started_on": "timestamptz"}
# Of statements that are planned each time the planner knows how many there are. Then it takes the jobs as they lie, in
# the order in which others lock them, too.
_ATTEMPTS = "unnest($2::uuid[], $3::int[], $4::timestamptz[]) AS a(id, retry_count, started_on)"
_IS_ATTEMPT = f"""
    j.name = $1::text AND j.id = ANY({IDS}) AND j.id = a.id
    AND (a.retry_count IS NULL OR (j.state = 'active' AND j.retry_count = a.retry_count))
    AND (a.started_on IS NULL OR j.started_on = a.started_on)
"""

# Of a CASE the planner makes no join, which it might carry out by comparing each job with each attempt.
_STILL_HELD = f"""
    j.name = ANY(ARRAY(SELECT unnest($1::text[]))) AND j.id = ANY({IDS}) AND {IS_ACTIVE}
    AND CASE WHEN (j.name, j.id, j.retry_count, j.started_on) IN (
            SELECT * FROM unnest($1::text[], $2::uuid[], $3::int[], $4::timestamptz[])) THEN true END
"""


def attempt_arrays(queue: QueueRef, attempts: Sequence[OneAttempt]) -> tuple[Parameter, ...]:
    """The first four parameters of every statement here."""
    return (
        queue.name,
        [attempt.id for attempt in attempts],
        [attempt.retry_count for attempt in attempts],
        [attempt.started_on for attempt in attempts],
    )


def complete(queue: QueueRef, attempts: Sequence[OneAttempt], output: str | None, *, include_queued: bool) -> Query:
    """Active jobs become completed; with ``include_queued`` those still waiting do too."""
    states = "j.state < 'completed'" if include_queued else IS_ACTIVE
    unblock = ", blocked = false, pending_dependencies = 0" if include_queued else ""
    return Query(
        f"""
        UPDATE {queue.table} j
           SET state = 'completed', completed_on = {queue.now}, output = $5::jsonb{unblock}
          FROM {_ATTEMPTS}
         WHERE {_IS_ATTEMPT} AND {states}
        RETURNING j.id
        """,
        (*attempt_arrays(queue, attempts), output),
    )


def complete_each(queue: QueueRef, attempts: Sequence[OneAttempt], outputs: Sequence[str | None]) -> Query:
    """Active attempts become completed, each with its own output.

    Returns one row: ``settled``, how many there were; ``parents``, those for which other jobs wait (NULL: none); and
    ``kept``, which there were, unless it was all of them (NULL). A worker completes a thousand at a time, nearly always
    all of them, and to hear of each would take it as long as to have them completed.
    """
    return Query(
        f"""
        WITH done AS (
            UPDATE {queue.table} j
               SET state = 'completed', completed_on = {queue.now}, output = a.output::jsonb
              FROM {listed(**ATTEMPT, output="text")}
             WHERE {_IS_ATTEMPT} AND {IS_ACTIVE}
            RETURNING j.id, j.blocking
        )
        {settled_of("done")}
        """,
        (*attempt_arrays(queue, attempts), list(outputs)),
        is_repeated=True,
    )


def settled_of(completed: str) -> str:
    """What :func:`complete_each` returns, of a CTE with the id of each completed job and whether it is blocking."""
    return f"""SELECT count(*)::int AS settled,
               array_agg(id) FILTER (WHERE blocking) AS parents,
               CASE WHEN count(*) < cardinality($2::uuid[]) THEN array_agg(id) END AS kept
          FROM {completed}"""


def cancel(queue: QueueRef, attempts: Sequence[OneAttempt]) -> Query:
    """Jobs that have not finished become cancelled."""
    return Query(
        f"""
        UPDATE {queue.table} j
           SET state = 'cancelled', completed_on = {queue.now}
          FROM {_ATTEMPTS}
         WHERE {_IS_ATTEMPT} AND j.state < 'completed'
        RETURNING j.id
        """,
        attempt_arrays(queue, attempts),
    )


def delete(queue: QueueRef, attempts: Sequence[OneAttempt]) -> Query:
    """The rows go, whatever their state; returns also whether the queue's retained_count held them."""
    return Query(
        f"""
        DELETE FROM {queue.table} j
         USING {_ATTEMPTS}
         WHERE {_IS_ATTEMPT}
        RETURNING j.id, COALESCE({is_retained(queue.schema, "j")}, false) AS is_retained
        """,
        attempt_arrays(queue, attempts),
    )


def touch(queue: QueueRef, attempts: Sequence[OneAttempt]) -> Query:
    """Active jobs get a fresh heartbeat; what does not come back is no longer ours."""
    return Query(
        f"""
        UPDATE {queue.table} j
           SET heartbeat_on = {queue.now}
          FROM {_ATTEMPTS}
         WHERE {_IS_ATTEMPT} AND {IS_ACTIVE}
        RETURNING j.id
        """,
        attempt_arrays(queue, attempts),
    )


def resume(queue: QueueRef, ids: Sequence[UUID]) -> Query:
    """Cancelled jobs become created again; returns also whether the queue's retained_count held them.

    started_on stays, so the next claim counts a retry, as with pg-boss.
    """
    forgotten = queue.schema.if_has("job.upsert_by_key", "upsert_by_key = NULL,")
    return Query(
        f"""
        WITH cancelled AS MATERIALIZED (
            SELECT j.id, COALESCE({is_retained(queue.schema, "j")}, false) AS is_retained
              FROM {queue.table} j
             WHERE j.name = $1::text AND j.id = ANY({IDS}) AND j.state = 'cancelled'
        )
        UPDATE {queue.table} j
           SET state = 'created', completed_on = NULL, {forgotten}
               start_after = GREATEST(j.start_after, {queue.now})
          FROM cancelled c
         WHERE j.name = $1::text AND j.id = ANY({IDS}) AND j.id = c.id AND j.state = 'cancelled'
        RETURNING j.id, c.is_retained
        """,
        (queue.name, list(ids)),
        guarded=True,
    )


def retry(queue: QueueRef, ids: Sequence[UUID]) -> Query:
    """Failed jobs get one more attempt."""
    return Query(
        f"""
        UPDATE {queue.table} j
           SET state = 'retry', retry_limit = j.retry_limit + 1, completed_on = NULL,
               start_after = GREATEST(j.start_after, {queue.now})
         WHERE j.name = $1::text AND j.id = ANY({IDS}) AND j.state = 'failed'
        RETURNING j.id
        """,
        (queue.name, list(ids)),
        guarded=True,
    )


def give_back(queue: QueueRef, attempts: Sequence[OneAttempt], delays_seconds: Sequence[float]) -> Query:
    """Active attempts go back to created as if they had never been claimed, due after their delay.

    started_on is cleared, so the next claim counts no retry. keep_until moves with start_after: retention must not
    sweep a job because it was postponed.
    """
    due = f"{queue.now} + a.delay * interval '1 second'"
    forgotten = queue.schema.if_has("job.upsert_by_key", "upsert_by_key = NULL,")
    return Query(
        f"""
        UPDATE {queue.table} j
           SET state = 'created', started_on = NULL, heartbeat_on = NULL, {forgotten}
               start_after = CASE WHEN a.delay > 0 THEN {due} ELSE j.start_after END,
               keep_until = CASE WHEN a.delay > 0 THEN {due} + (j.keep_until - j.start_after) ELSE j.keep_until END
          FROM {listed(**ATTEMPT, delay="float8")}
         WHERE {_IS_ATTEMPT} AND {IS_ACTIVE}
        RETURNING j.id
        """,
        (*attempt_arrays(queue, attempts), list(delays_seconds)),
    )


def settled_here(queue: QueueRef, ids: Sequence[UUID]) -> Query:
    """Which of these jobs were finished by the current transaction: the clock stands still within one."""
    return Query(
        f"""
        SELECT j.id
          FROM {queue.table} j
         WHERE j.name = $1::text AND j.id = ANY({IDS}) AND j.state > 'active' AND j.completed_on = {queue.now}
        """,
        (queue.name, list(ids)),
    )


def beat(schema: SchemaName, names: Sequence[str], attempts: Sequence[OneAttempt]) -> Query:
    """Give attempts of any queues a fresh heartbeat; returns the ids that are still theirs.

    ``names`` holds each attempt's queue. A row that somebody holds locked is not waited for: a transaction that
    settles it right now must not hold up everyone's heartbeat, and the row still counts as held.
    """
    job = schema.table("job")
    return Query(
        f"""
        WITH free AS MATERIALIZED (
            SELECT j.name, j.id FROM {job} j WHERE {_STILL_HELD} FOR NO KEY UPDATE OF j SKIP LOCKED
        ), beaten AS (
            UPDATE {job} j
               SET heartbeat_on = {schema.now}
             WHERE j.name = ANY(ARRAY(SELECT unnest($1::text[]))) AND j.id = ANY(ARRAY(SELECT id FROM free))
               AND CASE WHEN (j.name, j.id) IN (SELECT name, id FROM free) THEN true END
        )
        SELECT j.id FROM {job} j WHERE {_STILL_HELD}
        """,
        _held_arrays(names, attempts),
    )


def still_held(schema: SchemaName, names: Sequence[str], attempts: Sequence[OneAttempt]) -> Query:
    """Which attempts, of any queues, are still active; returns the queue and the id of each.

    ``names`` holds each attempt's queue.
    """
    return Query(
        f"""
        SELECT j.name, j.id FROM {schema.table("job")} j WHERE {_STILL_HELD}
        """,
        _held_arrays(names, attempts),
    )


def _held_arrays(names: Sequence[str], attempts: Sequence[OneAttempt]) -> tuple[Parameter, ...]:
    return (
        list(names),
        [attempt.id for attempt in attempts],
        [attempt.retry_count for attempt in attempts],
        [attempt.started_on for attempt in attempts],
    )
