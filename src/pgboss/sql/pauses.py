"""The table ``py_pause``, which is ours: docs/compatibility.md, "Pauses"."""

from __future__ import annotations

from pgboss.core.names import SchemaName
from pgboss.core.query import Query

TABLE = "py_pause"


def create_table(schema: SchemaName) -> Query:
    return Query(
        f"""
        CREATE TABLE IF NOT EXISTS {schema.table(TABLE)} (
            kind       text NOT NULL,
            target     text NOT NULL,
            paused_on  timestamptz NOT NULL,
            PRIMARY KEY (kind, target)
        )
        """
    )


def pause(schema: SchemaName, kind: str, target: str) -> Query:
    """Pause something; what is paused already keeps its time."""
    return Query(
        f"""
        INSERT INTO {schema.table(TABLE)} (kind, target, paused_on)
        VALUES ($1::text, $2::text, {schema.now})
        ON CONFLICT DO NOTHING
        """,
        (kind, target),
    )


def resume(schema: SchemaName, kind: str, target: str) -> Query:
    return Query(
        f"DELETE FROM {schema.table(TABLE)} WHERE kind = $1::text AND target = $2::text",
        (kind, target),
    )


def pauses(schema: SchemaName) -> Query:
    return Query(f"SELECT kind, target, paused_on FROM {schema.table(TABLE)} ORDER BY paused_on, kind, target")
