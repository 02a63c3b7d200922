"""Commands that migrations have put off: Node and we run them by the same rules, and never one of them twice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest

from pgboss import PgBoss, SyncPgBoss
from pgboss.core.names import Lock, SchemaName
from pgboss.drivers.psycopg import AsyncDatabase
from pgboss.maintenance import BamRunner
from support.eventually import eventually
from support.node import NodeBossFactory
from support.node_process import NodeProcess
from support.postgres import sql, sql_value
from support.put_off import Heard, bam_rows, holding_up_builds, put_off, running
from support.releases import ReleasedBoss, released_boss
from support.upkeep import database

__all__ = ["released_boss"]

pytestmark = pytest.mark.node

NODE_SIDE, OUR_SIDE = SIDES = ("node_side", "our_side")
BUILD = "CREATE INDEX CONCURRENTLY IF NOT EXISTS {name} ON {schema}.{table} (created_on)"


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[AsyncDatabase]:
    async with database(database_url) as opened:
        yield opened


@pytest.fixture
async def heard() -> AsyncIterator[Heard]:
    async with Heard() as listening:
        yield listening


def build(schema: str, name: str = "built", table: str = "job_common") -> str:
    return BUILD.format(name=name, schema=schema, table=table)


def give_the_turn(url: str, schema: str = "pgboss") -> None:
    sql(url, f"UPDATE {schema}.version SET bam_on = NULL")


def forsake(url: str, schema: str = "pgboss") -> None:
    """Let the time of grace be over for what is in progress."""
    sql(url, f"UPDATE {schema}.bam SET started_on = now() - interval '6 minutes' WHERE status = 'in_progress'")


def statuses(url: str, schema: str = "pgboss") -> list[str]:
    return [row["status"] for row in bam_rows(url, schema)]


async def our_turn(pool: AsyncDatabase, heard: Heard, schema: str = "pgboss") -> None:
    await BamRunner(pool, SchemaName(schema), heard.events, interval_seconds=0).run_once()


async def node_turn(node_boss: NodeBossFactory, url: str, schema: str = "pgboss", *, name: str = "turn") -> Any:
    """An instance that looks at once, as every one does that starts."""
    give_the_turn(url, schema)
    return await node_boss(schema, name=name, expected_errors=True, bamIntervalSeconds=10)


async def idle(node: Any) -> None:
    async def is_idle() -> bool:
        return not await node.call("isBamWorking")

    await eventually(is_idle, within=15)


def history(url: str, schema: str) -> None:
    """A list with every kind of past."""
    noon = datetime(2026, 1, 31, 12, tzinfo=UTC)

    def row(number: int, command: str, **columns: Any) -> None:
        put_off(
            url,
            command,
            schema=schema,
            id=UUID(int=number),
            name=f"row {number}",
            created_on=noon + timedelta(minutes=number),
            **columns,
        )

    sql(url, f"CREATE TABLE {schema}.twice AS SELECT 1 AS n UNION ALL SELECT 1")
    with pytest.raises(psycopg.errors.UniqueViolation):
        sql(url, f"CREATE UNIQUE INDEX CONCURRENTLY half ON {schema}.twice (n)")
    sql(url, f"CREATE INDEX whole ON {schema}.warning (created_on)")
    row(1, build(schema, "first"), status="failed", error="error: no", completed_on=noon, table="schedule")
    row(2, build(schema, "late", "job_common"))
    row(3, "SELECT 1 / 0", table="queue")
    row(4, "SELECT 1", table="queue")
    row(5, "SELECT 1", table="queue", version=45)
    row(6, build(schema, "whole", "warning").replace("IF NOT EXISTS ", ""), status="failed", table="warning")
    row(7, f"CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS half ON {schema}.twice (n)", table="twice")
    row(8, f"DROP INDEX CONCURRENTLY IF EXISTS {schema}.late")
    row(9, f"ALTER TABLE {schema}.twice ADD m int; ALTER TABLE {schema}.twice DROP m", table="twice", version=44)
    row(10, build(schema, "sub", "subscription"), status="completed", completed_on=noon, table="subscription")


def compared(url: str, schema: str) -> list[dict[str, Any]]:
    """The rows without what must differ: their schema's name, and when it happened."""
    return [
        {
            **row,
            "command": row["command"].replace(schema, "x"),
            "started_on": row["started_on"] is not None,
            "completed_on": row["completed_on"] is not None,
            # The words about an index that is invalid are each one's own.
            "error": row["error"] and row["error"].split(" ")[0] + ("" if "index" in row["error"] else row["error"]),
        }
        for row in bam_rows(url, schema)
    ]


def indexes(url: str, schema: str) -> list[tuple[str, bool]]:
    rows = sql(
        url,
        "SELECT relname, indisvalid FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid "
        "WHERE relnamespace = %s::regnamespace ORDER BY relname",
        [schema],
    )
    return [(row["relname"], row["indisvalid"]) for row in rows]


async def test_the_same_list_becomes_the_same(
    node_boss: NodeBossFactory, database_url: str, pool: AsyncDatabase, heard: Heard
) -> None:
    for schema in SIDES:
        await idle(await node_boss(schema, name=schema))
        history(database_url, schema)

    # Failed ones come one in a turn, after all that are pending.
    for turn in range(4):
        await idle(await node_turn(node_boss, database_url, NODE_SIDE, name=f"turn {turn}"))
        await our_turn(pool, heard, OUR_SIDE)
        assert compared(database_url, OUR_SIDE) == compared(database_url, NODE_SIDE), f"turn {turn}"
        assert indexes(database_url, OUR_SIDE) == indexes(database_url, NODE_SIDE), f"turn {turn}"

    # What was broken is mended.
    for schema in SIDES:
        sql(database_url, f"DELETE FROM {schema}.twice")
        sql(database_url, f"UPDATE {schema}.bam SET command = 'SELECT 2' WHERE command = 'SELECT 1 / 0'")
    for turn in range(4, 8):
        await idle(await node_turn(node_boss, database_url, NODE_SIDE, name=f"turn {turn}"))
        await our_turn(pool, heard, OUR_SIDE)
    assert compared(database_url, OUR_SIDE) == compared(database_url, NODE_SIDE)
    assert indexes(database_url, OUR_SIDE) == indexes(database_url, NODE_SIDE)
    assert {*statuses(database_url, OUR_SIDE)} == {"completed"}


async def test_the_lists_and_the_events_agree(
    node_boss: NodeBossFactory, database_url: str, pool: AsyncDatabase, heard: Heard
) -> None:
    node = await node_boss(name="reader")
    await idle(node)
    ids = [put_off(database_url, build("pgboss"), queue="mail"), put_off(database_url, "SELECT 1 / 0", table="queue")]
    runner = await node_turn(node_boss, database_url, name="runner")
    await idle(runner)
    theirs = [event["what"] for event in runner.process.events(lambda event: event["event"] == "bam")]
    sql(database_url, "DROP INDEX pgboss.built; UPDATE pgboss.bam SET status = 'pending', error = NULL")
    await our_turn(pool, heard)
    await heard.statuses()

    assert [
        {"id": str(event.id), "name": event.name, "status": event.status, "queue": event.queue, "table": event.table}
        | ({"error": event.error} if event.error else {})
        for event in heard.bam
    ] == theirs
    with SyncPgBoss(database_url) as boss:
        entries, counts, behind = boss.get_bam_entries(), boss.get_bam_status(), boss.get_bam_entries(after=ids[0])
    for entry, row in zip(entries, await node.call("getBamEntries"), strict=True):
        for field in ("name", "version", "status", "queue", "table", "command", "error"):
            assert getattr(entry, field) == row.get(field)
        assert str(entry.id) == row["id"]
        assert abs(entry.created_on - row["createdOn"]) < timedelta(milliseconds=2)
    assert [str(entry.id) for entry in behind] == [
        row["id"] for row in await node.call("getBamEntries", {"after": str(ids[0])})
    ]
    assert [(count.status, count.count) for count in counts] == [
        (row["status"], row["count"]) for row in await node.call("getBamStatus")
    ]


async def test_a_build_that_node_has_left_is_finished_by_us(
    database_url: str, node_boss: NodeBossFactory, pool: AsyncDatabase, heard: Heard
) -> None:
    await idle(await node_boss(name="installing"))
    put_off(database_url, build("pgboss"))
    async with holding_up_builds(database_url):
        node = await node_turn(node_boss, database_url)
        await eventually(lambda: running(database_url, "built ON"), within=15)
        await node.stop(graceful=False)
        forsake(database_url)
        await our_turn(pool, heard)
        assert statuses(database_url) == ["in_progress"], "the server is still building for Node"
    await eventually(lambda: running(database_url, "built ON") == 0)
    await our_turn(pool, heard)
    assert statuses(database_url) == ["completed"]
    assert ("built", True) in indexes(database_url, "pgboss")


async def test_a_build_that_we_have_left_is_finished_by_node(
    database_url: str, node_boss: NodeBossFactory, pool: AsyncDatabase, heard: Heard
) -> None:
    await idle(await node_boss(name="installing"))
    put_off(database_url, build("pgboss"))
    async with holding_up_builds(database_url):
        turn = asyncio.create_task(our_turn(pool, heard))
        await eventually(lambda: running(database_url, "built ON"))
        turn.cancel()
        await asyncio.wait([turn])
        forsake(database_url)
        await idle(await node_turn(node_boss, database_url, name="too early"))
        assert statuses(database_url) == ["in_progress"], "the server is still building for us"
    await eventually(lambda: running(database_url, "built ON") == 0)
    await idle(await node_turn(node_boss, database_url, name="late enough"))
    assert statuses(database_url) == ["completed"]
    assert ("built", True) in indexes(database_url, "pgboss")


AUDIT = """
CREATE TABLE audit (id uuid, status text, by text, at timestamptz DEFAULT clock_timestamp());
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO audit VALUES (NEW.id, NEW.status, current_setting('application_name'));
  RETURN NEW;
END $$;
CREATE TRIGGER noting AFTER UPDATE ON pgboss.bam FOR EACH ROW EXECUTE FUNCTION note();
CREATE FUNCTION everybodys() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.bam_on := NULL; RETURN NEW; END $$;
CREATE TRIGGER everybodys BEFORE UPDATE ON pgboss.version FOR EACH ROW EXECUTE FUNCTION everybodys();
"""


async def test_both_sides_never_run_one_twice_nor_two_at_once(
    database_url: str, node_boss: NodeBossFactory, pool: AsyncDatabase, heard: Heard
) -> None:
    await idle(await node_boss(name="installing"))
    # Everybody has every turn, so that all of them compete for the rows.
    sql(database_url, AUDIT)

    def put_off_six(first: int) -> None:
        for number in range(first, first + 6):
            table = ("job_common", "job_dependency")[number % 2]
            put_off(database_url, build("pgboss", f"built_{number}"), table=table)

    async def until_all_is_done() -> None:
        while {*statuses(database_url)} != {"completed"}:
            await asyncio.gather(*(our_turn(pool, heard) for _ in range(2)))

    bosses = [PgBoss(f"{database_url}&application_name=python", supervise=False) for _ in range(2)]
    try:
        # Node is first, and we come while it is at work.
        put_off_six(0)
        async with holding_up_builds(database_url):
            first = await node_boss(name="first", application_name="node", bamIntervalSeconds=10)
            await eventually(lambda: running(database_url, "built_0 ON"), within=15)
            also = await node_boss(name="also", application_name="node", bamIntervalSeconds=10)
            for boss in bosses:
                await boss.start()
        await until_all_is_done()
        for node in (first, also):
            await idle(node)
            await node.stop()
        # And the other way round.
        put_off_six(6)
        async with holding_up_builds(database_url):
            ours = asyncio.create_task(our_turn(pool, heard))
            await eventually(lambda: running(database_url, "built_6 ON"), within=15)
            second = await node_boss(name="second", application_name="node", bamIntervalSeconds=10)
            last = await node_boss(name="last", application_name="node", bamIntervalSeconds=10)
        await ours
        await until_all_is_done()
        await idle(second)
        await idle(last)
    finally:
        for boss in bosses:
            await boss.stop(timeout=0)

    claims = sql(database_url, "SELECT id, count(*) AS count FROM audit WHERE status = 'in_progress' GROUP BY id")
    assert [row["count"] for row in claims] == [1] * 12
    steps = [row["status"] for row in sql(database_url, "SELECT status FROM audit ORDER BY at")]
    assert steps == ["in_progress", "completed"] * 12
    by = {row["by"] for row in sql(database_url, "SELECT DISTINCT by FROM audit")}
    assert by > {"node"}, "both sides have run some"
    assert not [index for index in indexes(database_url, "pgboss") if not index[1]]


async def test_what_a_migration_puts_off_leaves_no_drift(
    database_url: str, node_boss: NodeBossFactory, pool: AsyncDatabase, heard: Heard
) -> None:
    node = await node_boss()
    await idle(node)
    await node.call("createQueue", "own", {"partition": True})
    definition = sql_value(database_url, "SELECT pg_get_indexdef('pgboss.job_common_i7'::regclass)")
    own = sql_value(database_url, "SELECT table_name FROM pgboss.queue WHERE name = 'own'")
    sql(database_url, f"DROP INDEX pgboss.job_common_i7; DROP INDEX pgboss.{own}_i7")
    command = definition.replace("job_common", "job").replace("CREATE INDEX ", "CREATE INDEX CONCURRENTLY ")
    await node.sql("SELECT pgboss.job_table_run_async('i7', 46, $1)", command)
    before = await node.call("detectSchemaDrift")
    assert len(before["building"]) == 2

    await our_turn(pool, heard)

    assert statuses(database_url) == ["completed", "completed"]
    report = await node.call("detectSchemaDrift")
    assert report["ok"], report
    assert report["building"] == []


async def test_a_node_that_is_killed_leaves_its_command_to_us(
    database_url: str, node_boss: NodeBossFactory, pool: AsyncDatabase, heard: Heard
) -> None:
    from support.node import NodeBoss

    await idle(await node_boss(name="installing"))
    put_off(database_url, "SELECT pg_sleep(600)")
    async with NodeProcess() as process:
        give_the_turn(database_url)
        other = await NodeBoss.create(process, database_url, name="killed", supervise=False, schedule=False)
        await other.call("start")
        await eventually(lambda: running(database_url, "pg_sleep"), within=15)
        sql(
            database_url,
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE pid <> pg_backend_pid() AND query LIKE '%pg_sleep%'",
        )
        await eventually(lambda: statuses(database_url) == ["failed"], within=15)
    sql(database_url, "UPDATE pgboss.bam SET command = 'SELECT 1'")
    await our_turn(pool, heard)
    assert statuses(database_url) == ["completed"]


@pytest.mark.parametrize("version", [33, 43])
async def test_what_nodes_own_migration_puts_off_is_finished_by_us(
    released_boss: ReleasedBoss,
    node_boss: NodeBossFactory,
    database_url: str,
    pool: AsyncDatabase,
    heard: Heard,
    version: int,
) -> None:
    async with released_boss(version, migrate=True) as older:
        await older.call("createQueue", "own", {"partition": True})
    key = SchemaName().lock_key(sql_value(database_url, "SELECT current_database()"), Lock.BAM_CLAIM)
    async with await psycopg.AsyncConnection.connect(database_url) as claiming:
        # As if somebody was claiming: so Node migrates, and gets no further before it is stopped.
        await claiming.execute("SELECT pg_advisory_xact_lock(%s)", [key])
        node = await node_boss(name="migrating", bamIntervalSeconds=10)
        stopping = asyncio.create_task(node.stop(graceful=False))
    await stopping
    assert {*statuses(database_url)} == {"pending"}

    await our_turn(pool, heard)

    assert {*statuses(database_url)} == {"completed"}
    report = await (await node_boss(name="looking")).call("detectSchemaDrift")
    assert report["ok"], report
    assert (report["building"], report["invalid"], report["missing"]) == ([], [], [])
