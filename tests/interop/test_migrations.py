"""Schemas that older releases of pg-boss have installed, upgraded by us: as good as Node's own upgrade."""

from __future__ import annotations

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest

from pgboss import Job
from pgboss.core.names import SchemaName
from pgboss.operations.bam import run_next
from pgboss.operations.drift import detect_drift
from pgboss.operations.install import ensure
from pgboss.operations.migrate import Migration, migrate
from pgboss.schema.manifest import managed_columns, managed_tables
from pgboss.schema.plans import upgrade_plan
from pgboss.schema.version import OLDEST_UPGRADABLE, SCHEMA_VERSION
from support.boss import BossFactory
from support.eventually import eventually
from support.node import NodeBoss, NodeBossFactory
from support.operations import run_operation
from support.postgres import sql, sql_value
from support.releases import ReleasedBoss, installs, released_boss

__all__ = ["released_boss"]

pytestmark = pytest.mark.node

# The oldest of all, the oldest that we work on, and one of the last; the rest are proofs.
USUAL = {25, 36, 43}
UPGRADABLE = [
    pytest.param(version, marks=[] if version in USUAL else pytest.mark.prove)
    for version in range(OLDEST_UPGRADABLE, SCHEMA_VERSION)
]
POLICIES = {"standard": 25, "short": 25, "singleton": 25, "stately": 25, "exclusive": 26, "key_strict_fifo": 28}
OWN = {"standard", "key_strict_fifo"}
# The oldest functions know no defaults.
QUEUE_OPTIONS = {
    "policy": "standard",
    "retryLimit": 2,
    "retryDelay": 0,
    "retryBackoff": False,
    "expireInSeconds": 900,
    "retentionSeconds": 1209600,
    "deleteAfterSeconds": 604800,
    "warningQueueSize": 0,
}
OURS, THEIRS = "ours", "theirs"
EXPRESSION_BODIES_SINCE = 140000
BACKGROUND_SINCE = 27


def build_indexes(url: str, schema: str) -> int:
    """Run what the upgrade has put off, and return how much that was."""
    count = 0
    while (outcome := run_operation(url, run_next(SchemaName(schema), pending_only=count > 0))) is not None:
        assert outcome.error is None
        count += 1
    return count


async def assert_as_good_as_fresh(node: NodeBoss, url: str, schema: str) -> None:
    """By our check, and by Node's own."""
    assert [finding for finding in run_operation(url, detect_drift(SchemaName(schema))) if not finding.note] == []
    report = await node.call("detectSchemaDrift")
    if sql_value(url, "SELECT current_setting('server_version_num')::int") >= EXPRESSION_BODIES_SINCE:
        assert report["ok"] is True, report
    for kind in ("missingTables", "missing", "building", "invalid", "mismatched", "columnDrift", "constraintDrift"):
        assert not report[kind], report


async def fill(node: NodeBoss, version: int, schema: str) -> None:
    """Queues of every policy, with a table of their own and without, and rows in every state with every option."""
    # By the schema's own function, because between releases no instance speaks its version.
    create = f"SELECT {schema}.create_queue($1, $2)"
    await node.sql(create, "dead", json.dumps(QUEUE_OPTIONS))
    for policy, since in POLICIES.items():
        if since <= version:
            options = QUEUE_OPTIONS | {"policy": policy, "deadLetter": "dead"}
            await node.sql(create, policy, json.dumps(options))
            if policy in OWN:
                await node.sql(create, f"{policy}.own", json.dumps(options | {"partition": True}))
    await node.sql(f"UPDATE {schema}.queue SET monitor_on = '2026-01-02T03:04:05Z', active_count = 7")
    await node.sql(JOBS.format(schema=schema))
    if version >= 27:
        await node.sql(f"UPDATE {schema}.job SET group_id = 'g', group_tier = 't' WHERE priority > 0")
    if version >= 30:
        await node.sql(f"UPDATE {schema}.job SET heartbeat_seconds = 30, heartbeat_on = started_on WHERE priority = 0")
    if version >= 31:
        await node.sql(f"UPDATE {schema}.job SET blocked = true, pending_dependencies = 1 WHERE state = 'created'")
        await node.sql(
            f"""
            INSERT INTO {schema}.job_dependency (child_name, child_id, parent_name, parent_id)
            SELECT name, id, name, id FROM {schema}.job
            """
        )
    if version >= 34:
        await node.sql(f"UPDATE {schema}.job SET source_name = name, source_id = id, source_retry_count = 3")
    await node.sql(
        f"""
        INSERT INTO {schema}.schedule (name, key, cron, timezone, data, options)
        VALUES ('standard', 'a', '* * * * *', NULL, '{{"n": 1}}', '{{"tz": null}}'),
               ('standard', 'b', '0 5 * * 1', 'Europe/Vienna', NULL, NULL);
        INSERT INTO {schema}.subscription (event, name) VALUES ('event', 'standard');
        UPDATE {schema}.version SET cron_on = '2026-01-02T03:04:05Z'
        """
    )


MADE_NOW = {"queue", "schedule", "subscription"}

# Ids and instants are made of what the rows are, so that those of two schemas are the same.
JOBS = """
INSERT INTO {schema}.job (id, name, state, priority, data, output, policy, retry_limit, retry_count, retry_delay,
    retry_backoff, retry_delay_max, expire_seconds, deletion_seconds, singleton_key, singleton_on, start_after,
    created_on, started_on, completed_on, keep_until, dead_letter)
SELECT md5(q.name || s.state)::uuid, q.name, s.state::{schema}.job_state, n.number % 3,
       jsonb_build_object('n', n.number, 'text', 'ünïcode', 'null', NULL),
       CASE WHEN s.state IN ('completed', 'failed', 'retry') THEN '{{"ok": [1, 2.5, null]}}'::jsonb END,
       q.policy, 5, n.number % 2, 3, true, 60, 900 + n.number::int, 604800, 'key-' || s.state,
       CASE WHEN n.number % 2 = 0 THEN timestamp '2026-01-02' + n.number * interval '1 hour' END,
       timestamptz '2026-01-02T00:00:00Z', timestamptz '2026-01-01T00:00:00Z' + n.number * interval '1 second',
       CASE WHEN s.state NOT IN ('created') THEN timestamptz '2026-01-02T00:00:01Z' END,
       CASE WHEN s.state IN ('completed', 'cancelled', 'failed') THEN timestamptz '2026-01-02T00:00:02Z' END,
       timestamptz '2036-01-01T00:00:00Z', q.dead_letter
  FROM {schema}.queue q
 CROSS JOIN unnest(ARRAY['created', 'retry', 'active', 'completed', 'cancelled', 'failed'])
       WITH ORDINALITY s(state, place)
 CROSS JOIN LATERAL (SELECT s.place AS number) n
"""


def rows_of(url: str, schema: str) -> dict[str, list[dict[str, Any]]]:
    """Every row of the managed tables, but for the commands that were put off and the time at which each was made."""
    found = {}
    for table in managed_tables():
        # Who looks for commands and which instances run differ; the jobs of the shared table are among all.
        if table in {"bam", "instance", "job_common"}:
            continue
        columns = ", ".join(sorted(managed_columns(table)))
        rows = sql(url, f"SELECT {columns} FROM {schema}.{table} ORDER BY {columns}")
        passing = {"bam_on"} | ({"created_on", "updated_on"} if table in MADE_NOW else set())
        found[table] = [{key: value for key, value in row.items() if key not in passing} for row in rows]
    return found


@pytest.mark.parametrize("version", UPGRADABLE)
async def test_our_upgrade_leaves_what_nodes_leaves(
    released_boss: ReleasedBoss, node_boss: NodeBossFactory, database_url: str, version: int
) -> None:
    for schema in (OURS, THEIRS):
        async with released_boss(version, schema) as old:
            await installs(old, version, schema)
            await fill(old, version, schema)
        if version >= BACKGROUND_SINCE:
            # The old release has had its turn just now; the new one shall not wait for the next.
            sql(database_url, f"UPDATE {schema}.version SET bam_on = NULL")
    before = {
        "job": sql(database_url, f"SELECT * FROM {OURS}.job ORDER BY name, id"),
        "queue": sql(database_url, f"SELECT * FROM {OURS}.queue ORDER BY name"),
    }
    assert len(before["job"]) > 30

    assert run_operation(database_url, migrate(SchemaName(OURS))).upgraded_from == version
    theirs = await node_boss(THEIRS, name="theirs")
    ours = await node_boss(OURS, name="ours", migrate=False)
    assert build_indexes(database_url, OURS) > 0
    unfinished = f"SELECT count(*) FROM {THEIRS}.bam WHERE status <> 'completed'"
    await eventually(lambda: sql_value(database_url, unfinished) == 0, within=25)

    # What was there is there, and what is new is as Node makes it.
    for table, rows in before.items():
        after = sql(database_url, f"SELECT * FROM {OURS}.{table} ORDER BY name" + (", id" if table == "job" else ""))
        assert [{key: row[key] for key in old} for old, row in zip(rows, after, strict=True)] == rows
    assert rows_of(database_url, OURS) == rows_of(database_url, THEIRS)
    await assert_as_good_as_fresh(ours, database_url, OURS)
    await assert_as_good_as_fresh(theirs, database_url, THEIRS)


@pytest.mark.parametrize("version", [36, pytest.param(26, marks=pytest.mark.prove)])
async def test_all_may_upgrade_at_once(
    released_boss: ReleasedBoss, make_boss: BossFactory, node_boss: NodeBossFactory, database_url: str, version: int
) -> None:
    async with released_boss(version) as old:
        await fill(old, version, "pgboss")
    jobs = sql(database_url, "SELECT id, name, state FROM pgboss.job ORDER BY name, id")
    first, second = await node_boss(name="first", start=False), await node_boss(name="second", start=False)

    with ThreadPoolExecutor(2) as threads:
        upgrades = [threads.submit(run_operation, database_url, migrate(SchemaName())) for _ in range(2)]
        await asyncio.gather(first.call("start"), second.call("start"))
        done: list[Migration] = [upgrade.result() for upgrade in upgrades]

    assert [migration.state.version for migration in done] == [46, 46]
    assert sql(database_url, "SELECT version FROM pgboss.version") == [{"version": 46}]
    unfinished = "SELECT count(*) FROM pgboss.bam WHERE status <> 'completed'"
    build_indexes(database_url, "pgboss")
    await eventually(lambda: sql_value(database_url, unfinished) == 0, within=20)
    await assert_as_good_as_fresh(first, database_url, "pgboss")
    assert sql(database_url, "SELECT id, name, state FROM pgboss.job ORDER BY name, id") == jobs
    assert (await make_boss()).schema.version == 46


async def test_an_upgraded_schema_is_worked_on_by_both(
    released_boss: ReleasedBoss, make_boss: BossFactory, node_boss: NodeBossFactory, database_url: str
) -> None:
    async with released_boss(36) as old:
        await old.call("createQueue", "mail", {"partition": True})
        await old.call("send", "mail", {"n": 1})
    run_operation(database_url, migrate(SchemaName()))

    ours, node = await make_boss(), await node_boss(migrate=False)
    [job] = await ours.fetch("mail")
    await ours.complete("mail", job)
    assert (await ours.upsert("mail", {"n": 2}, singleton_key="k")).inserted == 1
    [taken] = await node.call("fetch", "mail")
    await node.call("createQueue", "more", {"partition": True, "policy": "stately"})

    assert (job.data, taken["data"]) == ({"n": 1}, {"n": 2})
    assert build_indexes(database_url, "pgboss") > 0
    await assert_as_good_as_fresh(node, database_url, "pgboss")


async def test_the_printed_plan_upgrades_too(
    released_boss: ReleasedBoss, node_boss: NodeBossFactory, database_url: str
) -> None:
    async with released_boss(36):
        pass

    with pytest.raises(psycopg.errors.RaiseException, match="not at version 37"):
        sql(database_url, upgrade_plan(SchemaName(), 37))
    assert sql_value(database_url, "SELECT version FROM pgboss.version") == 36
    sql(database_url, upgrade_plan(SchemaName(), 36))

    assert run_operation(database_url, ensure(SchemaName())).current
    build_indexes(database_url, "pgboss")
    await assert_as_good_as_fresh(await node_boss(), database_url, "pgboss")


async def test_workers_go_on_through_an_upgrade(
    released_boss: ReleasedBoss, make_boss: BossFactory, node_boss: NodeBossFactory, database_url: str
) -> None:
    async with released_boss(36):
        pass
    ours = await make_boss(concurrency=5)
    assert ours.schema.version == 36
    await ours.create_queue("mail")
    seen: list[int] = []

    async def handler(job: Job) -> None:
        assert isinstance(job.data, dict)
        seen.append(job.data["n"])

    await ours.work("mail", handler)
    for number in range(20):
        await ours.send("mail", {"n": number})
    upgrade = asyncio.create_task(asyncio.to_thread(run_operation, database_url, migrate(SchemaName())))
    for number in range(20, 60):
        await ours.send("mail", {"n": number})
    await upgrade
    await asyncio.to_thread(build_indexes, database_url, "pgboss")
    for number in range(60, 80):
        await ours.send("mail", {"n": number})

    done = "SELECT count(*) FROM pgboss.job WHERE state = 'completed'"
    await eventually(lambda: sql_value(database_url, done) == 80, within=15)
    assert sorted(seen) == list(range(80))
    await assert_as_good_as_fresh(await node_boss(), database_url, "pgboss")
