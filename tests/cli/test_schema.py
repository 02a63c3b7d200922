"""``pgboss migrate``, ``doctor``, ``plans`` and ``uninstall``."""

from __future__ import annotations

import psycopg
import pytest

from pgboss import SyncPgBoss
from pgboss.schema.version import SCHEMA_VERSION
from support.command_line import CommandLine
from support.postgres import sql, sql_value

NOWHERE = "postgresql://nobody@127.0.0.1:1/nothing"


def has_schema(url: str, name: str = "pgboss") -> bool:
    return bool(sql(url, "SELECT FROM pg_namespace WHERE nspname = %s", (name,)))


def test_migrate_installs_once(bare: CommandLine) -> None:
    assert bare.ok("migrate") == f"Installed pg-boss, version {SCHEMA_VERSION}, in the schema pgboss.\n"
    assert bare.ok("migrate") == f"The schema pgboss is at version {SCHEMA_VERSION} already.\n"
    with SyncPgBoss(bare.database_url, migrate=False) as boss:
        assert boss.get_queues() == []


def test_migrate_into_a_schema_of_another_name(bare: CommandLine) -> None:
    bare.ok("--schema", '"My-Jobs"', "migrate")

    assert bare.ok("doctor", "--schema", '"My-Jobs"') == 'The schema "My-Jobs" is as it should be.\n'
    assert not has_schema(bare.database_url)
    assert bare("queues", "list", env={"PGBOSS_SCHEMA": '"My-Jobs"'}).code == 0


def test_migrate_without_making_the_schema(bare: CommandLine) -> None:
    refused = bare("migrate", "--no-create-schema")

    assert (refused.code, refused.out) == (4, "")
    assert 'CREATE SCHEMA "pgboss"' in refused.err
    assert not has_schema(bare.database_url)


def test_migrate_beside_a_schema_that_differs_by_case(bare: CommandLine) -> None:
    bare.ok("migrate", "--schema", '"Jobs"')

    assert bare("migrate", "--schema", "jobs").code == 4
    assert bare("migrate", "--schema", "jobs", "--allow-case-variant").code == 0


def test_doctor_cannot_check_an_older_schema_and_says_how_to_upgrade(pgboss: CommandLine) -> None:
    sql(pgboss.database_url, "UPDATE pgboss.version SET version = 40")

    refused = pgboss("doctor")

    assert (refused.code, refused.out) == (4, "")
    assert "is at version 40" in refused.err
    assert "pgboss migrate --schema 'pgboss'" in refused.err


@pytest.fixture
def older(pgboss: CommandLine) -> CommandLine:
    """A schema as version 45 was, with one queue of its own table."""
    pgboss.ok("queues", "create", "own", "--partition")
    table = sql_value(pgboss.database_url, "SELECT table_name FROM pgboss.queue")
    indexes = ", ".join(f"pgboss.{leaf}_i{number}" for leaf in ("job_common", table) for number in (14, 15, 16, 17))
    sql(
        pgboss.database_url,
        f"""
        DROP INDEX {indexes};
        ALTER TABLE pgboss.queue DROP COLUMN retained_count, DROP COLUMN retained_on;
        UPDATE pgboss.version SET version = 45
        """,
    )
    return pgboss


def test_migrate_upgrades_an_older_schema_and_builds_its_indexes(older: CommandLine) -> None:
    outcome = older.ok("migrate")

    assert outcome.startswith(
        "Upgraded the schema pgboss from version 45 to 46.\nCompleted live_index_build on job_common.\n"
    )
    assert outcome.count("Completed ") == 8
    assert older.ok("doctor") == "The schema pgboss is as it should be.\n"
    assert older.ok("migrate") == f"The schema pgboss is at version {SCHEMA_VERSION} already.\n"


def test_migrate_says_what_is_left_to_others(older: CommandLine) -> None:
    # Somebody is running a command already, so no other is begun.
    sql(
        older.database_url,
        "INSERT INTO pgboss.bam (name, version, status, table_name, command, started_on)"
        " VALUES ('theirs', 45, 'in_progress', 'job_common', 'SELECT 1', now())",
    )

    outcome = older("migrate")

    assert (outcome.code, outcome.out) == (0, "Upgraded the schema pgboss from version 45 to 46.\n")
    assert outcome.err.startswith("9 commands that were put off are left to whoever")


def test_a_dry_run_prints_what_would_be_run_and_changes_nothing(older: CommandLine) -> None:
    plan = older.ok("migrate", "--dry-run")

    assert plan == older.ok("plans", "migrate", "--from", "45")
    assert sql_value(older.database_url, "SELECT version FROM pgboss.version") == 45
    sql(older.database_url, plan)
    assert sql_value(older.database_url, "SELECT version FROM pgboss.version") == 46
    again = older("migrate", "--dry-run")
    assert (again.code, again.out, again.err) == (0, "", "There is nothing to do in the schema pgboss.\n")


def test_a_dry_run_where_nothing_is_installed(bare: CommandLine) -> None:
    assert bare.ok("migrate", "--dry-run") == bare.ok("plans", "create")
    assert not has_schema(bare.database_url)


def test_a_migration_that_finds_the_tables_in_use_changes_nothing(
    older: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pgboss.sql.locks.WAIT_MILLISECONDS", 200)
    with psycopg.connect(older.database_url) as holder:
        holder.execute("LOCK TABLE pgboss.queue IN ACCESS SHARE MODE")
        refused = older("migrate")

    assert (refused.code, refused.out) == (4, "")
    assert "Nothing has changed; try again" in refused.err
    assert sql_value(older.database_url, "SELECT version FROM pgboss.version") == 45


@pytest.mark.parametrize("version", [24, 46])
def test_there_is_a_plan_for_versions_that_can_be_upgraded_only(bare: CommandLine, version: int) -> None:
    assert bare("plans", "migrate", "--from", str(version)).code == 2


def test_migrate_leaves_a_newer_schema(pgboss: CommandLine) -> None:
    sql(pgboss.database_url, "UPDATE pgboss.version SET version = 47")

    outcome = pgboss("migrate")

    assert (outcome.code, outcome.out) == (0, "")
    assert "at version 47, newer than version 46" in outcome.err


def test_doctor_finds_nothing_wrong_with_a_fresh_schema(pgboss: CommandLine) -> None:
    assert pgboss.ok("doctor") == "The schema pgboss is as it should be.\n"
    assert pgboss("doctor", "--json").json == {"ok": True, "schema": "pgboss", "findings": []}


def test_what_doctor_prints_mends_the_schema(pgboss: CommandLine) -> None:
    url = pgboss.database_url
    sql(url, "ALTER TABLE pgboss.queue DROP COLUMN heartbeat_seconds; DROP FUNCTION pgboss.job_table_format;")
    sql(url, "ALTER TABLE pgboss.warning ADD COLUMN mine int")

    sick = pgboss("doctor")

    assert (sick.code, sick.err) == (1, "")
    report, ddl = sick.out.split("To mend it, run each statement on its own, in this order, and look again:\n")
    assert "is not as it should be: 3 differences" in report
    assert "missing column: queue.heartbeat_seconds" in report
    assert "-- This deletes what warning.mine holds:\n" in ddl
    sql(url, ddl)
    assert pgboss("doctor").code == 0


def test_doctor_in_json(pgboss: CommandLine) -> None:
    sql(pgboss.database_url, "ALTER TABLE pgboss.queue DROP COLUMN heartbeat_seconds")

    sick = pgboss("doctor", "--json")

    assert (sick.code, sick.err) == (1, "")
    assert sick.json["ok"] is False
    [finding] = sick.json["findings"]
    assert finding.keys() == {"kind", "object", "detail", "mend", "note", "loses_data"}
    assert (finding["kind"], finding["object"]) == ("missing column", "queue.heartbeat_seconds")
    for statement in finding["mend"]:
        sql(pgboss.database_url, statement)
    assert pgboss("doctor", "--json").json["ok"] is True


def test_a_note_is_no_drift(pgboss: CommandLine) -> None:
    sql(pgboss.database_url, "CREATE INDEX mine ON pgboss.warning (type)")

    outcome = pgboss("doctor")

    assert outcome.code == 0
    assert "is as it should be" in outcome.out
    assert "\nNote: mine: " in outcome.out


def test_plans_connect_to_nothing(bare: CommandLine) -> None:
    for plan in ("create", "uninstall"):
        outcome = bare("plans", plan, env={"DATABASE_URL": NOWHERE})
        assert (outcome.code, outcome.err) == (0, "")
        assert bare("plans", plan, env={"DATABASE_URL": None}).out == outcome.out


def test_the_plans_do_what_they_say(bare: CommandLine) -> None:
    url = bare.database_url

    sql(url, bare.ok("plans", "create", "--schema", "jobs"))
    assert bare("doctor", "--schema", "jobs").code == 0
    sql(url, bare.ok("plans", "uninstall", "--schema", "jobs"))
    assert bare("doctor", "--schema", "jobs").code == 4


def test_the_plan_may_leave_the_schema_to_an_administrator(bare: CommandLine) -> None:
    plan = bare.ok("plans", "create", "--no-create-schema")

    with pytest.raises(psycopg.errors.InvalidSchemaName):
        sql(bare.database_url, plan)
    sql(bare.database_url, "CREATE SCHEMA pgboss")
    sql(bare.database_url, plan)
    assert bare("doctor").code == 0


def test_uninstall_wants_a_yes(pgboss: CommandLine) -> None:
    refused = pgboss("uninstall", input="y\n")

    assert (refused.code, refused.out) == (2, "")
    assert "--yes" in refused.err
    assert pgboss("doctor").code == 0


def test_uninstall_leaves_what_is_not_of_pg_boss(pgboss: CommandLine) -> None:
    sql(pgboss.database_url, "CREATE TABLE pgboss.mine (id int)")

    outcome = pgboss("uninstall", "--yes")

    assert (outcome.code, outcome.out) == (0, "Removed pg-boss from the schema pgboss.\n")
    assert "mine" in outcome.err
    assert sql_value(pgboss.database_url, "SELECT to_regclass('pgboss.job')") is None
    assert sql_value(pgboss.database_url, "SELECT to_regclass('pgboss.mine')") is not None
    assert pgboss("uninstall", "--yes").code == 4


def test_uninstall_takes_along_what_depends_on_it_by_force_only(pgboss: CommandLine) -> None:
    sql(pgboss.database_url, "CREATE VIEW waiting AS SELECT * FROM pgboss.job")

    refused = pgboss("uninstall", "--yes")

    assert (refused.code, refused.out) == (4, "")
    assert pgboss("doctor").code == 0
    assert pgboss.ok("uninstall", "--yes", "--force") == "Removed pg-boss from the schema pgboss.\n"
    assert sql_value(pgboss.database_url, "SELECT to_regclass('waiting')") is None
