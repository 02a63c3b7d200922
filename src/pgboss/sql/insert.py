"""The statements that create jobs: one round trip for one job or fifty thousand."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from typing import Final

from pgboss.core.names import SchemaName
from pgboss.core.query import Query

# The columns of the incoming JSON. The names are those of core.options as columns; the last five are not for callers:
# they hold what upserts and flows say of their jobs, and the trace that sends them.
COLUMNS: Final[Mapping[str, str]] = {
    "id": "uuid",
    "data": "jsonb",
    "priority": "int",
    "start_after": "text",
    "singleton_key": "text",
    "singleton_seconds": "int",
    "group_id": "text",
    "group_tier": "text",
    "retry_limit": "int",
    "retry_delay": "int",
    "retry_backoff": "bool",
    "retry_delay_max": "int",
    "expire_seconds": "int",
    "retention_seconds": "int",
    "deletion_seconds": "int",
    "heartbeat_seconds": "int",
    "dead_letter": "text",
    "upsert_by_key": "bool",
    "blocked": "bool",
    "blocking": "bool",
    "pending_dependencies": "int",
    "trace_context": "jsonb",
}
ONLY_DATA: Final = frozenset({"data"})
# What a job leaves to its queue's row, which has a column of the same name.
FROM_QUEUE: Final = (
    "retry_limit",
    "retry_delay",
    "retry_backoff",
    "retry_delay_max",
    "expire_seconds",
    "deletion_seconds",
    "heartbeat_seconds",
    "dead_letter",
)
_FROM_JOB: Final = ("data", "singleton_key", "group_id", "group_tier")
# What has a value for jobs that leave it out, other than NULL; it is the table's default as well.
_DEFAULTS: Final[Mapping[str, str]] = {
    "priority": "0",
    "blocked": "false",
    "blocking": "false",
    "pending_dependencies": "0",
}

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


def insert_one(
    schema: SchemaName, name: str, job_json: str | None, *, given: Collection[str], next_slot: bool = False
) -> Query:
    """Create one job, as :func:`insert` creates many; without ``given`` options the JSON is the data alone.

    With ``next_slot`` it is tried again, where it was dropped, in the slot after this one.

    Returns no row when the queue is missing; else one: ``lost`` and ``keyless`` as there, and ``id``, which is NULL
    when nothing was created.
    """
    text = _one_text(schema, schema.lacking, frozenset(given), next_slot)
    return Query(text, (name, job_json, schema.channel), is_repeated=True)


def insert(schema: SchemaName, name: str, jobs_json: str, *, given: Collection[str], return_ids: bool) -> Query:
    """Create jobs from a JSON list of objects, filling absent options from the queue's row.

    Whatever would break a unique index (the id, a policy, a throttle slot) is dropped without an error. Listeners
    are notified once when the queue wants it and at least one new job is due.

    The statement speaks only of the columns that are ``given``, of :data:`COLUMNS`, by any of the jobs: what nobody
    gives would cost planning, and reading for every job.

    Returns one row: ``queues`` (0 when the queue is missing), ``lost`` (dead letter queues that were named and do not
    exist), ``keyless`` (whether a job lacks the key that its queue demands); in any of these cases nothing was
    created; ``created`` (a count), ``ids``.
    """
    text = _text(schema, schema.lacking, frozenset(given), return_ids)
    return Query(text, (name, jobs_json, schema.channel))


# Making the text takes a tenth of a send's time. Versions of one schema are equal, and lack different things.
@lru_cache
def _one_text(schema: SchemaName, _lacking: frozenset[str], given: frozenset[str], next_slot: bool) -> str:
    one = insertion(schema, given, unless=_unless(given))
    created = _with_next_slot(schema, one, given) if next_slot else f"created AS ({one})"
    # Counting and listing what there is one of would be a tenth of the statement.
    return f"""
        WITH {_what_comes_in(schema, given, is_one=True)}, {created}
        SELECT {_lost(given)} AS lost,
               EXISTS (SELECT FROM keyless) AS keyless,
               c.id,
               CASE WHEN q.notify AND c.start_after <= {schema.now}
                    THEN pg_notify($3::text, q.name)::text
               END AS notified
          FROM queue q LEFT JOIN created c ON true
        """


@lru_cache
def _text(schema: SchemaName, _lacking: frozenset[str], given: frozenset[str], return_ids: bool) -> str:
    many = insertion(schema, given, unless=_unless(given))
    # Where nothing but the INSERT reads what comes in, PostgreSQL does not keep it in between.
    return f"""
        WITH {_what_comes_in(schema, given)}, created AS ({many}), notified AS (
            SELECT pg_notify($3::text, q.name)
              FROM queue q
             WHERE q.notify AND EXISTS (SELECT FROM created WHERE start_after <= {schema.now})
        )
        SELECT (SELECT count(*) FROM queue)::int AS queues,
               {_lost(given)} AS lost,
               EXISTS (SELECT FROM keyless) AS keyless,
               (SELECT count(*) FROM created)::int AS created,
               {"(SELECT array_agg(id) FROM created)" if return_ids else "NULL::uuid[]"} AS ids,
               (SELECT count(*) FROM notified)::int AS notified
        """


def _what_comes_in(schema: SchemaName, given: frozenset[str], *, is_one: bool = False) -> str:
    """The queue, the jobs, and what stands in their way, as the beginning of a WITH."""
    now, queue = schema.now, schema.table("queue")
    source = f"json_to_record{'' if is_one else 'set'}($2::json) AS i({recordset(given)})"
    if is_one and given == ONLY_DATA:
        source = "(SELECT $2::jsonb AS data) AS i"
    lost = f", {lost_dead_letters(schema)}" if "dead_letter" in given else ""
    keyless = "AND EXISTS (SELECT FROM incoming i WHERE COALESCE(i.singleton_key, '') = '')"
    return f"""queue AS MATERIALIZED (
            SELECT name, policy, notify, retention_seconds, {", ".join(FROM_QUEUE)}
              FROM {queue}
             WHERE name = $1::text
        ), incoming AS (
            SELECT {incoming(given, now)}
              FROM {source}
        ){lost}, keyless AS MATERIALIZED (
            SELECT FROM queue q WHERE q.policy = 'key_strict_fifo' {keyless if "singleton_key" in given else ""}
        )"""


def lost_dead_letters(schema: SchemaName) -> str:
    """The dead letter queues that incoming jobs name and that do not exist, as a part of a WITH."""
    return f"""lost AS MATERIALIZED (
            SELECT DISTINCT i.dead_letter
              FROM incoming i
             WHERE i.dead_letter IS NOT NULL
               AND NOT EXISTS (SELECT FROM {schema.table("queue")} d WHERE d.name = i.dead_letter)
        )"""


def _lost(given: Collection[str]) -> str:
    return "(SELECT array_agg(dead_letter) FROM lost)" if "dead_letter" in given else "NULL::text[]"


def _unless(given: Collection[str], *others: str) -> tuple[str, ...]:
    """What keeps jobs from being created, if there is any of it."""
    return ("lost", "keyless", *others) if "dead_letter" in given else ("keyless", *others)


def recordset(given: Collection[str]) -> str:
    """The columns of the incoming JSON that are given, as ``json_to_recordset`` is told of them."""
    return ", ".join(f"{name} {kind}" for name, kind in COLUMNS.items() if name in given)


def incoming(given: Collection[str], now: str) -> str:
    """The select list of what comes in: everything that is given, and when the job starts."""
    if "start_after" not in given:
        return f"i.*, {now} AS starts"
    return f"i.*, CASE WHEN i.start_after IS NULL THEN {now} ELSE {start_of('i.start_after', now)} END AS starts"


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
    given: Collection[str],
    *,
    unless: Sequence[str],
    starts: str = "i.starts",
    offset: str = "0",
    condition: str = "",
    on_conflict: str = "ON CONFLICT DO NOTHING",
) -> str:
    """The INSERT itself, of every incoming job, unless one of these queries finds something.

    ``offset`` moves a job's slot by seconds.
    """
    values = _values(schema, given, starts, offset)
    conditions = [f"NOT EXISTS (SELECT FROM {name})" for name in unless]
    return f"""
            INSERT INTO {schema.table("job")} ({", ".join(values)})
            SELECT {", ".join(values.values())}
              FROM incoming i CROSS JOIN queue q
             WHERE {" AND ".join(conditions)} {condition}
            {on_conflict}
            RETURNING id, start_after
    """


def _values(schema: SchemaName, given: Collection[str], starts: str, offset: str) -> dict[str, str]:
    """What to write into which column; those that no job gives keep the table's default, which is the same."""

    def value(column: str, otherwise: str) -> str:
        return f"COALESCE(i.{column}, {otherwise})" if column in given else otherwise

    values = {
        "id": value("id", "gen_random_uuid()"),
        "name": "q.name",
        "start_after": starts,
        "created_on": schema.now,
        "keep_until": f"{starts} + {value('retention_seconds', 'q.retention_seconds')} * interval '1 second'",
        "policy": "q.policy",
    }
    values |= {column: value(column, f"q.{column}") for column in FROM_QUEUE}
    values |= {
        column: f"i.{column}" for column in ("data", "singleton_key", "group_id", "group_tier") if column in given
    }
    values |= {column: value(column, default) for column, default in _DEFAULTS.items() if column in given}
    if "singleton_seconds" in given:
        values["singleton_on"] = _SLOT.format(now=schema.now, offset=offset)
    # Columns that an older schema has not got.
    newer = ("upsert_by_key", "trace_context")
    values |= {column: f"i.{column}" for column in newer if column in given and schema.has(f"job.{column}")}
    return values


def _with_next_slot(schema: SchemaName, first_try: str, given: Collection[str]) -> str:
    # Reading what the first try returned runs it to its end before the second one begins. One statement for both has
    # one time for both: between two, a slot may end, and the job would wait for the slot after the next.
    second_try = insertion(
        schema,
        given,
        unless=_unless(given, "this_slot"),
        starts=_NEXT_SLOT_STARTS.format(now=schema.now),
        offset="i.singleton_seconds",
    )
    return f"""
        this_slot AS ({first_try}), next_slot AS ({second_try}),
        created AS (SELECT * FROM this_slot UNION ALL SELECT * FROM next_slot)"""
