"""Statements that delete many jobs of a queue, and take what they deleted from the queue's counts."""

from __future__ import annotations

from typing import Final, Literal, TypeAlias
from uuid import UUID

from pgboss.core.names import SchemaName
from pgboss.core.query import Query
from pgboss.core.queue import QueueRef
from pgboss.sql.walk import FIRST_ID, RETAINED, WALK_BATCH, edge, within

Which: TypeAlias = Literal["queued", "stored", "all"]

# How long ago a job must have finished to be surely counted: completed_on is the time its transaction began.
_COUNTING_LAG = "interval '10 seconds'"

# States stay literal, here as everywhere.
_CONDITIONS: Final[dict[Which, str]] = {
    "queued": "j.state < 'active'",
    "stored": "j.state > 'active'",
    "all": "true",
}


def delete_batch(queue: QueueRef, which: Which, after: UUID | None) -> Query:
    """Delete the matching jobs among the next keys of a queue.

    Returns ``last_id``, where the next batch begins (NULL: this was the last one), how many were ``deleted``, and how
    many of them (``deleted_retained``) the queue's ``retained_count`` holds.
    """
    return Query(
        f"""
        WITH {edge(queue.table, "name", "id", after)}, removed AS (
            DELETE FROM {queue.table} j
             WHERE {within("j.name", "j.id", after)} AND {_CONDITIONS[which]}
            RETURNING j.state, j.completed_on
        )
        SELECT (SELECT id FROM edge) AS last_id,
               (SELECT count(*) FROM removed)::int AS deleted,
               (SELECT count(*) FROM removed r WHERE {is_retained(queue.schema, "r")})::int AS deleted_retained
        """,
        (queue.name, after or FIRST_ID, WALK_BATCH),
    )


def is_retained(schema: SchemaName, alias: str) -> str:
    """The condition on a row that says the ``retained_count`` of queue $1 holds it."""
    if not schema.has("queue.retained_count"):
        return "false"
    retained_on = f"(SELECT q.retained_on FROM {schema.table('queue')} q WHERE q.name = $1::text)"
    return f"{alias}.{RETAINED} AND {alias}.completed_on <= {retained_on}"


def reduce_counts(schema: SchemaName, name: str, deleted: int, deleted_retained: int) -> Query:
    """Take deleted jobs from a queue's counts at once, rather than at the next monitor pass."""
    of_retained, parameters = less_retained(schema, deleted_retained, position=3)
    return Query(
        f"""
        UPDATE {schema.table("queue")}
           SET total_count = GREATEST(total_count - $2::int, 0){of_retained}
         WHERE name = $1::text
        """,
        (name, deleted, *parameters),
    )


def less_retained(schema: SchemaName, deleted_retained: int, *, position: int) -> tuple[str, tuple[int, ...]]:
    """The assignment that takes deleted jobs from ``retained_count``, and its parameter; older versions lack it."""
    if not schema.has("queue.retained_count"):
        return "", ()
    less = f"CASE WHEN retained_count IS NOT NULL THEN GREATEST(retained_count - ${position}::int, 0) END"
    return f",\n               retained_count = {less}", (deleted_retained,)


def has_own_table(schema: SchemaName, name: str) -> Query:
    """Whether a table holds this queue's jobs and no others."""
    return Query(f"SELECT partition FROM {schema.table('queue')} WHERE name = $1::text", (name,))


def empty(schema: SchemaName, table_name: str) -> Query:
    """Empty a table of jobs at one blow, once everybody else has let go of it."""
    return Query(f"TRUNCATE {schema.table(table_name)}")


def zero_counts(schema: SchemaName, name: str | None) -> Query:
    """Write the counts of an emptied queue, or of all queues."""
    blocked = schema.if_has("queue.blocked_count", "blocked_count = 0, ")
    retained = schema.if_has(
        "queue.retained_count", f" retained_count = 0, retained_on = {schema.now} - {_COUNTING_LAG},"
    )
    return Query(
        f"""
        UPDATE {schema.table("queue")} q
           SET deferred_count = 0, {blocked}queued_count = 0, ready_count = 0, active_count = 0,
               failed_count = 0, total_count = 0,{retained}
               singletons_active = NULL, monitor_on = {schema.now}
          FROM (SELECT name FROM {schema.table("queue")}
                 WHERE $1::text IS NULL OR name = $1::text
                 ORDER BY name
                   FOR NO KEY UPDATE) emptied
         WHERE q.name = emptied.name
        """,
        (name,),
    )
