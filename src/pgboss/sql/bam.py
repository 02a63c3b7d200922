"""Statements about the table ``bam``: claiming a command, writing how it ended, reading the list.

docs/compatibility.md, "Index builds in the background".
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from pgboss.core.names import SchemaName
from pgboss.core.query import Query

GRACE_SECONDS = 5 * 60
"""How long a claimed command may take to get hold of its table's lock."""


def claim(schema: SchemaName, pending_only: bool) -> Query:
    """Claim the next command; no row when there is none, or another one is being run.

    To be run under the lock ``bamClaim``: two claims at once would each find nobody at work. Pending commands come
    first, in the order in which they were put off, then failed and forsaken ones; with ``pending_only`` those wait
    for another turn. A command waits while an earlier one of its version and table is not completed.

    One in progress is forsaken when its time of grace is over and nobody holds the lock on its table that a concurrent
    build holds from beginning to end. Its progress would say more, but shows one's own role only. A vacuum takes the
    same lock, and puts this off.
    """
    bam = schema.table("bam")
    claimable = "c.status = 'pending'"
    if not pending_only:
        claimable = f"({claimable} OR c.status = 'failed' OR c.id IN (SELECT id FROM running WHERE is_forsaken))"
    return Query(
        f"""
        WITH running AS MATERIALIZED (
            SELECT r.id,
                   r.started_on < {schema.now} - interval '{GRACE_SECONDS} seconds'
                   AND NOT EXISTS (
                       SELECT FROM pg_locks l
                        WHERE l.locktype = 'relation' AND l.granted AND l.mode = 'ShareUpdateExclusiveLock'
                          AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
                          AND l.relation = to_regclass(format('%I.%I', $1::text, r.table_name))) AS is_forsaken
              FROM {bam} r
             WHERE r.status = 'in_progress'
        ), next AS (
            SELECT c.id, c.status, c.started_on
              FROM {bam} c
             WHERE {claimable}
               AND NOT EXISTS (SELECT FROM running WHERE is_forsaken IS NOT TRUE)
               AND NOT EXISTS (
                   SELECT FROM {bam} e
                    WHERE e.version = c.version AND e.table_name = c.table_name
                      AND e.created_on < c.created_on AND e.status <> 'completed')
             ORDER BY c.status <> 'pending', c.created_on
             LIMIT 1
               FOR UPDATE OF c SKIP LOCKED
        )
        UPDATE {bam} b
           SET status = 'in_progress', started_on = {schema.now}
          FROM next
         WHERE b.id = next.id
        RETURNING b.id, b.name, b.queue, b.table_name AS "table", b.command, b.started_on,
                  next.status AS prior_status, next.started_on AS prior_started_on
        """,
        (schema.catalog_name,),
    )


def release(
    schema: SchemaName, id: UUID, claimed_on: datetime, prior_status: str, prior_started_on: datetime | None
) -> Query:
    """Hand a command back that was not begun, as it was found."""
    return Query(
        f"""
        UPDATE {schema.table("bam")}
           SET status = $3::text, started_on = $4::timestamptz
         WHERE {_IS_OURS}
        """,
        (id, claimed_on, prior_status, prior_started_on),
    )


def complete(schema: SchemaName, id: UUID, claimed_on: datetime) -> Query:
    """Write that a command has done its work; what went wrong before is forgotten."""
    return Query(
        f"""
        UPDATE {schema.table("bam")}
           SET status = 'completed', completed_on = {schema.now}, error = NULL
         WHERE {_IS_OURS}
        """,
        (id, claimed_on),
    )


def fail(schema: SchemaName, id: UUID, claimed_on: datetime, error: str) -> Query:
    """Write why a command has failed."""
    return Query(
        f"""
        UPDATE {schema.table("bam")}
           SET status = 'failed', completed_on = {schema.now}, error = $3::text
         WHERE {_IS_OURS}
        """,
        (id, claimed_on, error),
    )


# Whoever has taken a forsaken command over will write how it ends.
_IS_OURS = "id = $1::uuid AND status = 'in_progress' AND started_on = $2::timestamptz"


def statuses(schema: SchemaName) -> Query:
    """How many commands there are of each status."""
    return Query(
        f"""
        SELECT status, count(*)::int AS count, max(created_on) AS last_created_on
          FROM {schema.table("bam")}
         GROUP BY status
         ORDER BY status
        """
    )


def entries(schema: SchemaName, after: UUID | None, limit: int) -> Query:
    """The commands in their order, or those behind one of them."""
    bam = schema.table("bam")
    behind = f"(version, created_on, id) > (SELECT a.version, a.created_on, a.id FROM {bam} a WHERE a.id = $1::uuid)"
    return Query(
        f"""
        SELECT id, name, version, status, queue, table_name AS "table", command, error,
               created_on, started_on, completed_on
          FROM {bam}
         WHERE {"$1::uuid IS NULL" if after is None else behind}
         ORDER BY version, created_on, id
         LIMIT $2::int
        """,
        (after, limit),
    )


def exists(schema: SchemaName, id: UUID) -> Query:
    """Whether there is such a command: a row, or none."""
    return Query(f"SELECT true FROM {schema.table('bam')} WHERE id = $1::uuid", (id,))
