"""Removing pg-boss: all of it, and nothing of anybody else's."""

from __future__ import annotations

import json

import psycopg
import pytest

from pgboss.core.names import SchemaName
from pgboss.errors import SchemaError, SchemaMissingError
from pgboss.operations.install import ensure, install, uninstall
from pgboss.schema.plans import uninstall_plan
from support.operations import run_operation
from support.postgres import sql, sql_value

SCHEMA = SchemaName('"My-Jobs"')
OBJECTS = """
    SELECT (SELECT count(*) FROM pg_class WHERE relnamespace = n.oid)
         + (SELECT count(*) FROM pg_proc WHERE pronamespace = n.oid)
         + (SELECT count(*) FROM pg_type WHERE typnamespace = n.oid)
      FROM pg_namespace n WHERE nspname = 'My-Jobs'
"""


@pytest.fixture(autouse=True)
def _installed(database_url: str) -> None:
    run_operation(database_url, install(SCHEMA))
    create = json.dumps({"policy": "key_strict_fifo", "partition": True})
    sql(database_url, 'SELECT "My-Jobs".create_queue(%s, %s)', ("mail", create))


def test_everything_goes_but_the_schema(database_url: str) -> None:
    assert run_operation(database_url, uninstall(SCHEMA)).kept == ()

    assert sql_value(database_url, OBJECTS) == 0
    assert run_operation(database_url, ensure(SCHEMA, create_schema=False)).installed


def test_the_plan_removes_the_same(database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(uninstall_plan(SCHEMA).encode())

    assert sql_value(database_url, OBJECTS) == 0


def test_what_else_lives_there_stays_and_is_named(database_url: str) -> None:
    sql(
        database_url,
        """
        CREATE TABLE "My-Jobs".customers (id serial PRIMARY KEY, name text);
        CREATE TYPE "My-Jobs".colour AS ENUM ('red');
        CREATE FUNCTION "My-Jobs".one() RETURNS int LANGUAGE sql AS 'SELECT 1'
        """,
    )

    kept = run_operation(database_url, uninstall(SCHEMA)).kept

    assert kept == (
        'function "My-Jobs".one()',
        'sequence "My-Jobs".customers_id_seq',
        'table "My-Jobs".customers',
        'type "My-Jobs".colour',
    )
    assert sql_value(database_url, 'SELECT count(*) FROM "My-Jobs".customers') == 0


def test_what_hangs_on_it_stops_it_unless_forced(database_url: str) -> None:
    sql(database_url, "CREATE VIEW failures AS SELECT * FROM \"My-Jobs\".job WHERE state = 'failed'")
    before = sql_value(database_url, OBJECTS)

    with pytest.raises(SchemaError, match="view failures depends on"):
        run_operation(database_url, uninstall(SCHEMA))
    assert sql_value(database_url, OBJECTS) == before

    run_operation(database_url, uninstall(SCHEMA, force=True))
    assert sql_value(database_url, OBJECTS) == 0
    assert sql_value(database_url, "SELECT to_regclass('failures')") is None


def test_half_an_installation_can_be_removed(database_url: str) -> None:
    sql(database_url, 'DROP TABLE "My-Jobs".version, "My-Jobs".warning; DROP FUNCTION "My-Jobs".job_now')

    run_operation(database_url, uninstall(SCHEMA))

    assert sql_value(database_url, OBJECTS) == 0


def test_tables_of_the_same_name_that_are_not_pg_bosss_are_spared(database_url: str) -> None:
    sql(database_url, "CREATE TABLE public.queue (number int, customer text, name text)")

    with pytest.raises(SchemaError, match="Nothing was removed"):
        run_operation(database_url, uninstall(SchemaName("public")))
    assert sql_value(database_url, "SELECT count(*) FROM public.queue") == 0


def test_uninstalling_twice_says_so(database_url: str) -> None:
    run_operation(database_url, uninstall(SCHEMA))

    with pytest.raises(SchemaMissingError):
        run_operation(database_url, uninstall(SCHEMA))
