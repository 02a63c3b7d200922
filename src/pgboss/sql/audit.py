"""The table ``py_audit``, which is ours: who did what by the API and the dashboard. Rows are only ever added."""

from __future__ import annotations

from datetime import datetime

from pgboss.core.names import SchemaName
from pgboss.core.query import Query

__all__ = ["TABLE", "create_table", "entries", "record"]


TABLE = "py_audit"


def create_table(schema: SchemaName) -> Query:
    return Query(
        f"""
        CREATE TABLE IF NOT EXISTS {schema.table(TABLE)} (
          id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
          done_on  timestamptz NOT NULL,
          who      text NOT NULL,
          action   text NOT NULL,
          what     jsonb NOT NULL
        )
        """
    )


def record(schema: SchemaName, *, who: str, action: str, what_json: str) -> Query:
    return Query(
        f"""
        INSERT INTO {schema.table(TABLE)} (done_on, who, action, what)
        VALUES ({schema.now}, $1::text, $2::text, $3::jsonb)
        """,
        (who, action, what_json),
    )


def entries(schema: SchemaName, *, before: int | None, since: datetime | None, limit: int) -> Query:
    """The newest first; ``before`` continues behind the entry with this id."""
    return Query(
        f"""
        SELECT id, done_on, who, action, what
          FROM {schema.table(TABLE)}
         WHERE ($1::bigint IS NULL OR id < $1::bigint) AND ($2::timestamptz IS NULL OR done_on >= $2::timestamptz)
         ORDER BY id DESC
         LIMIT $3::int
        """,
        (before, since, limit),
    )
