"""The DDL as text: every file is used, every placeholder filled, and the plans are whole scripts."""

from __future__ import annotations

import re
from importlib.resources import files

import pytest

from pgboss.core.names import SchemaName
from pgboss.schema import texts
from pgboss.schema.history import HISTORY
from pgboss.schema.manifest import expected_catalog, managed_columns, managed_functions, managed_tables
from pgboss.schema.plans import create_plan, uninstall_plan, upgrade_plan
from pgboss.schema.version import OLDEST_UPGRADABLE, SCHEMA_VERSION

SCHEMAS = [SchemaName("pgboss"), SchemaName("MySchema"), SchemaName('"My-Schema {x}"')]


def folder(name: str) -> set[str]:
    return {entry.name.removesuffix(".sql") for entry in files("pgboss.schema").joinpath("ddl", name).iterdir()}


@pytest.mark.parametrize("schema", SCHEMAS, ids=str)
def test_every_placeholder_is_filled(schema: SchemaName) -> None:
    plan = create_plan(schema)

    assert texts.PLACEHOLDER not in plan
    assert f"CREATE TABLE {schema.sql}.queue (" in plan


def test_no_file_is_left_out() -> None:
    plan = create_plan(SchemaName())

    assert folder("functions") == set(texts.OWN_FUNCTIONS)
    assert folder("managed") == set(texts.MANAGED_FUNCTIONS)
    for name in folder("tables"):
        assert texts.table(SchemaName(), name) in plan


def test_the_manifest_knows_every_function() -> None:
    assert {function.name for function in managed_functions()} == {*texts.OWN_FUNCTIONS, *texts.MANAGED_FUNCTIONS}


def test_each_wrapper_is_an_expression_where_postgres_has_them_and_a_string_where_not() -> None:
    ddl = texts.managed_functions(SchemaName(), "delete_queue")

    modern, plain = ddl.split("ELSE")
    assert 'RETURN "pgboss".py_delete_queue(queue_name)' in modern
    assert "$body$" not in modern
    assert 'AS $body$ SELECT "pgboss".py_delete_queue(queue_name) $body$' in plain


@pytest.mark.parametrize("name", texts.MANAGED_FUNCTIONS)
def test_every_wrapper_has_an_expression(name: str) -> None:
    assert re.fullmatch(r"(pg_catalog|\"pgboss\")\.\w+\([a-z_, ]*\)", texts.managed_expression(SchemaName(), name))


def test_the_version_row_comes_last() -> None:
    *_, last = texts.install_statements(SchemaName())

    assert last == 'INSERT INTO "pgboss"."version" (version) VALUES (46);\n'


@pytest.mark.parametrize("plan", [create_plan(SchemaName()), uninstall_plan(SchemaName())], ids=["create", "uninstall"])
def test_a_plan_is_one_locked_transaction(plan: str) -> None:
    assert plan.startswith("BEGIN;\n")
    assert plan.endswith("\nCOMMIT;\n")
    assert plan.index("pg_advisory_xact_lock") < min(plan.find(word) % len(plan) for word in ("CREATE ", "DROP "))
    assert "SET LOCAL lock_timeout = 30000;" in plan


def test_a_plan_can_leave_the_schema_itself_to_somebody_else() -> None:
    assert "CREATE SCHEMA" in create_plan(SchemaName())
    assert "CREATE SCHEMA" not in create_plan(SchemaName(), create_schema=False)


def test_uninstalling_names_everything_and_cascades_to_nothing() -> None:
    plan = uninstall_plan(SchemaName("Jobs"))

    for table in managed_tables():
        assert f'"jobs"."{table}"' in plan
    for function in managed_functions():
        assert f'"jobs"."{function.name}"({function.types})' in plan
    assert "CASCADE" not in plan
    assert "DROP SCHEMA" not in plan


def test_tables_stand_after_those_they_refer_to() -> None:
    tables = managed_tables()

    assert tables.index("queue") == 0
    assert tables.index("job") < tables.index("job_common")
    assert set(tables) == set(expected_catalog("pgboss", []).tables)


@pytest.mark.parametrize("schema", SCHEMAS, ids=str)
@pytest.mark.parametrize("version", range(OLDEST_UPGRADABLE, SCHEMA_VERSION))
def test_every_upgrade_is_a_whole_script(schema: SchemaName, version: int) -> None:
    plan = upgrade_plan(schema, version)

    assert texts.PLACEHOLDER not in plan
    assert f"IS DISTINCT FROM {version} THEN" in plan
    assert plan.rstrip().endswith(f"UPDATE {schema.table('version')} SET version = {SCHEMA_VERSION};\n\nCOMMIT;")


def test_every_file_of_an_upgrade_belongs_to_a_version_of_the_history() -> None:
    assert texts.upgrade_versions() == {int(name) for name in folder("upgrades")}
    assert texts.upgrade_versions() <= {change.version for change in HISTORY}
    assert [change.version for change in HISTORY] == list(range(OLDEST_UPGRADABLE + 1, SCHEMA_VERSION + 1))


def test_the_history_knows_only_what_there_is() -> None:
    for change in HISTORY:
        for table in change.tables:
            assert table in managed_tables()
        for table, columns in change.columns.items():
            assert set(columns) <= set(managed_columns(table))
        assert set(change.functions) <= set(texts.MANAGED_FUNCTIONS)
