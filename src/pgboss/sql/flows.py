"""Statements about flows: creating one, freeing the jobs that wait in it, and reading who waits for whom.

docs/compatibility.md, "Flows".
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from pgboss.core.flow import DependencyRef
from pgboss.core.names import SchemaName
from pgboss.core.query import Query
from pgboss.sql.insert import COLUMNS, incoming, insertion, lost_dead_letters, recordset

RESOLVE_BATCH = 1000


def create(schema: SchemaName, jobs_json: str, dependencies_json: str, *, traced: bool = False) -> Query:
    """Create the jobs of a flow, in whichever queues, and their dependencies: all of them, or none with an error.

    Nothing gives way to a unique index here: a taken id or slot is an error of the statement (SQLSTATE 23505).
    Listeners are notified of every queue that wants it, whether or not a job of it is due, as with Node.

    Returns one row: ``queues`` (how many of them exist), ``missing`` (queues that do not), ``lost`` (dead letter
    queues that do not), ``keyless`` (queues whose policy demands a key that a job lacks); where there is any of the
    last three, nothing was created. ``created`` is a count.
    """
    now, queue = schema.now, schema.table("queue")
    given = COLUMNS.keys() if traced else COLUMNS.keys() - {"trace_context"}
    none = ("missing", "lost", "keyless")
    inserted = insertion(schema, given, unless=none, condition="AND q.name = i.name", on_conflict="")
    all_well = "NOT EXISTS (SELECT FROM missing) AND NOT EXISTS (SELECT FROM lost) AND NOT EXISTS (SELECT FROM keyless)"
    # Dependencies do give way: what a deleted job of the same id has left behind may still be there.
    return Query(
        f"""
        WITH incoming AS MATERIALIZED (
            SELECT {incoming(given, now)} FROM json_to_recordset($1::json) AS i(name text, {recordset(given)})
        ), queue AS MATERIALIZED (
            SELECT * FROM {queue} WHERE name = ANY(ARRAY(SELECT name FROM incoming))
        ), missing AS MATERIALIZED (
            SELECT name FROM incoming EXCEPT SELECT name FROM queue
        ), {lost_dead_letters(schema)}, keyless AS MATERIALIZED (
            SELECT DISTINCT q.name
              FROM queue q JOIN incoming i ON i.name = q.name
             WHERE q.policy = 'key_strict_fifo' AND COALESCE(i.singleton_key, '') = ''
        ), created AS ({inserted}
        ), linked AS (
            INSERT INTO {schema.table("job_dependency")} (child_name, child_id, parent_name, parent_id)
            SELECT d.child_name, d.child_id, d.parent_name, d.parent_id
              FROM json_to_recordset($2::json) AS d(child_name text, child_id uuid, parent_name text, parent_id uuid)
             WHERE {all_well}
            ON CONFLICT DO NOTHING
        ), notified AS (
            SELECT pg_notify($3::text, q.name) FROM queue q WHERE q.notify AND {all_well}
        )
        SELECT (SELECT count(*) FROM queue)::int AS queues,
               (SELECT array_agg(name ORDER BY name) FROM missing) AS missing,
               (SELECT array_agg(dead_letter) FROM lost) AS lost,
               (SELECT array_agg(name ORDER BY name) FROM keyless) AS keyless,
               (SELECT count(*) FROM created)::int AS created,
               (SELECT count(*) FROM notified)::int AS notified
        """,
        (jobs_json, dependencies_json, schema.channel),
        guarded=True,
    )


def claim(schema: SchemaName, interval_seconds: float) -> Query:
    """Claim this turn of the resolver for all instances; no row when the last claim is younger than the interval."""
    return Query(
        f"""
        UPDATE {schema.table("version")}
           SET flow_on = {schema.now}
         WHERE extract(epoch FROM {schema.now} - COALESCE(flow_on, {schema.now} - interval '1 week')) >= $1::float8
        RETURNING true AS claimed
        """,
        (interval_seconds,),
    )


def tables(schema: SchemaName, names: Sequence[str] | None) -> Query:
    """The job tables of these queues, or all job tables."""
    return Query(
        f"""
        SELECT DISTINCT table_name
          FROM {schema.table("queue")}
         WHERE $1::text[] IS NULL OR name = ANY($1::text[])
         ORDER BY table_name
        """,
        (None if names is None else list(names),),
    )


def unresolved(schema: SchemaName, tables: Sequence[str]) -> Query:
    """Which of these tables hold completed jobs that others still wait for: one probe of an index that is mostly empty.

    The tables are named one by one: a query on the parent would lock every partition with all its indexes.
    """
    # The order is what makes it the index for certain: without one, a scan of the table might seem to find one sooner.
    probes = (
        f"""
        SELECT ${position}::text AS table_name
         WHERE (SELECT true FROM {schema.table(table)} p
                 WHERE p.blocking AND p.state = 'completed' ORDER BY p.name, p.id LIMIT 1)"""
        for position, table in enumerate(tables, start=1)
    )
    return Query(" UNION ALL ".join(probes), tuple(tables))


def probe_by_key() -> Query:
    """Let the rest of the transaction join by probing an index, row by row.

    What a batch of the resolver has in hand is little, the tables may be large and never analysed, and a planner that
    guesses wrong would read them whole.
    """
    return Query("SELECT set_config('enable_hashjoin', 'off', true), set_config('enable_mergejoin', 'off', true)")


def resolve(schema: SchemaName, table_name: str) -> Query:
    """Take completed jobs of one table that others wait for, count them off there, and free whoever waits for no more.

    It comes after :func:`probe_by_key`. Rows of parents that somebody else resolves are skipped. Children, which may
    lie in any table, are locked in the order of name and id, in which Node locks them too, and waited for. Freed ones
    are due now at the earliest, and listeners are notified of them.

    Returns one row: ``resolved`` (parents), ``freed`` (children that wait no longer) and ``missed``: children that were
    blocked when the statement began and are not among those it has locked. Failing a job replaces its row, so a child
    that was failed just now would never be counted off: with any missed, the batch must be undone and done again.
    """
    now, job = schema.now, schema.table("job")
    pending = "GREATEST(j.pending_dependencies - c.parents, 0)"
    return Query(
        f"""
        WITH parents AS MATERIALIZED (
            SELECT p.name, p.id
              FROM {schema.table(table_name)} p
             WHERE p.blocking AND p.state = 'completed'
             ORDER BY p.name, p.id
             LIMIT $1::int
               FOR UPDATE OF p SKIP LOCKED
        ), waiting AS MATERIALIZED (
            SELECT d.child_name, d.child_id, count(*)::int AS parents
              FROM parents p
              JOIN {schema.table("job_dependency")} d ON d.parent_name = p.name AND d.parent_id = p.id
             GROUP BY d.child_name, d.child_id
        ), children AS MATERIALIZED (
            SELECT j.name, j.id, w.parents
              FROM waiting w
              JOIN {job} j ON j.name = w.child_name AND j.id = w.child_id
             WHERE j.blocked
             ORDER BY j.name, j.id
               FOR UPDATE OF j
        ), counted AS (
            UPDATE {job} j
               SET pending_dependencies = {pending},
                   blocked = {pending} > 0,
                   start_after = CASE WHEN {pending} = 0 THEN GREATEST(j.start_after, {now}) ELSE j.start_after END
              FROM children c
             WHERE j.name = c.name AND j.id = c.id
            RETURNING j.name, j.state, j.blocked, j.start_after
        ), freed AS MATERIALIZED (
            SELECT name, start_after FROM counted WHERE NOT blocked AND state < 'active'
        ), cleared AS (
            UPDATE {schema.table(table_name)} p
               SET blocking = false
              FROM parents r
             WHERE p.name = r.name AND p.id = r.id
        ), notified AS (
            SELECT pg_notify($2::text, q.name)
              FROM {schema.table("queue")} q
             WHERE q.notify AND q.name IN (SELECT name FROM freed WHERE start_after <= {now})
        )
        SELECT (SELECT count(*) FROM parents)::int AS resolved,
               (SELECT count(*) FROM freed)::int AS freed,
               (SELECT count(*) FROM waiting w JOIN {job} j ON j.name = w.child_name AND j.id = w.child_id
                 WHERE j.blocked)::int - (SELECT count(*) FROM children)::int AS missed,
               (SELECT count(*) FROM notified)::int AS notified
        """,
        (RESOLVE_BATCH, schema.channel),
    )


def dependencies(schema: SchemaName, name: str, id: UUID, limit: int, after: DependencyRef | None) -> Query:
    """The jobs that one waits for, or has waited for, by queue and id."""
    return _neighbours(schema, "child", "parent", name, id, limit, after)


def dependents(schema: SchemaName, name: str, id: UUID, limit: int, after: DependencyRef | None) -> Query:
    """The jobs that wait for one, or have waited for it, by queue and id."""
    return _neighbours(schema, "parent", "child", name, id, limit, after)


def _neighbours(
    schema: SchemaName, this: str, other: str, name: str, id: UUID, limit: int, after: DependencyRef | None
) -> Query:
    behind = "" if after is None else f"AND ({other}_name, {other}_id) > ($4::text, $5::uuid)"
    return Query(
        f"""
        SELECT {other}_name AS name, {other}_id AS id
          FROM {schema.table("job_dependency")}
         WHERE {this}_name = $1::text AND {this}_id = $2::uuid {behind}
         ORDER BY {other}_name, {other}_id
         LIMIT $3::int
        """,
        (name, id, limit, *(() if after is None else (after.name, after.id))),
    )
