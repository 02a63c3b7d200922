"""Statements about stored warnings."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from pgboss.core.names import SchemaName
from pgboss.core.query import Query
from pgboss.sql.walk import WALK_BATCH

__all__ = ["delete_old", "find", "store"]


def store(schema: SchemaName, type: str, message: str, data: str) -> Query:
    """Store one warning; its data is JSON."""
    return Query(
        f"""
        INSERT INTO {schema.table("warning")} (type, message, data, created_on)
        VALUES ($1::text, $2::text, $3::jsonb, {schema.now})
        """,
        (type, message, data),
    )


def find(schema: SchemaName, type: str | None, limit: int, before: tuple[datetime, UUID] | None) -> Query:
    """Stored warnings, newest first; ``before`` continues behind the last one of a page."""
    created_on, id = before or (None, None)
    return Query(
        f"""
        SELECT id, type, message, data::text AS data, created_on
          FROM {schema.table("warning")}
         WHERE ($1::text IS NULL OR type = $1::text)
           AND ($2::timestamptz IS NULL OR (created_on, id) < ($2::timestamptz, $3::uuid))
         ORDER BY created_on DESC, id DESC
         LIMIT $4::int
        """,
        (type, created_on, id, limit),
    )


def delete_old(schema: SchemaName, days: int) -> Query:
    """Delete a batch of the warnings older than so many days; the value is how many went."""
    warning = schema.table("warning")
    return Query(
        f"""
        WITH old AS MATERIALIZED (
            SELECT id
              FROM {warning}
             WHERE created_on < {schema.now} - make_interval(days => $1::int)
             ORDER BY created_on
             LIMIT $2::int
               FOR UPDATE SKIP LOCKED
        ), removed AS (
            DELETE FROM {warning} w USING old WHERE w.id = old.id RETURNING 1
        )
        SELECT count(*)::int FROM removed
        """,
        (days, WALK_BATCH),
    )
