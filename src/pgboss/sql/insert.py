"""The statement that creates jobs: one round trip for one job or fifty thousand."""

from __future__ import annotations

from pgboss.core.names import SchemaName
from pgboss.core.query import Query

# One line a column of the incoming JSON. The names are those of core.options as columns; the last two lines are not
# for callers: they hold what upserts and flows say of their jobs, and the trace that sends them.
INCOMING = """
    id uuid, data jsonb, priority int, start_after text, singleton_key text, singleton_seconds int,
    group_id text, group_tier text,
    retry_limit int, retry_delay int, retry_backoff bool, retry_delay_max int, expire_seconds int,
    retention_seconds int, deletion_seconds int, heartbeat_seconds int, dead_letter text,
    upsert_by_key bool, blocked bool, blocking bool, pending_dependencies int,
    trace_context jsonb
"""

# The first whole slot of the job's length that holds the instant; all of a slot's jobs share it, and index 4 keeps it
# to one. Without a time zone, in UTC. The same arithmetic as Node's, because both sides compete for the same slots.
_SLOT = """
    timestamp 'epoch' + interval '1 second' * (
        i.singleton_seconds * floor((date_part('epoch', {now}) + {offset}) / i.singleton_seconds))
"""

# When a job that found its slot taken may start: behind the end of that slot, whole seconds from now.
_NEXT_SLOT_STARTS = """
    ({now} + interval '1 second' * (
        i.singleton_seconds + (i.singleton_seconds > 1)::int - floor(date_part('epoch', {now})
            - i.singleton_seconds * floor(date_part('epoch', {now}) / i.singleton_seconds))))
"""


def insert(
    schema: SchemaName, name: str, jobs_json: str, *, return_ids: bool, next_slot: bool = False, traced: bool = False
) -> Query:
    """Create jobs from a JSON list of objects, filling absent options from the queue's row.

    Whatever would break a unique index (the id, a policy, a throttle slot) is dropped without an error. Listeners
    are notified once when the queue wants it and at least one new job is due.

    With ``next_slot`` the list holds one job, and if that is dropped, it is tried again in the slot after this one.
    Jobs that are ``traced`` have a ``trace_context``.

    Returns one row: ``queues`` (0 when the queue is missing), ``lost`` (dead letter queues that were named and do not
    exist), ``keyless`` (whether a job lacks the key that its queue demands); in any of these cases nothing was
    created; ``created`` (a count), ``ids``.
    """
    now, queue = schema.now, schema.table("queue")
    inserted = insertion(schema, starts="i.starts", offset="0", traced=traced)
    return Query(
        f"""
        WITH queue AS MATERIALIZED (
            SELECT * FROM {queue} WHERE name = $1::text
        ), incoming AS MATERIALIZED (
            SELECT i.*, CASE WHEN i.start_after IS NULL THEN {now} ELSE {start_of("i.start_after", now)} END AS starts
              FROM json_to_recordset($2::json) AS i({INCOMING})
        ), lost AS MATERIALIZED (
            SELECT DISTINCT i.dead_letter
              FROM incoming i
             WHERE i.dead_letter IS NOT NULL
               AND NOT EXISTS (SELECT FROM {queue} d WHERE d.name = i.dead_letter)
        ), keyless AS MATERIALIZED (
            SELECT FROM queue q
             WHERE q.policy = 'key_strict_fifo'
               AND EXISTS (SELECT FROM incoming i WHERE COALESCE(i.singleton_key, '') = '')
        ), {_with_next_slot(schema, inserted, traced) if next_slot else f"created AS ({inserted})"}, notified AS (
            SELECT pg_notify($3::text, q.name)
              FROM queue q
             WHERE q.notify AND EXISTS (SELECT FROM created WHERE start_after <= {now})
        )
        SELECT (SELECT count(*) FROM queue)::int AS queues,
               (SELECT array_agg(dead_letter) FROM lost) AS lost,
               EXISTS (SELECT FROM keyless) AS keyless,
               (SELECT count(*) FROM created)::int AS created,
               {"(SELECT array_agg(id) FROM created)" if return_ids else "NULL::uuid[]"} AS ids,
               (SELECT count(*) FROM notified)::int AS notified
        """,
        (name, jobs_json, schema.channel),
    )


def start_of(text: str, now: str) -> str:
    """SQL that reads a start time as pg-boss does; ``text`` and ``now`` are SQL expressions.

    Text that ends in Z or begins with a date is an instant, anything else an interval from now.
    """
    # No backslash: it means something else where standard_conforming_strings is off.
    return f"""
        CASE WHEN {text} LIKE '%Z' OR {text} ~ '^[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}' THEN ({text})::timestamptz
             ELSE {now} + ({text})::interval
         END"""


def insertion(
    schema: SchemaName,
    *,
    starts: str,
    offset: str,
    condition: str = "",
    on_conflict: str = "ON CONFLICT DO NOTHING",
    traced: bool = False,
) -> str:
    """The INSERT itself, of every incoming job; ``offset`` moves its slot by seconds.

    Only jobs that are ``traced`` have the context of a trace, so that nobody else needs the column.
    """
    return f"""
            INSERT INTO {schema.table("job")} (
                id, name, data, priority, start_after, created_on, singleton_key, singleton_on, group_id, group_tier,
                retry_limit, retry_delay, retry_backoff, retry_delay_max, expire_seconds, deletion_seconds,
                keep_until, heartbeat_seconds, dead_letter, policy,
                {schema.if_has("job.upsert_by_key", "upsert_by_key, ")}blocked, blocking, pending_dependencies{
        ", trace_context" if traced else ""
    }
            )
            SELECT COALESCE(i.id, gen_random_uuid()), q.name, i.data, COALESCE(i.priority, 0), {starts}, {schema.now},
                   i.singleton_key, {_SLOT.format(now=schema.now, offset=offset)}, i.group_id, i.group_tier,
                   COALESCE(i.retry_limit, q.retry_limit), COALESCE(i.retry_delay, q.retry_delay),
                   COALESCE(i.retry_backoff, q.retry_backoff), COALESCE(i.retry_delay_max, q.retry_delay_max),
                   COALESCE(i.expire_seconds, q.expire_seconds), COALESCE(i.deletion_seconds, q.deletion_seconds),
                   {starts} + COALESCE(i.retention_seconds, q.retention_seconds) * interval '1 second',
                   COALESCE(i.heartbeat_seconds, q.heartbeat_seconds), COALESCE(i.dead_letter, q.dead_letter),
                   q.policy, {schema.if_has("job.upsert_by_key", "i.upsert_by_key,")}
                   COALESCE(i.blocked, false), COALESCE(i.blocking, false), COALESCE(i.pending_dependencies, 0){
        ", i.trace_context" if traced else ""
    }
              FROM incoming i CROSS JOIN queue q
             WHERE NOT EXISTS (SELECT FROM lost) AND NOT EXISTS (SELECT FROM keyless) {condition}
            {on_conflict}
            RETURNING id, start_after
    """


def _with_next_slot(schema: SchemaName, first_try: str, traced: bool) -> str:
    # Reading what the first try returned runs it to its end before the second one begins. One statement for both has
    # one time for both: between two, a slot may end, and the job would wait for the slot after the next.
    second_try = insertion(
        schema,
        starts=_NEXT_SLOT_STARTS.format(now=schema.now),
        offset="i.singleton_seconds",
        condition="AND NOT EXISTS (SELECT FROM this_slot)",
        traced=traced,
    )
    return f"""
        this_slot AS ({first_try}), next_slot AS ({second_try}),
        created AS (SELECT * FROM this_slot UNION ALL SELECT * FROM next_slot)"""
