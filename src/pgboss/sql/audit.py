"""The table ``py_audit``, which is ours: who did what by the API and the dashboard.

Rows are only ever added: a trigger refuses everything else, whoever tries. The owner of the table can take the trigger
away; nobody else can.
"""

from __future__ import annotations

from datetime import datetime

from pgboss.core.names import SchemaName
from pgboss.core.query import Query

__all__ = ["TABLE", "create_function", "create_table", "entries", "is_kept", "keep", "record"]

TABLE = "py_audit"
KEEPER = "py_audit_keep"


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


def create_function(schema: SchemaName) -> Query:
    return Query(
        f"""
        CREATE OR REPLACE FUNCTION {schema.table("py_audit_refuse")}() RETURNS trigger LANGUAGE plpgsql AS
        $$
        BEGIN
          RAISE EXCEPTION 'Entries of py_audit are neither changed nor removed.' USING ERRCODE = 'restrict_violation';
        END
        $$
        """
    )


def keep(schema: SchemaName) -> Query:
    """Refuse to change or remove entries."""
    return Query(
        f"""
        CREATE TRIGGER {KEEPER} BEFORE UPDATE OR DELETE OR TRUNCATE ON {schema.table(TABLE)}
        FOR EACH STATEMENT EXECUTE FUNCTION {schema.table("py_audit_refuse")}()
        """
    )


def is_kept(schema: SchemaName) -> Query:
    """Whether the table is there, with its trigger."""
    return Query(
        """
        SELECT EXISTS (SELECT FROM pg_catalog.pg_trigger t
                         JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid
                         JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
                        WHERE n.nspname = $1::text AND c.relname = $2::text AND t.tgname = $3::text)
        """,
        (schema.catalog_name, TABLE, KEEPER),
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
