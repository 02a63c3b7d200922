"""The drift check on a real server: every kind of damage is found, and its DDL mends it."""

from __future__ import annotations

import psycopg
import pytest

from pgboss.core.names import SchemaName
from pgboss.errors import SchemaError, SchemaMissingError, SchemaVersionError
from pgboss.operations.drift import detect_drift
from pgboss.operations.install import install, uninstall
from pgboss.schema.findings import Finding
from support.damage import DAMAGES, Damage, break_schema, create_queues
from support.operations import run_operation
from support.postgres import sql, sql_value

SCHEMA = SchemaName('"My-Jobs"')


@pytest.fixture(autouse=True)
def _installed(database_url: str) -> None:
    run_operation(database_url, install(SCHEMA))
    create_queues(database_url, SCHEMA)


def drift(url: str) -> list[Finding]:
    return run_operation(url, detect_drift(SCHEMA))


def mend(url: str, findings: list[Finding]) -> None:
    """Run the statements as the check says they are to be run: one by one, each on its own."""
    with psycopg.connect(url, autocommit=True) as connection:
        for finding in findings:
            for statement in finding.mend:
                connection.execute(statement.encode())


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.name)
def test_damage_is_found_and_can_be_mended(database_url: str, damage: Damage) -> None:
    expected = break_schema(database_url, SCHEMA, damage)

    findings = drift(database_url)

    assert {(finding.kind, finding.object) for finding in findings if not finding.note} == expected
    mend(database_url, findings)
    assert drift(database_url) == []


def test_several_damages_at_once_are_mended_in_order(database_url: str) -> None:
    together = {
        "a queue's table is gone",
        "a partition is detached",
        "a column is gone",
        "indexes are gone",
        "functions are gone",
    }
    for damage in DAMAGES:
        if damage.name in together:
            break_schema(database_url, SCHEMA, damage)
    sql(database_url, 'DROP TYPE "My-Jobs".job_state CASCADE')

    findings = drift(database_url)

    assert len(findings) > 30
    mend(database_url, findings)
    assert drift(database_url) == []


def test_a_version_row_is_only_given_to_a_schema_that_is_whole(database_url: str) -> None:
    sql(database_url, 'DROP TABLE "My-Jobs".version, "My-Jobs".warning')

    first = drift(database_url)
    assert [(finding.kind, bool(finding.mend)) for finding in first] == [
        ("missing table", True),
        ("missing table", True),
        ("missing version", False),
    ]
    mend(database_url, first)

    second = drift(database_url)
    assert [(finding.kind, bool(finding.mend)) for finding in second] == [("missing version", True)]
    mend(database_url, second)
    assert drift(database_url) == []


def test_doubled_version_rows_are_mended(database_url: str) -> None:
    sql(
        database_url,
        'ALTER TABLE "My-Jobs".version DROP CONSTRAINT version_pkey; INSERT INTO "My-Jobs".version VALUES (46)',
    )

    findings = drift(database_url)
    mend(database_url, sorted(findings, key=lambda finding: finding.kind != "different version"))

    assert drift(database_url) == []


def test_what_others_have_added_is_noted_and_left(database_url: str) -> None:
    sql(
        database_url,
        """
        SET search_path = "My-Jobs";
        CREATE INDEX by_data ON job_common USING gin (data);
        CREATE TABLE customers (id int);
        CREATE VIEW failures AS SELECT * FROM job WHERE state = 'failed';
        CREATE FUNCTION audit() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
        CREATE TRIGGER audit AFTER INSERT ON queue FOR EACH ROW EXECUTE FUNCTION audit();
        ALTER TABLE schedule ENABLE ROW LEVEL SECURITY;
        ALTER TABLE job_common ADD CONSTRAINT calm CHECK (priority < 1000);
        ALTER TABLE queue RENAME CONSTRAINT queue_check TO old_check;
        CREATE TABLE __pgboss_test_clock (now timestamptz);
        UPDATE queue SET partition = false WHERE name = 'own.short'
        """,
    )

    findings = drift(database_url)

    assert all(finding.note and not finding.mend for finding in findings)
    assert sorted(finding.kind for finding in findings) == [
        "extra constraint",
        "extra index",
        "extra trigger",
        "renamed constraint",
        "row security",
        "stray partition",
        "test clock",
    ]


def test_a_constraint_not_yet_validated_is_found(database_url: str) -> None:
    sql(
        database_url,
        """
        ALTER TABLE "My-Jobs".subscription DROP CONSTRAINT subscription_name_fkey,
          ADD CONSTRAINT subscription_name_fkey FOREIGN KEY (name) REFERENCES "My-Jobs".queue (name)
          ON DELETE CASCADE NOT VALID
        """,
    )

    [finding] = drift(database_url)

    assert finding.kind == "different constraint"
    assert "NOT VALID" in finding.detail


@pytest.mark.parametrize(
    "settings",
    [
        'SET search_path = "My-Jobs", public',
        "SET quote_all_identifiers = on; SET intervalstyle = iso_8601",
        "SET datestyle = 'German'; SET timezone = 'Asia/Kolkata'",
    ],
)
def test_the_settings_of_the_session_do_not_matter(database_url: str, settings: str) -> None:
    database = sql_value(database_url, "SELECT current_database()")
    for setting in settings.split(";"):
        sql(database_url, f'ALTER DATABASE "{database}" {setting}')

    assert drift(database_url) == []


def test_a_schema_of_another_version_is_not_compared(database_url: str) -> None:
    for version, message in ((45, "npx pg-boss@12.38 migrate"), (47, "newer than version 46")):
        sql(database_url, 'UPDATE "My-Jobs".version SET version = %s', (version,))
        with pytest.raises(SchemaVersionError, match=message):
            drift(database_url)


def test_a_schema_without_pg_boss_is_no_drift(database_url: str) -> None:
    run_operation(database_url, uninstall(SCHEMA))

    with pytest.raises(SchemaMissingError):
        drift(database_url)


def test_tables_of_somebody_else_are_not_compared(database_url: str) -> None:
    sql(database_url, "CREATE TABLE version (major int)")

    with pytest.raises(SchemaError, match="is not pg-boss's"):
        run_operation(database_url, detect_drift(SchemaName("public")))
