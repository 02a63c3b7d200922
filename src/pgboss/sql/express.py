"""Express: jobs that stay locked in an open transaction while they are worked, and are settled in one step.

The lock is what a claim is elsewhere: others skip the row, and when the connection ends the job is as free as before.
What makes a job active there is written together with its end, so that the row comes out the same.

A job that takes its process down with it leaves no trace of that, and would do so for ever. So each transaction has a
*lane*: an advisory lock that it holds, and a row in a table of ours, written from another connection before the first
handler begins, with the jobs in its hands. Whoever finds such a row and gets its lock knows that they were lost. Their
attempts are counted then, and from there on they are *suspects*, which no transaction of this kind takes.

docs/operations.md, "Express".
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from pgboss.core.checks import UNSET
from pgboss.core.frontier import Frontier
from pgboss.core.job import detail_columns, job_columns, traced
from pgboss.core.names import SchemaName
from pgboss.core.options import FetchOptions
from pgboss.core.query import Parameter, Query
from pgboss.core.queue import QueueRef
from pgboss.sql.claim import RETRIES, leased, placeholder, priority_range, walk, walk_behind
from pgboss.sql.settle import IDS, listed, settled_of

TABLE = "py_express"

# Said in a way that no index answers: the way is the primary key.
_IS_QUEUED = "(j.state < 'active') IS TRUE"
# What must be kept of a completed job: others wait for it, or its throttle looks for it.
_IS_NEEDED = "(j.blocking OR j.singleton_on IS NOT NULL)"


def create_table(schema: SchemaName) -> Query:
    return Query(
        f"""
        CREATE TABLE IF NOT EXISTS {schema.table(TABLE)} (
            lane        bigint PRIMARY KEY,
            name        text NOT NULL,
            ids         uuid[] NOT NULL,
            begun_on    timestamptz NOT NULL,
            is_suspect  boolean NOT NULL DEFAULT false
        )
        """
    )


def lock(
    queue: QueueRef,
    options: FetchOptions,
    lane: int,
    *,
    details: bool = False,
    lease_seconds: int | None = None,
    is_traced: bool = False,
    frontier: Frontier | None = None,
) -> Query:
    """Lock up to ``batch_size`` due jobs, and return them as a claim would, in no particular order.

    Takes the lane's lock as well. Jobs that any lane has in its hands are left out, as are those before a ``frontier``.
    """
    batch_size = 1 if options.batch_size is UNSET else options.batch_size
    parameters: list[Parameter] = [queue.name, batch_size, lane]
    active = {
        "retry_count": f"{RETRIES} AS retry_count",
        "started_on": f"{queue.now} AS started_on",
        "heartbeat_on": f"{queue.now} AS heartbeat_on",
        "state": "'active'::text AS state",
    }
    if lease_seconds is not None:
        lease = f"COALESCE(j.heartbeat_seconds, {placeholder(parameters, lease_seconds)}::int)"
        active["heartbeat_seconds"] = f"{lease} AS heartbeat_seconds"
    columns = (detail_columns if details else job_columns)(queue.schema, "j", active)
    if is_traced:
        columns = traced(columns, queue.schema, "j")
    in_range = "".join(f" AND {condition}" for condition in priority_range(options, parameters))
    is_free = f"j.id NOT IN (SELECT unnest(e.ids) FROM {queue.schema.table(TABLE)} e WHERE e.name = $1::text)"
    walking = (queue, columns, f" AND j.start_after <= {queue.now}{in_range}", [is_free])
    find = walk(*walking) if frontier is None else walk_behind(*walking, frontier, parameters)
    return Query(
        f"""
        SELECT found.*
          FROM ({find}
               ) found
         LIMIT (SELECT $2::int FROM pg_advisory_xact_lock($3::bigint))
        """,
        tuple(parameters),
        is_repeated=True,
    )


def hold(schema: SchemaName, lane: int, name: str, ids: Sequence[UUID]) -> Query:
    """Say which jobs a lane has in its hands, to be seen by everybody at once.

    It need not outlive the server, with which all lanes end: so nobody waits for the disk.
    """
    return Query(
        f"""
        INSERT INTO {schema.table(TABLE)} AS e (lane, name, ids, begun_on)
        SELECT $1::bigint, $2::text, $3::uuid[], {schema.now}
          FROM set_config('synchronous_commit', 'off', true)
            ON CONFLICT (lane) DO UPDATE SET ids = EXCLUDED.ids, begun_on = EXCLUDED.begun_on WHERE NOT e.is_suspect
        """,
        (lane, name, list(ids)),
        is_repeated=True,
    )


def let_go(schema: SchemaName, lane: int) -> Query:
    """The lane has nothing in its hands any more."""
    return Query(f"UPDATE {schema.table(TABLE)} SET ids = '{{}}' WHERE lane = $1::bigint", (lane,))


def remove(schema: SchemaName, lane: int) -> Query:
    """The lane is over; what it leaves suspect stays."""
    return Query(f"DELETE FROM {schema.table(TABLE)} WHERE lane = $1::bigint AND NOT is_suspect", (lane,))


def complete_each(
    queue: QueueRef,
    lane: int,
    ids: Sequence[UUID],
    outputs: Sequence[str | None],
    started_on: datetime,
    *,
    lease_seconds: int | None = None,
    delete: bool = False,
) -> Query:
    """Locked jobs become completed, each with its own output, and the lane lets go of all that it has in its hands.

    Returns what :func:`pgboss.sql.settle.complete_each` does. With ``delete`` only those are kept that are needed.
    """
    parameters: list[Parameter] = [queue.name, list(ids), list(outputs), started_on, lane]
    lease = leased(lease_seconds, parameters)
    # A value, and not part of the text, which is to be the same for every batch.
    now = queue.schema.now_after(f"{placeholder(parameters, queue.schema.passed_seconds)}::float8")
    gone = f"""gone AS (
            DELETE FROM {queue.table} j
             WHERE j.name = $1::text AND j.id = ANY({IDS}) AND {_IS_QUEUED} AND NOT {_IS_NEEDED}
            RETURNING j.id, j.blocking
        ), """
    return Query(
        f"""
        WITH let_go AS (
            UPDATE {queue.schema.table(TABLE)} SET ids = '{{}}' WHERE lane = $5::bigint
        ), {gone if delete else ""}done AS (
            UPDATE {queue.table} j
               SET state = 'completed', completed_on = {now}, output = a.output::jsonb,
                   started_on = $4::timestamptz, heartbeat_on = $4::timestamptz,{lease}
                   retry_count = {RETRIES}
              FROM {listed(id="uuid", output="text")}
             WHERE j.name = $1::text AND j.id = ANY({IDS}) AND j.id = a.id AND {_IS_QUEUED}
                   {f"AND {_IS_NEEDED}" if delete else ""}
            RETURNING j.id, j.blocking
        ), over AS (
            SELECT * FROM done {"UNION ALL SELECT * FROM gone" if delete else ""}
        )
        {settled_of("over")}
        """,
        tuple(parameters),
        guarded=True,
        is_repeated=True,
    )


def activate(queue: QueueRef, ids: Sequence[UUID], started_on: datetime, *, lease_seconds: int | None = None) -> Query:
    """Queued jobs become active, as if they had been claimed at ``started_on``."""
    parameters: list[Parameter] = [queue.name, list(ids), started_on]
    lease = leased(lease_seconds, parameters)
    return Query(
        f"""
        UPDATE {queue.table} j
           SET state = 'active', started_on = $3::timestamptz, heartbeat_on = {queue.now},{lease}
               retry_count = {RETRIES}
         WHERE j.name = $1::text AND j.id = ANY({IDS}) AND {_IS_QUEUED}
        """,
        tuple(parameters),
    )


def dead_lanes(schema: SchemaName, name: str) -> Query:
    """The lanes of a queue that have jobs in their hands, and nobody to hold their lock, which is taken.

    One may have ended between the two looks: only :func:`suspect`, a later statement, tells for sure.
    """
    return Query(
        f"""
        WITH busy AS MATERIALIZED (
            SELECT lane FROM {schema.table(TABLE)} WHERE name = $1::text AND NOT is_suspect AND ids <> '{{}}'
        )
        SELECT lane FROM busy WHERE pg_try_advisory_xact_lock(lane)
        """,
        (name,),
    )


def suspect(schema: SchemaName, lanes: Sequence[int]) -> Query:
    """What dead lanes had in their hands is suspect from now on; returns the jobs, and since when they were held."""
    return Query(
        f"""
        UPDATE {schema.table(TABLE)}
           SET is_suspect = true
         WHERE lane = ANY($1::bigint[]) AND NOT is_suspect AND ids <> '{{}}'
        RETURNING ids, begun_on
        """,
        (list(lanes),),
    )


def count_lost(queue: QueueRef, ids: Sequence[UUID], begun_on: datetime) -> Query:
    """Count the attempts that were lost, of jobs that nobody has claimed since.

    Those that may be tried again stay queued, and due; the others become active, for the caller to fail: returns their
    ids, retry_count and started_on.
    """
    return Query(
        f"""
        WITH counted AS (
            UPDATE {queue.table} j
               SET retry_count = {RETRIES},
                   started_on = $3::timestamptz,
                   state = CASE WHEN {RETRIES} >= j.retry_limit THEN 'active' ELSE j.state END
             WHERE j.name = $1::text AND j.id = ANY({IDS}) AND {_IS_QUEUED}
               AND (j.started_on IS NULL OR j.started_on < $3::timestamptz)
            RETURNING j.id, j.retry_count, j.started_on, j.state
        )
        SELECT id, retry_count, started_on FROM counted WHERE state = 'active'
        """,
        (queue.name, list(ids), begun_on),
    )


def clear(queue: QueueRef) -> Query:
    """Forget the suspects of lanes all of whose jobs have finished or are gone."""
    return Query(
        f"""
        DELETE FROM {queue.schema.table(TABLE)} e
         WHERE e.name = $1::text AND e.is_suspect
           AND NOT EXISTS (
                SELECT FROM {queue.table} j
                 WHERE j.name = $1::text AND j.id = ANY(e.ids) AND (j.state < 'completed') IS TRUE)
        """,
        (queue.name,),
    )


def has_suspects(schema: SchemaName, name: str) -> Query:
    """Whether a queue has any."""
    return Query(f"SELECT EXISTS (SELECT FROM {schema.table(TABLE)} WHERE name = $1::text AND is_suspect)", (name,))
