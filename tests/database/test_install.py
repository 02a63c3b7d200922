"""Installing on a real server: as whom, beside whom, and what stays behind in the session."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from pgboss.core.names import SchemaName
from pgboss.drivers.psycopg.sessions import PsycopgSession
from pgboss.drivers.runner import run
from pgboss.errors import SchemaError, SchemaMissingError, SchemaVersionError
from pgboss.operations.drift import detect_drift
from pgboss.operations.install import SchemaState, ensure, install
from pgboss.schema.plans import create_plan
from support.operations import run_operation
from support.postgres import sql, sql_value

SCHEMA = SchemaName()
INSTALLED = SchemaState(version=46, installed=True, partitioned=True)
FOUND = SchemaState(version=46, installed=False, partitioned=True)


@pytest.fixture
def role(database_url: str) -> Iterator[str]:
    """An ordinary role that may log in and nothing else."""
    name = f"{sql_value(database_url, 'SELECT current_database()')}_role"
    sql(database_url, f'CREATE ROLE "{name}" LOGIN')
    yield name
    sql(database_url, f'DROP OWNED BY "{name}" CASCADE; DROP ROLE "{name}"')


def acting_as(url: str, role: str) -> str:
    """A DSN whose sessions have the rights of ``role`` from their first statement on."""
    return make_conninfo(url, options=f"-c role={role}")


@pytest.mark.parametrize("name", ["pgboss", "MyJobs", '"My-Schema x"', '"user"', "job"])
def test_an_empty_database_gets_a_sound_schema(database_url: str, name: str) -> None:
    schema = SchemaName(name)

    assert run_operation(database_url, ensure(schema)) == INSTALLED
    assert run_operation(database_url, ensure(schema)) == FOUND
    assert run_operation(database_url, detect_drift(schema)) == []
    assert sql(database_url, f"SELECT * FROM {schema.table('version')}") == [
        {
            "version": 46,
            "cron_on": None,
            "bam_on": None,
            "flow_on": None,
            "reindex_on": None,
            "monitor_backoff_on": None,
        }
    ]


def test_many_may_install_at_once(database_url: str) -> None:
    with ThreadPoolExecutor(8) as threads:
        states = list(threads.map(lambda _: run_operation(database_url, ensure(SCHEMA)), range(8)))

    assert sorted(state.installed for state in states) == [False] * 7 + [True]
    assert sql_value(database_url, "SELECT count(*) FROM pgboss.version") == 1


@pytest.mark.parametrize("level", ["repeatable read", "serializable"])
def test_many_may_install_at_once_under_any_default_isolation(database_url: str, level: str) -> None:
    url = make_conninfo(database_url, options=f"-c default_transaction_isolation={level.replace(' ', chr(92) + ' ')}")

    with ThreadPoolExecutor(4) as threads:
        states = list(threads.map(lambda _: run_operation(url, ensure(SCHEMA)), range(4)))

    assert sorted(state.installed for state in states) == [False] * 3 + [True]


def test_nothing_is_set_beyond_the_transaction(database_url: str) -> None:
    # transaction_… tell of the current transaction alone, and plpgsql… appear when its first function runs.
    settings = "SELECT name, setting FROM pg_settings WHERE name !~ '^(transaction|plpgsql)' ORDER BY name"
    with psycopg.connect(database_url, autocommit=True) as connection:
        before = connection.execute(settings).fetchall()
        run(PsycopgSession(connection), install(SCHEMA))
        run(PsycopgSession(connection), detect_drift(SCHEMA))

        assert connection.execute(settings).fetchall() == before


def test_the_lock_is_the_one_that_everybody_computes(database_url: str) -> None:
    schema = SchemaName('"My-Schema"')
    database = sql_value(database_url, "SELECT current_database()")
    plan_up_to_its_lock = create_plan(schema).split("bigint);")[0] + "bigint);"
    held = "SELECT (classid::bigint << 32) + objid::bigint FROM pg_locks WHERE locktype = 'advisory'"

    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(plan_up_to_its_lock.encode())
        key = connection.execute(held).fetchone()

    assert key == (schema.lock_key(database, ""),)


def test_the_plan_installs_the_same(database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(create_plan(SchemaName('"My-Schema"')).encode())

    assert run_operation(database_url, ensure(SchemaName('"My-Schema"'), migrate=False)) == FOUND
    assert run_operation(database_url, detect_drift(SchemaName('"My-Schema"'))) == []


def test_the_plan_changes_nothing_where_it_has_run_already(database_url: str) -> None:
    plan = create_plan(SCHEMA).encode()
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(plan)
        with pytest.raises(psycopg.errors.DuplicateObject):
            connection.execute(plan)

    assert run_operation(database_url, detect_drift(SCHEMA)) == []


def test_the_days_of_statistics_are_those_of_utc(database_url: str) -> None:
    # At any hour one of these two is on another day than UTC.
    for zone in ("Pacific/Kiritimati", "Etc/GMT+12"):
        url = make_conninfo(database_url, options=f"-c timezone={zone} -c datestyle=SQL,DMY")
        schema = SchemaName(f"in_{zone.split('/')[0].lower()}")
        run_operation(url, install(schema))

        days = sql(
            make_conninfo(database_url, options="-c timezone=UTC"),
            f"""
            SELECT c.relname AS name, pg_get_expr(c.relpartbound, c.oid) AS bound
              FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
             WHERE i.inhparent = '{schema.sql}.queue_stats'::regclass
             ORDER BY 1
            """,
        )
        assert days == sql(
            database_url,
            """
            SELECT 'queue_stats_' || to_char(day, 'YYYYMMDD') AS name,
                   format('FOR VALUES FROM (%L) TO (%L)', to_char(day, 'YYYY-MM-DD') || ' 00:00:00+00',
                          to_char(day + 1, 'YYYY-MM-DD') || ' 00:00:00+00') AS bound
              FROM (SELECT (now() AT TIME ZONE 'UTC')::date + n AS day FROM generate_series(0, 1) n) d
             ORDER BY 1
            """,
        )


def test_an_ordinary_role_installs_in_the_schema_it_owns(database_url: str, role: str) -> None:
    sql(database_url, f'CREATE SCHEMA pgboss AUTHORIZATION "{role}"')

    assert run_operation(acting_as(database_url, role), ensure(SCHEMA, create_schema=False)) == INSTALLED
    assert run_operation(acting_as(database_url, role), detect_drift(SCHEMA)) == []
    create = json.dumps({"policy": "short", "partition": True})
    sql(acting_as(database_url, role), "SELECT pgboss.create_queue(%s, %s)", ("mail", create))
    sql(acting_as(database_url, role), "SELECT pgboss.delete_queue('mail')")


def test_an_ordinary_role_may_not_make_a_schema_and_is_told_so(database_url: str, role: str) -> None:
    with pytest.raises(SchemaError, match=f'CREATE SCHEMA "pgboss" AUTHORIZATION "{role}"'):
        run_operation(acting_as(database_url, role), ensure(SCHEMA))
    with pytest.raises(SchemaMissingError, match="create_schema is off"):
        run_operation(acting_as(database_url, role), ensure(SCHEMA, create_schema=False))


def test_a_role_with_rights_to_rows_alone_finds_the_schema(database_url: str, role: str) -> None:
    run_operation(database_url, install(SCHEMA))
    sql(
        database_url,
        f"""
        GRANT USAGE ON SCHEMA pgboss TO "{role}";
        GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA pgboss TO "{role}"
        """,
    )

    assert run_operation(acting_as(database_url, role), ensure(SCHEMA)) == FOUND
    assert run_operation(acting_as(database_url, role), install(SCHEMA)) == FOUND
    assert run_operation(acting_as(database_url, role), detect_drift(SCHEMA)) == []


@pytest.mark.parametrize("grant", ["", "GRANT USAGE ON SCHEMA pgboss TO "])
def test_a_role_without_rights_is_told_which_it_needs(database_url: str, role: str, grant: str) -> None:
    run_operation(database_url, install(SCHEMA))
    if grant:
        sql(database_url, f'{grant} "{role}"')

    with pytest.raises(SchemaError, match="GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES"):
        run_operation(acting_as(database_url, role), ensure(SCHEMA))


def test_the_schema_may_be_there_before(database_url: str) -> None:
    sql(database_url, "CREATE SCHEMA pgboss; CREATE TABLE pgboss.customers (id int)")

    assert run_operation(database_url, ensure(SCHEMA, create_schema=False)) == INSTALLED
    assert run_operation(database_url, detect_drift(SCHEMA)) == []


def test_a_name_that_differs_by_case_alone_is_not_installed_beside(database_url: str) -> None:
    run_operation(database_url, install(SchemaName('"Jobs"')))

    with pytest.raises(SchemaError, match='"Jobs"'):
        run_operation(database_url, ensure(SchemaName("Jobs")))
    assert run_operation(database_url, ensure(SchemaName("Jobs"), allow_case_variant=True)) == INSTALLED


def test_a_schema_of_that_name_without_pg_boss_is_no_case_variant(database_url: str) -> None:
    sql(database_url, 'CREATE SCHEMA "Jobs"; CREATE TABLE "Jobs".version (major int)')

    assert run_operation(database_url, ensure(SchemaName("jobs"))) == INSTALLED


@pytest.mark.parametrize(
    ("damage", "error", "message"),
    [
        ("DELETE FROM pgboss.version", SchemaError, "no row in its version table"),
        ("DROP TABLE pgboss.version", SchemaError, "no version table"),
        ("DROP TABLE pgboss.instance, pgboss.bam", SchemaError, "lacks table bam, table instance"),
        ("DROP FUNCTION pgboss.create_queue", SchemaError, "lacks function create_queue"),
        ("UPDATE pgboss.version SET version = 30", SchemaVersionError, "at version 30"),
        ("UPDATE pgboss.version SET version = 50; ALTER TABLE pgboss.queue DROP notify", SchemaVersionError, "notify"),
    ],
)
def test_what_cannot_be_used_is_refused_and_left_alone(
    database_url: str, damage: str, error: type[SchemaError], message: str
) -> None:
    run_operation(database_url, install(SCHEMA))
    sql(database_url, damage)
    objects = "SELECT count(*) FROM pg_class UNION ALL SELECT count(*) FROM pg_proc"
    before = sql(database_url, objects)

    for operation in (ensure(SCHEMA), ensure(SCHEMA, migrate=False), install(SCHEMA)):
        with pytest.raises(error, match=message):
            run_operation(database_url, operation)
    assert sql(database_url, objects) == before


def test_a_newer_schema_is_used_as_it_is(database_url: str) -> None:
    run_operation(database_url, install(SCHEMA))
    sql(database_url, "UPDATE pgboss.version SET version = 47; ALTER TABLE pgboss.job ADD COLUMN colour text")

    state = run_operation(database_url, ensure(SCHEMA, migrate=False))

    assert (state.version, state.current) == (47, False)
    assert sql_value(database_url, "SELECT version FROM pgboss.version") == 47


def test_functions_left_by_an_earlier_installation_do_not_matter(database_url: str) -> None:
    run_operation(database_url, install(SCHEMA))
    functions = "SELECT string_agg(format('pgboss.%I', proname), ', ') FROM pg_proc WHERE proname LIKE 'py\\_%'"
    left = sql_value(database_url, functions)
    sql(database_url, "CREATE SCHEMA aside")
    for name in left.split(", "):
        sql(database_url, f"ALTER FUNCTION {name} SET SCHEMA aside")
    sql(database_url, "DROP SCHEMA pgboss CASCADE; ALTER SCHEMA aside RENAME TO pgboss")

    assert run_operation(database_url, ensure(SCHEMA)) == INSTALLED
    assert run_operation(database_url, detect_drift(SCHEMA)) == []


def test_starting_is_silent(database_url: str) -> None:
    """Neither installing nor finding the schema makes the server send as much as a notice."""
    notices: list[str | None] = []
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.add_notice_handler(lambda diagnostic: notices.append(diagnostic.message_primary))
        run(PsycopgSession(connection), ensure(SCHEMA))
        run(PsycopgSession(connection), ensure(SCHEMA))

    assert notices == []
