"""Our schema in Node's eyes, and Node's in ours."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from pgboss.core.names import SchemaName, partition_table
from pgboss.core.query import Steps, atomic
from pgboss.operations.drift import detect_drift
from pgboss.operations.install import SchemaState, ensure, install
from pgboss.schema.bodies import NODE_BODIES, fingerprint
from pgboss.schema.catalog import Catalog, Function, Table
from pgboss.schema.reading import canonical_spelling, read_catalog
from pgboss.schema.texts import MANAGED_FUNCTIONS
from support.damage import DAMAGES, break_schema, create_queues
from support.eventually import eventually
from support.node import NodeBoss, NodeBossFactory
from support.operations import run_operation
from support.postgres import sql, sql_value

pytestmark = pytest.mark.node

POLICIES = ["standard", "short", "singleton", "stately", "exclusive", "key_strict_fifo"]
# The damages are gone through in so many tests, each short enough for a slow machine.
SHARES = 6
NAMES = ["pgboss", "MyJobs", '"My-Jobs"']

# pg-boss's drift check reads the bodies of string functions alone, and PostgreSQL 13 knows no others.
EXPRESSION_BODIES_SINCE = 140000


@atomic
def _catalog(schema: SchemaName) -> Steps[Catalog]:
    yield canonical_spelling()
    return (yield from read_catalog(schema))


def catalog(url: str, schema: SchemaName) -> Catalog:
    return run_operation(url, _catalog(schema))


def knows_expressions(url: str) -> bool:
    version: int = sql_value(url, "SELECT current_setting('server_version_num')::int")
    return version >= EXPRESSION_BODIES_SINCE


async def assert_node_sees_no_drift(boss: NodeBoss, url: str) -> None:
    report = await boss.call("detectSchemaDrift")
    if knows_expressions(url):
        assert report["ok"] is True, report
    else:
        assert {found["name"] for found in report["mismatchedFunctions"]} <= set(MANAGED_FUNCTIONS)
        assert all(not value for key, value in report.items() if key not in {"ok", "mismatchedFunctions"}), report
    assert report["extraIndexes"] == []


def renamed(value: Any, old: str, new: str) -> Any:
    """A catalog's parts with one schema's name put for the other's."""
    if isinstance(value, str):
        return value.replace(f"{old}.", f"{new}.")
    if isinstance(value, Mapping):
        return {key: renamed(item, old, new) for key, item in value.items()}
    if isinstance(value, tuple):
        return tuple(renamed(item, old, new) for item in value)
    if hasattr(value, "__dataclass_fields__"):
        return replace(value, **{name: renamed(getattr(value, name), old, new) for name in value.__dataclass_fields__})
    return value


def without_bodies(functions: Mapping[str, tuple[Function, ...]]) -> dict[str, list[Function]]:
    return {
        name: [replace(function, body="") for function in overloads]
        for name, overloads in functions.items()
        if not name.startswith("py_")
    }


def column_order(tables: Mapping[str, Table]) -> dict[str, list[str]]:
    return {name: list(table.columns) for name, table in tables.items()}


async def test_both_install_the_same_catalog(node_boss: NodeBossFactory, database_url: str) -> None:
    ours, theirs = SchemaName("ours"), SchemaName("theirs")
    boss = await node_boss("theirs")
    run_operation(database_url, install(ours))
    for policy in POLICIES:
        await boss.call("createQueue", policy, {"policy": policy, "partition": True})
        options = json.dumps({"policy": policy, "partition": True})
        sql(database_url, "SELECT ours.create_queue(%s, %s)", (policy, options))

    made, expected = catalog(database_url, ours), renamed(catalog(database_url, theirs), "theirs", "ours")

    assert made.states == expected.states
    assert made.tables == expected.tables
    assert column_order(made.tables) == column_order(expected.tables)
    assert without_bodies(made.functions) == without_bodies(expected.functions)


async def test_both_name_their_not_null_constraints_the_same(node_boss: NodeBossFactory, database_url: str) -> None:
    """PostgreSQL 18 gives them names; before, there are none to compare."""
    await node_boss("theirs")
    run_operation(database_url, install(SchemaName("ours")))

    names = """
        SELECT conrelid::regclass::text AS "table", conname AS name
          FROM pg_constraint WHERE connamespace = %s::regnamespace AND contype = 'n' ORDER BY 1, 2
    """
    ours, theirs = (sql(database_url, names, (schema,)) for schema in ("ours", "theirs"))

    assert [{**row, "table": row["table"].removeprefix("ours.")} for row in ours] == [
        {**row, "table": row["table"].removeprefix("theirs.")} for row in theirs
    ]


async def test_pg_bosss_own_bodies_are_the_ones_we_know(node_boss: NodeBossFactory, database_url: str) -> None:
    for name in NAMES:
        await node_boss(name, name=name)
        functions = catalog(database_url, SchemaName(name)).functions
        assert {found: fingerprint(live[0].body) for found, live in functions.items()} == NODE_BODIES


@pytest.mark.parametrize("name", NAMES)
async def test_node_sees_no_drift_in_our_schema(node_boss: NodeBossFactory, database_url: str, name: str) -> None:
    run_operation(database_url, install(SchemaName(name)))
    boss = await node_boss(name)
    await assert_node_sees_no_drift(boss, database_url)

    for policy in POLICIES:
        await boss.call("createQueue", policy, {"policy": policy, "partition": True})
        await boss.call("createQueue", f"{policy}.shared", {"policy": policy, "deadLetter": policy})
    await assert_node_sees_no_drift(boss, database_url)
    assert run_operation(database_url, detect_drift(SchemaName(name))) == []

    for policy in POLICIES:
        await boss.call("deleteQueue", f"{policy}.shared")
        await boss.call("deleteQueue", policy)
    await assert_node_sees_no_drift(boss, database_url)
    assert await boss.call("getQueues") == []
    assert not {partition_table(policy) for policy in POLICIES}.intersection(
        catalog(database_url, SchemaName(name)).tables
    )


@pytest.mark.parametrize("name", NAMES)
async def test_we_see_no_drift_in_nodes_schema(node_boss: NodeBossFactory, database_url: str, name: str) -> None:
    boss = await node_boss(name)
    for policy in POLICIES:
        await boss.call("createQueue", policy, {"policy": policy, "partition": True})

    assert run_operation(database_url, detect_drift(SchemaName(name))) == []
    assert run_operation(database_url, ensure(SchemaName(name), migrate=False)) == SchemaState(46, False, True)


async def test_jobs_flow_through_queues_that_our_functions_made(node_boss: NodeBossFactory, database_url: str) -> None:
    run_operation(database_url, install(SchemaName()))
    boss = await node_boss()
    await boss.call("createQueue", "dead")
    await boss.call("createQueue", "mail", {"partition": True, "retryLimit": 0, "deadLetter": "dead"})

    for end in ("complete", "fail"):
        await boss.call("send", "mail", {"end": end})
        [job] = await boss.call("fetch", "mail")
        await boss.call(end, "mail", job["id"])

    leaf = partition_table("mail")
    rows = sql(database_url, f"SELECT state::text FROM pgboss.{leaf} ORDER BY created_on")
    assert [row["state"] for row in rows] == ["completed", "failed"]
    assert [job["data"] for job in await boss.call("fetch", "dead")] == [{"end": "fail"}]


async def test_node_migrates_our_schema_down_and_up_again(node_boss: NodeBossFactory, database_url: str) -> None:
    run_operation(database_url, install(SchemaName()))
    boss = await node_boss()
    await boss.call("createQueue", "mail", {"policy": "short", "partition": True})
    for version in range(46, 25, -1):
        await boss.sql(await boss.process.request("module", method="getRollbackPlans", args=["pgboss", version]))
    assert sql_value(database_url, "SELECT version FROM pgboss.version") == 25

    again = await node_boss(name="again")
    # The indexes come later, one by one, while the instance is already at work.
    unfinished = "SELECT count(*) FROM pgboss.bam WHERE status <> 'completed'"
    await eventually(lambda: sql_value(database_url, unfinished) == 0, within=20)

    assert run_operation(database_url, ensure(SchemaName())).current
    assert run_operation(database_url, detect_drift(SchemaName())) == []
    await assert_node_sees_no_drift(again, database_url)


async def test_node_uninstalls_ours_and_both_can_install_again(node_boss: NodeBossFactory, database_url: str) -> None:
    run_operation(database_url, install(SchemaName()))
    boss = await node_boss()
    await boss.call("createQueue", "mail", {"partition": True})
    removal = await boss.process.request("module", method="getUninstallPlans", args=["pgboss"])

    await boss.sql(removal)
    assert catalog(database_url, SchemaName()).tables == {}
    assert run_operation(database_url, install(SchemaName())).installed
    await assert_node_sees_no_drift(boss, database_url)

    await boss.sql(removal)
    again = await node_boss(name="again")
    assert (await again.call("detectSchemaDrift"))["ok"] is True
    assert run_operation(database_url, detect_drift(SchemaName())) == []


async def test_a_schema_without_partitions_is_used_and_only_noted(
    node_boss: NodeBossFactory, database_url: str
) -> None:
    boss = await node_boss(backend="cockroachdb")
    await boss.call("createQueue", "mail")

    assert run_operation(database_url, ensure(SchemaName())) == SchemaState(46, False, partitioned=False)
    [finding] = run_operation(database_url, detect_drift(SchemaName()))
    assert (finding.kind, finding.note, finding.mend) == ("plain job table", True, ())


async def test_commands_are_rewritten_as_node_does(node_boss: NodeBossFactory, database_url: str) -> None:
    await node_boss("theirs")
    run_operation(database_url, install(SchemaName("ours")))
    commands = [
        "CREATE UNIQUE INDEX CONCURRENTLY job_i4 ON theirs.job (name) WHERE state < 'active'",
        "ALTER TABLE theirs.job ADD CONSTRAINT job_key_strict_fifo_singleton_key_check CHECK (true)",
        "DROP INDEX theirs.job_i10; REINDEX INDEX theirs.job_i7x",
        'SELECT theirs.job_common.id, job, "job".job, .jobs, .job_, xjob_i1, job_i, JOB_I1, .JOB FROM a.job,b.job',
        "",
    ]

    for command in commands:
        for leaf in ("job_common", "Mail", 'odd"name'):
            ours, theirs = (
                sql_value(database_url, f"SELECT {schema}.job_table_format(%s, %s)", (command, leaf))
                for schema in ("ours", "theirs")
            )
            assert ours == theirs


@pytest.mark.parametrize("share", range(SHARES))
async def test_what_our_check_finds_and_mends_satisfies_node(
    node_boss: NodeBossFactory, database_url: str, share: int
) -> None:
    for number, damage in enumerate(DAMAGES[share::SHARES]):
        schema = SchemaName(f"broken_{number}")
        run_operation(database_url, install(schema))
        create_queues(database_url, schema)
        break_schema(database_url, schema, damage)
        for finding in run_operation(database_url, detect_drift(schema)):
            for statement in finding.mend:
                sql(database_url, statement)

        boss = await node_boss(schema.configured, name=damage.name)
        await assert_node_sees_no_drift(boss, database_url)
        await boss.stop()


async def test_a_test_clock_that_node_left_is_named_and_removed(node_boss: NodeBossFactory, database_url: str) -> None:
    run_operation(database_url, install(SchemaName()))
    boss = await node_boss()
    await boss.sql("CREATE TABLE pgboss.__pgboss_test_clock (now timestamptz)")
    await boss.sql(
        """
        CREATE OR REPLACE FUNCTION pgboss.job_now() RETURNS timestamp with time zone AS $$
          SELECT COALESCE(CASE WHEN current_setting('pgboss.test_clock', true) = 'on'
            THEN (SELECT c.now FROM pgboss.__pgboss_test_clock c) END, pg_catalog.now());
        $$ LANGUAGE sql STABLE
        """
    )

    [finding] = run_operation(database_url, detect_drift(SchemaName()))
    for statement in finding.mend:
        sql(database_url, statement)

    assert finding.kind == "test clock"
    await assert_node_sees_no_drift(boss, database_url)
    assert "__pgboss_test_clock" not in catalog(database_url, SchemaName()).tables
