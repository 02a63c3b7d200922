"""The statement that claims jobs: lock the next due ones, make them active, return them.

It works in three steps:

1. *Walk.* Index 11 holds the queued jobs of a queue in the order of their urgency. The walk follows it from the
   front, passes over what must not start (its key is held, its group is full, another job of its key comes first) and
   locks the first ``batch_size`` jobs that may. Jobs that another claim has locked are skipped.
2. *Choose.* Jobs of one batch may be in each other's way: they share a key, or the last place of a group. The more
   urgent one stays; the lock of the other ends with the statement.
3. *Start.* The chosen jobs become active.

Two claims at the same moment do not see each other. What they could break is kept by the unique indexes of the
policies: one of the two meets the index, and comes back empty. Limits of groups have no index, so they are soft.

The plan must not depend on statistics, which are missing or wrong just when a queue fills:

- A queue that the planner takes for small it would rather gather and sort than walk. Of a limit that it cannot know,
  it assumes that a tenth of the rows is wanted, and for a tenth the walk is cheaper. So there are two limits: the known
  one speaks for the walk where statistics are right, the unknown one where they are not.
- Held keys and full groups are looked up once, and the walk asks a hash of them. A join could turn the walk around.
- The ids go through an array: an index scan by primary key, whatever the planner believes about the table.

docs/compatibility.md, "Fetch" and "Policies".
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache

from pgboss.core.checks import UNSET
from pgboss.core.frontier import Frontier
from pgboss.core.groups import GroupConcurrency
from pgboss.core.job import detail_columns, job_columns, traced
from pgboss.core.names import SchemaName
from pgboss.core.options import FetchOptions
from pgboss.core.query import Parameter, Query
from pgboss.core.queue import QueueRef
from pgboss.core.wire import dumps

CLAIMS_REMEMBERED = 256

ONE_ACTIVE_A_KEY = ("singleton", "stately")
FIRST_OF_A_KEY = "key_strict_fifo"
MANY_KEYS = "(100 + 10 * $2::bigint)"
"""So many keys with due jobs that a walk will soon meet enough that are the first of theirs."""

RETRIES = "CASE WHEN j.started_on IS NULL THEN j.retry_count ELSE j.retry_count + 1 END"
"""A job that was started before counts a retry."""

URGENCY = "n.priority DESC, n.created_on, n.id"


def claim(
    queue: QueueRef,
    options: FetchOptions,
    *,
    details: bool = False,
    lease_seconds: int | None = None,
    is_traced: bool = False,
    frontier: Frontier | None = None,
) -> Query:
    """Make up to ``batch_size`` due jobs active, most urgent first, and return them in no particular order.

    ``details`` returns everything stored about each job, ``is_traced`` also the trace of its sender. Jobs that another
    claim holds are skipped, never waited for. A job that was started before counts a retry. One without a heartbeat
    gets one of ``lease_seconds``, where they are given. Jobs before the ``frontier`` are left out; ordered queues have
    none.
    """
    if frontier is None and options.group_concurrency is UNSET and options.ignore_groups is UNSET:
        schema = queue.schema
        return _plain_claim(queue, options, details, lease_seconds, is_traced, schema.lacking, schema.passed_seconds)
    return _claim(queue, options, details, lease_seconds, is_traced, frontier)


def _claim(
    queue: QueueRef,
    options: FetchOptions,
    details: bool,
    lease_seconds: int | None,
    is_traced: bool,
    frontier: Frontier | None = None,
) -> Query:
    parameters: list[Parameter] = [queue.name, 1 if options.batch_size is UNSET else options.batch_size]
    groups = options.group_concurrency if isinstance(options.group_concurrency, GroupConcurrency) else None
    allowed = _allowed(groups, parameters) if groups else ""
    due = "" if options.ignore_start_after is True else f" AND {{}}.start_after <= {queue.now}"
    walked = ", ".join(("j.id", "j.priority", "j.created_on", *_walked(queue.policy, allowed)))
    in_range = due.format("j") + "".join(f" AND {condition}" for condition in priority_range(options, parameters))
    may_start = [*_other_groups(options, parameters), *_key_is_free(queue.policy)]
    if groups:
        may_start.append(_group_has_room(allowed))
    is_ordered = queue.policy == FIRST_OF_A_KEY
    walking = (queue, walked, in_range, may_start)
    if is_ordered:
        find = _first_of_keys(*walking, due)
    elif frontier is not None:
        find = walk_behind(*walking, frontier, parameters)
    else:
        find = walk(*walking)
    lookups = (*_held_keys(queue, due), *(_full_groups(queue, groups, parameters) if groups else ()))
    columns = detail_columns(queue.schema, "j") if details else job_columns(queue.schema, "j")
    if is_traced:
        columns = traced(columns, queue.schema, "j")
    choice, chosen = _choice(queue.policy, has_groups=groups is not None)
    lease = leased(lease_seconds, parameters)
    return Query(
        f"""
        WITH {"RECURSIVE " if is_ordered else ""}{"".join(lookups)}next AS MATERIALIZED ({find}
        ){choice}
        UPDATE {queue.table} j
           SET state = 'active',
               started_on = {queue.now},
               heartbeat_on = {queue.now},{lease}
               retry_count = {RETRIES}
         WHERE j.name = $1::text AND j.id = ANY(ARRAY(SELECT id FROM {chosen}))
        RETURNING {columns}
        """,
        tuple(parameters),
        guarded=True,
        is_repeated=True,
    )


@lru_cache(CLAIMS_REMEMBERED)
def _plain_claim(
    queue: QueueRef,
    options: FetchOptions,
    details: bool,
    lease_seconds: int | None,
    is_traced: bool,
    lacking: frozenset[str],
    passed_seconds: float,
) -> Query:
    """A worker that waits for jobs asks for the same ones again and again, and each job waits for the text to be made.

    Schemas of different versions are equal, so what else their texts are made of is given beside them.
    """
    return _claim(queue, options, details, lease_seconds, is_traced)


def walk(queue: QueueRef, walked: str, in_range: str, may_start: Sequence[str]) -> str:
    """The first step: the columns ``walked`` of the first ``$2`` jobs ``j`` that may start, which it locks."""
    # A condition that index 11 does not answer would make the planner believe that hardly a row is left, and then a
    # limit says nothing to it. Of a CASE it takes half the rows to pass.
    passes = f"\n                   AND CASE WHEN {_all(may_start)} THEN true END" if may_start else ""
    return f"""
            SELECT walk.*
              FROM (
                SELECT {walked}
                  FROM {queue.table} j
                 WHERE j.name = $1::text AND j.state < 'active' AND NOT j.blocked{in_range}{passes}
                 ORDER BY j.priority DESC, j.created_on
                 LIMIT $2::int
                   FOR UPDATE OF j SKIP LOCKED
              ) walk
             LIMIT (SELECT $2::int)"""


def walk_behind(
    queue: QueueRef,
    walked: str,
    in_range: str,
    may_start: Sequence[str],
    frontier: Frontier,
    parameters: list[Parameter],
) -> str:
    """The walk in three parts, by priority: within one, index 11 leads to the frontier with no look at what is before.

    Up to PostgreSQL 17 the entries of other priorities are read from the front, but their rows are not.
    """
    priority = placeholder(parameters, frontier.priority)
    behind = f" AND j.created_on >= {_bound(frontier, queue.now, parameters)}"
    parts = (
        walk(queue, walked, f"{in_range} AND j.priority {operator} {priority}::int{behind}", may_start)
        for operator in (">", "=", "<")
    )
    union = "\n            ) UNION ALL (".join(parts)
    return f"""
            SELECT part.*
              FROM (({union}
            )) part
             LIMIT $2::int"""


def _bound(frontier: Frontier, now: str, parameters: list[Parameter]) -> str:
    """The creation at which claims begin.

    From a subquery, whose value the planner does not know. Of one that it knows it might believe, by old statistics,
    that hardly a job is so young, or so old, take index 15 and sort.
    """
    since = placeholder(parameters, frontier.since)
    seconds = placeholder(parameters, frontier.seconds)
    return f"(SELECT LEAST({since}::timestamptz, {now} - {seconds}::float8 * interval '1 second'))"


def _first_of_keys(queue: QueueRef, walked: str, in_range: str, may_start: Sequence[str], due: str) -> str:
    """The walk of an ordered queue, or a shorter way: where few keys have due jobs, their first jobs are known.

    Only rows with the policy count, as for the unique index: copies in a dead letter queue have none, and never come
    first.
    """
    is_many = f"(SELECT count(*) >= {MANY_KEYS} FROM firsts)"
    is_first = f"""j.id = (
                       SELECT {_first_job(queue, "h.id", "h.singleton_key = j.singleton_key", due)})"""
    comes_first = f"(j.state = 'retry' AND j.policy = '{FIRST_OF_A_KEY}' OR {is_first})"
    many = walk(queue, walked, f"{in_range} AND {is_many}", [*may_start, comes_first])
    # The state as text fits no partial index, so that the primary key is the way to these few rows.
    return f"""
            SELECT few.*
              FROM (
                SELECT {walked}
                  FROM {queue.table} j
                 WHERE j.name = $1::text AND j.id = ANY(ARRAY(SELECT id FROM firsts WHERE NOT {is_many}))
                   AND j.state::text IN ('created', 'retry') AND NOT j.blocked{in_range}
                   AND {_all(may_start)}
                 ORDER BY j.priority DESC, j.created_on
                 LIMIT $2::int
                   FOR UPDATE OF j SKIP LOCKED
              ) few
             UNION ALL ({many}
            )"""


def _all(conditions: Sequence[str]) -> str:
    return "\n                   AND ".join(conditions)


def placeholder(parameters: list[Parameter], value: Parameter) -> str:
    parameters.append(value)
    return f"${len(parameters)}"


def leased(lease_seconds: int | None, parameters: list[Parameter]) -> str:
    """The part of a SET that gives a heartbeat to jobs without one, where it is given itself."""
    if lease_seconds is None:
        return ""
    seconds = placeholder(parameters, lease_seconds)
    return f"\n               heartbeat_seconds = COALESCE(j.heartbeat_seconds, {seconds}::int),"


def priority_range(options: FetchOptions, parameters: list[Parameter]) -> Iterator[str]:
    for bound, operator in ((options.min_priority, ">="), (options.max_priority, "<=")):
        if bound is not UNSET:
            yield f"j.priority {operator} {placeholder(parameters, bound)}::int"


def _other_groups(options: FetchOptions, parameters: list[Parameter]) -> Iterator[str]:
    if options.ignore_groups is not UNSET and options.ignore_groups:
        ignored = placeholder(parameters, list(options.ignore_groups))
        yield f"(j.group_id IS NULL OR j.group_id <> ALL({ignored}::text[]))"


def _key(alias: str) -> str:
    """The key of a job: none counts as an empty one, as in the unique indexes."""
    return f"COALESCE({alias}.singleton_key, '')"


def _key_is_free(policy: str) -> Iterator[str]:
    if policy in ONE_ACTIVE_A_KEY:
        yield f"{_key('j')} NOT IN (SELECT key FROM held)"
    elif policy == FIRST_OF_A_KEY:
        # A job in retry is itself the one that holds its key.
        yield "(j.state = 'retry' OR j.singleton_key NOT IN (SELECT key FROM held))"


def _held_keys(queue: QueueRef, due: str) -> Iterator[str]:
    """The keys of which no other job may start now; of an ordered queue also the first due job of each key."""
    if queue.policy in ONE_ACTIVE_A_KEY:
        yield f"""held AS MATERIALIZED (
            SELECT {_key("h")} AS key
              FROM {queue.table} h
             WHERE h.name = $1::text AND h.state = 'active' AND h.policy = '{queue.policy}'
        ), """
    elif queue.policy == FIRST_OF_A_KEY:
        yield f"""held AS MATERIALIZED (
            SELECT h.singleton_key AS key
              FROM {queue.table} h
             WHERE h.name = $1::text AND h.state IN ('active', 'retry', 'failed') AND h.policy = '{FIRST_OF_A_KEY}'
        ), firsts(key, id, place) AS (
            (SELECT {_first_job(queue, "h.singleton_key, h.id, 1::bigint", "", due)})
             UNION ALL
            SELECT n.*
              FROM firsts f
             CROSS JOIN LATERAL (
                    SELECT {_first_job(queue, "h.singleton_key, h.id, f.place + 1", "h.singleton_key > f.key", due)}) n
             WHERE f.place < {MANY_KEYS}
        ), """


def _first_job(queue: QueueRef, columns: str, of_key: str, due: str) -> str:
    """The due job that comes first, in the order of index 10: by key, a retry before the others, the oldest, by id.

    Asked for a state instead of a range of states, the planner might take index 14, and read all jobs for one key.
    """
    return f"""{columns}
                      FROM {queue.table} h
                     WHERE h.name = $1::text AND h.state < 'active' AND NOT h.blocked
                       AND h.policy = '{FIRST_OF_A_KEY}'{due.format("h")}{of_key and f" AND {of_key}"}
                     ORDER BY h.singleton_key, h.state DESC, h.created_on, h.id
                     LIMIT 1"""


def _walked(policy: str, allowed: str) -> Iterator[str]:
    """What the choice needs of each job besides its urgency."""
    if policy in ONE_ACTIVE_A_KEY:
        yield f"{_key('j')} AS key"
    if allowed:
        yield "j.group_id"
        yield f"{allowed} AS allowed"


def _allowed(groups: GroupConcurrency, parameters: list[Parameter]) -> str:
    """How many jobs of the group of ``j`` may be active, by the tier of ``j``."""
    default = f"{placeholder(parameters, groups.default)}::int"
    if not groups.tiers:
        return default
    tiers = placeholder(parameters, dumps(groups.tiers))
    return f"COALESCE(({tiers}::jsonb ->> j.group_tier)::int, {default})"


def _group_has_room(allowed: str) -> str:
    return f"(j.group_id IS NULL OR (j.group_id, {allowed}) NOT IN (SELECT group_id, allowed FROM full_groups))"


def _full_groups(queue: QueueRef, groups: GroupConcurrency, parameters: list[Parameter]) -> Iterator[str]:
    """The groups with active jobs, and which of the possible limits each has reached."""
    limits = placeholder(parameters, groups.limits)
    yield f"""busy_groups AS MATERIALIZED (
            SELECT b.group_id, count(*)::int AS jobs
              FROM {queue.table} b
             WHERE b.name = $1::text AND b.state = 'active' AND b.group_id IS NOT NULL
             GROUP BY b.group_id
        ), full_groups AS MATERIALIZED (
            SELECT b.group_id, l.allowed
              FROM busy_groups b JOIN unnest({limits}::int[]) l(allowed) ON b.jobs >= l.allowed
        ), """


def _choice(policy: str, *, has_groups: bool) -> tuple[str, str]:
    """The steps that drop jobs of the batch in favour of others, and the name of the last one."""
    steps, last = "", "next"
    if policy in ONE_ACTIVE_A_KEY:
        steps += f""", one_a_key AS (
            SELECT DISTINCT ON (n.key) n.*
              FROM next n
             ORDER BY n.key, {URGENCY}
        )"""
        last = "one_a_key"
    if has_groups:
        steps += f""", placed AS (
            SELECT n.*, row_number() OVER (PARTITION BY n.group_id ORDER BY {URGENCY}) AS place
              FROM {last} n
        ), with_room AS (
            SELECT p.id
              FROM placed p LEFT JOIN busy_groups b ON b.group_id = p.group_id
             WHERE p.group_id IS NULL OR COALESCE(b.jobs, 0) + p.place <= p.allowed
        )"""
        last = "with_room"
    return steps, last


def next_due(schema: SchemaName, names: Sequence[str]) -> Query:
    """For each queue the seconds until its next waiting job is due (zero or less: one is); none waiting, no row.

    One branch a queue: its name is a parameter there, by which the planner leaves out all other partitions.
    """
    parameters = [f"${position}::text" for position in range(1, len(names) + 1)]
    branches = (
        f"""
        SELECT {name} AS name, LEAST({_next_start(schema, name)}) AS start_after"""
        for name in parameters
    )
    return Query(
        f"""
        SELECT due.name, extract(epoch FROM due.start_after - {schema.now})::float8 AS seconds
          FROM ({" UNION ALL".join(branches)}
               ) due
         WHERE due.start_after IS NOT NULL
        """,
        tuple(names),
        is_repeated=True,
    )


def _next_start(schema: SchemaName, name: str, condition: str = "") -> str:
    """When the next waiting job of a queue starts that meets the condition, as arguments of LEAST.

    One state at a time: for each of them the index has the answer at its beginning.
    """
    return ", ".join(
        f"""
               (SELECT min(start_after)
                  FROM {schema.table("job")}
                 WHERE name = {name} AND state = '{state}' AND NOT blocked {condition})"""
        for state in ("created", "retry")
    )


def next_left_out(schema: SchemaName, name: str, frontier: Frontier) -> Query:
    """The seconds until the next waiting job of a queue is due, or zero or less when one before the frontier is.

    Due jobs behind the frontier do not count; none waiting, ``NULL``. This walks over the dead rows that claims spare
    themselves.
    """
    parameters: list[Parameter] = [name]
    return Query(
        f"""
        SELECT extract(epoch FROM LEAST({_next_start(schema, "$1::text", f"AND start_after > {schema.now}")},
                   (SELECT j.start_after
                      FROM {schema.table("job")} j
                     WHERE j.name = $1::text AND NOT j.blocked AND j.state < 'active' AND j.start_after <= {schema.now}
                       AND j.created_on < {_bound(frontier, schema.now, parameters)}
                     ORDER BY j.priority DESC, j.created_on
                     LIMIT 1)
               ) - {schema.now})::float8 AS seconds
        """,
        tuple(parameters),
        is_repeated=True,
    )
