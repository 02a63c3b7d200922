"""Statements about the clock: what it says, and putting a schema on the clock of a test.

The latter is done in pg-boss's own way, so that its test clocks and ours can share a schema: a session that has the
setting reads the time from a table, through ``job_now()``; all others go on in real time.
docs/compatibility.md, "Test clocks".
"""

from __future__ import annotations

from datetime import datetime

from pgboss.core.names import CLOCK_SETTING, CLOCK_TABLE, SchemaName, quote_literal
from pgboss.core.query import Query


def current_time(schema: SchemaName) -> Query:
    """The time by the database's clock, against which ages are told."""
    return Query(f"SELECT {schema.now}")


def stored_function(schema: SchemaName) -> Query:
    """The statement that makes ``job_now()`` what it is now, and whether that is the body of a test clock."""
    return Query(
        """
        SELECT pg_get_functiondef(p.oid) AS definition,
               strpos(pg_get_functiondef(p.oid), $3::text) > 0 AS is_test_clock
          FROM pg_proc p
         WHERE p.pronamespace = to_regnamespace($1::text) AND p.proname = $2::text AND p.pronargs = 0
        """,
        (schema.sql, "job_now", CLOCK_SETTING),
    )


def replace_function(schema: SchemaName) -> Query:
    """Let ``job_now()`` read the table in sessions that ask for it."""
    table = schema.table(CLOCK_TABLE)
    return Query(
        f"""
        CREATE OR REPLACE FUNCTION {schema.now} RETURNS timestamptz LANGUAGE sql STABLE AS $clock$
            SELECT COALESCE(
                CASE current_setting({quote_literal(CLOCK_SETTING)}, true)
                     WHEN 'on' THEN (SELECT now FROM {table} LIMIT 1)
                 END,
                pg_catalog.now())
        $clock$
        """
    )


def create_table(schema: SchemaName) -> Query:
    return Query(f"CREATE TABLE {schema.table(CLOCK_TABLE)} (now timestamptz NOT NULL)")


def drop_table(schema: SchemaName) -> Query:
    return Query(f"DROP TABLE IF EXISTS {schema.table(CLOCK_TABLE)}")


def start(schema: SchemaName, now: datetime) -> Query:
    """Give the new table its one row."""
    return Query(f"INSERT INTO {schema.table(CLOCK_TABLE)} (now) VALUES ($1::timestamptz)", (now,))


def move(schema: SchemaName, now: datetime) -> Query:
    """Move the time; no row is touched when nobody keeps it."""
    return Query(f"UPDATE {schema.table(CLOCK_TABLE)} SET now = $1::timestamptz", (now,))
