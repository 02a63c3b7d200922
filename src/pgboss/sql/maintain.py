"""Statements of the upkeep: finding overdue jobs, claiming a queue's retention, removing what is old.

Whatever walks a table goes by key in batches, one transaction each: nothing indexes the conditions, so a limit on the
matching rows would read the table's beginning again for every batch, and one statement for a whole table would hold
back vacuum for as long as it takes. docs/compatibility.md, "Upkeep".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Literal, TypeAlias
from uuid import UUID

from pgboss.core.names import SchemaName
from pgboss.core.query import Parameter, Query
from pgboss.sql.deletes import is_retained, less_retained
from pgboss.sql.fail import is_silent, is_timed_out
from pgboss.sql.walk import FIRST_ID, RETAINED, WALK_BATCH, edge, within

Side: TypeAlias = Literal["child", "parent"]


def job_tables(schema: SchemaName, names: Sequence[str] | None) -> Query:
    """Queues, named or all, by physical job table, and the database's name, which is part of the lock keys."""
    return Query(
        f"""
        SELECT current_database()::text AS database, table_name, array_agg(name ORDER BY name) AS queues
          FROM {schema.table("queue")}
         WHERE $1::text[] IS NULL OR name = ANY($1::text[])
         GROUP BY table_name
         ORDER BY table_name
        """,
        (None if names is None else list(names),),
    )


def overdue(schema: SchemaName, tables: Mapping[str, Sequence[str]]) -> Query:
    """Which queues of these tables hold active jobs that timed out or fell silent.

    One scan of the active rows a table, by the index on (name, state), so a table without any costs next to nothing.
    The tables are named one by one: a query on the parent would lock every partition with all its indexes.
    """
    scans, parameters = [], list[Parameter]()
    for table_name, queues in tables.items():
        parameters += [table_name, list(queues)]
        scans.append(_overdue_in(schema, table_name, len(parameters)))
    return Query(" UNION ALL ".join(scans), tuple(parameters))


def _overdue_in(schema: SchemaName, table_name: str, position: int) -> str:
    timed_out, silent = is_timed_out(schema), is_silent(schema)
    return f"""
        SELECT ${position - 1}::text AS table_name, j.name,
               COALESCE(bool_or({timed_out}), false) AS timed_out, COALESCE(bool_or({silent}), false) AS silent
          FROM {schema.table(table_name)} j
         WHERE j.name = ANY(${position}::text[]) AND j.state = 'active' AND (({timed_out}) OR ({silent}))
         GROUP BY j.name"""


def claim_retention(
    schema: SchemaName, interval_seconds: float, passed_over: Sequence[str], names: Sequence[str] | None
) -> Query:
    """Claim the first queue, by name, whose retention is due; no row when there is none, or others hold them all.

    One at a time: instances share the queues among them, and one that is killed leaves a single queue behind.
    """
    queue = schema.table("queue")
    # Never FOR UPDATE: it would block the foreign keys of jobs being inserted.
    return Query(
        f"""
        WITH due AS (
            SELECT name
              FROM {queue}
             WHERE name <> ALL($2::text[])
               AND ($3::text[] IS NULL OR name = ANY($3::text[]))
               AND extract(epoch FROM {schema.now} - COALESCE(maintain_on, {schema.now} - interval '1 week'))
                   >= $1::float8
             ORDER BY name
             LIMIT 1
               FOR NO KEY UPDATE SKIP LOCKED
        )
        UPDATE {queue} q
           SET maintain_on = {schema.now}
          FROM due
         WHERE q.name = due.name
        RETURNING q.name, q.table_name, q.maintain_on AS claimed_on, current_database()::text AS database
        """,
        (interval_seconds, list(passed_over), None if names is None else list(names)),
    )


def hand_back(schema: SchemaName, name: str, claimed_on: datetime, deleted: int, deleted_retained: int) -> Query:
    """Make a claimed queue due again, if the claim still stands, and take what went from its counts."""
    of_retained, parameters = less_retained(schema, deleted_retained, position=4)
    return Query(
        f"""
        UPDATE {schema.table("queue")}
           SET maintain_on = NULLIF(maintain_on, $2::timestamptz),
               total_count = GREATEST(total_count - $3::int, 0){of_retained}
         WHERE name = $1::text
        """,
        (name, claimed_on, deleted, *parameters),
    )


def delete_old(schema: SchemaName, table_name: str, name: str, after: UUID | None, counted_to: datetime) -> Query:
    """Delete the old jobs among the next keys of a queue, and count the finished ones that stay.

    Finished jobs are old when their time of deletion has passed (zero: never), queued ones after keep_until; active
    ones never are. A row that somebody holds is left for the next pass. ``last_id`` is where the next batch begins,
    NULL when this was the last one.
    """
    table, now = schema.table(table_name), schema.now
    old = f"""j.state <> 'active'
               AND (j.deletion_seconds > 0 AND j.completed_on + j.deletion_seconds * interval '1 second' < {now}
                    OR j.state < 'active' AND j.keep_until < {now})"""
    return Query(
        f"""
        WITH {edge(table, "name", "id", after)}, old AS MATERIALIZED (
            SELECT j.id FROM {table} j WHERE {within("j.name", "j.id", after)} AND {old}
               FOR UPDATE OF j SKIP LOCKED
        ), removed AS (
            DELETE FROM {table} j WHERE j.name = $1::text AND j.id = ANY(ARRAY(SELECT id FROM old))
            RETURNING j.state, j.completed_on
        )
        SELECT (SELECT id FROM edge) AS last_id,
               (SELECT count(*) FROM removed)::int AS deleted,
               (SELECT count(*) FROM removed r WHERE {is_retained(schema, "r")})::int AS deleted_retained,
               ((SELECT count(*) FROM {table} j
                  WHERE {within("j.name", "j.id", after)} AND j.{RETAINED} AND j.completed_on <= $4::timestamptz)
                - (SELECT count(*) FROM removed WHERE {RETAINED} AND completed_on <= $4::timestamptz))::int AS kept
        """,
        (name, after or FIRST_ID, WALK_BATCH, counted_to),
    )


def set_retained(schema: SchemaName, table_name: str, name: str, retained: int, counted_to: datetime) -> Query:
    """Write what a walk over the whole queue has counted; later monitor passes go on from ``counted_to``."""
    return Query(
        f"""
        UPDATE {schema.table("queue")}
           SET retained_count = $2::int,
               retained_on = $3::timestamptz,
               total_count = queued_count + active_count + failed_count + $2::int + (
                   SELECT count(*)::int
                     FROM {schema.table(table_name)} j
                    WHERE j.name = $1::text AND j.{RETAINED}
                      AND j.completed_on > $3::timestamptz AND j.completed_on <= {schema.now})
         WHERE name = $1::text
        """,
        (name, retained, counted_to),
    )


def delete_orphans(schema: SchemaName, table_name: str, name: str, side: Side, after: UUID | None) -> Query:
    """Delete, among the next keys of one side, the dependencies of a queue's jobs that are gone."""
    dependency, queue, id = schema.table("job_dependency"), f"{side}_name", f"{side}_id"
    # A scalar subquery is never turned into a join: each row costs one probe, whatever the planner believes.
    return Query(
        f"""
        WITH {edge(dependency, queue, id, after)}, removed AS (
            DELETE FROM {dependency} d
             WHERE {within(f"d.{queue}", f"d.{id}", after)}
               AND (SELECT true FROM {schema.table(table_name)} j WHERE j.name = $1::text AND j.id = d.{id}) IS NULL
            RETURNING 1
        )
        SELECT (SELECT id FROM edge) AS last_id, (SELECT count(*) FROM removed)::int AS deleted
        """,
        (name, after or FIRST_ID, WALK_BATCH),
    )
