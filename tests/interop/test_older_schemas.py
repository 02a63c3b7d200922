"""Schemas that older releases of pg-boss have installed, used as they are."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Set
from typing import Any

import pytest

from pgboss import FlowJob, Job, PgBoss, QueueOptions, SchemaVersionError, Snooze
from pgboss.core.names import SchemaName
from pgboss.core.query import Steps, atomic
from pgboss.core.queue import QueueCatalog
from pgboss.insights.failures import failed_jobs, failures
from pgboss.maintenance import ExpirySweep, RetentionPass
from pgboss.operations.install import ensure
from pgboss.schema.catalog import Catalog
from pgboss.schema.history import HISTORY, lacking, release_of
from pgboss.schema.manifest import managed_tables
from pgboss.schema.reading import canonical_spelling, read_catalog
from pgboss.schema.version import OLDEST_UPGRADABLE, OLDEST_USABLE, SCHEMA_VERSION
from support.boss import BossFactory
from support.eventually import eventually
from support.operations import run_operation
from support.postgres import sql, sql_value
from support.releases import SKIPPED_BY_NPM, ReleasedBoss, installs, released_boss
from support.twins import NODE_SCHEMA, OUR_SCHEMA, Twins

__all__ = ["released_boss"]

pytestmark = pytest.mark.node

# The oldest, the last without job_now(), and the one before jobs carried a trace; the rest are proofs.
USUAL = {36, 41, 43}
USABLE = [
    pytest.param(version, marks=[] if version in USUAL else pytest.mark.prove)
    for version in range(OLDEST_USABLE, SCHEMA_VERSION)
]
FROM_NPM = [
    pytest.param(version, marks=[] if version in USUAL else pytest.mark.prove)
    for version in range(OLDEST_USABLE, SCHEMA_VERSION)
    if version not in SKIPPED_BY_NPM
]


@atomic
def _catalog(schema: SchemaName) -> Steps[Catalog]:
    yield canonical_spelling()
    return (yield from read_catalog(schema))


def parts(catalog: Catalog) -> set[str]:
    """What a catalog holds of pg-boss, as the history of versions names it."""
    fixed = {name: table for name, table in catalog.tables.items() if name in managed_tables()}
    columns = {f"{name}.{column}" for name, table in fixed.items() for column in table.columns}
    return {*fixed, *columns, *(f"{name}()" for name in catalog.functions)}


def beyond_tables(missing: Set[str]) -> set[str]:
    """What is missing, without the columns of tables that are missing altogether."""
    return {part for part in missing if "." not in part or part.split(".")[0] not in missing}


@pytest.mark.parametrize(
    "version",
    [
        pytest.param(version, marks=[] if version in USUAL else pytest.mark.prove)
        for version in range(OLDEST_UPGRADABLE, SCHEMA_VERSION)
    ],
)
async def test_the_history_says_what_each_version_lacks(
    released_boss: ReleasedBoss, database_url: str, version: int
) -> None:
    async with released_boss(SCHEMA_VERSION, "current"), released_boss(version, "older") as node:
        await installs(node, version, "older")
    current, older = (run_operation(database_url, _catalog(SchemaName(name))) for name in ("current", "older"))

    assert sql_value(database_url, "SELECT version FROM older.version") == version
    missing = {part for part in parts(current) - parts(older) if not part.startswith("job_common.")}
    assert beyond_tables(missing) == beyond_tables(lacking(version))
    later = {build.number for change in HISTORY if change.version > version for build in change.indexes}
    assert {f"job_common_i{number}" for number in later}.isdisjoint(older.tables["job_common"].indexes)


@pytest.mark.parametrize("version", USABLE)
async def test_a_worker_does_on_it_what_it_offers(
    released_boss: ReleasedBoss,
    make_boss: BossFactory,
    database_url: str,
    version: int,
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with released_boss(version) as node:
        await installs(node, version)
        before = run_operation(database_url, _catalog(SchemaName()))
        with caplog.at_level(logging.WARNING, "pgboss"):
            ours = await make_boss(supervise=True, queue_defaults=QueueOptions())
        assert f"at version {version} (npm pg-boss {release_of(version)}), older than version 46" in caplog.text

        await tour(ours, database_url)

        after = run_operation(database_url, _catalog(SchemaName()))
    assert (after.functions, after.states) == (before.functions, before.states)
    assert {name: after.tables[name] for name in before.tables} == before.tables
    assert sql(database_url, "SELECT version FROM pgboss.version") == [{"version": version}]
    assert [record.getMessage() for record in caplog.records if record.levelno > logging.WARNING] == []


async def tour(boss: PgBoss, url: str) -> None:
    """Every call that changes or reads jobs, and the background duties, on an empty schema."""
    await boss.create_queue("dead")
    await boss.create_queue("mail", retry_limit=0, dead_letter="dead", notify=True)
    await boss.create_queue("letters", partition=True, policy="stately", retry_limit=1)
    await boss.update_queue("letters", retry_delay=0)
    assert [queue.name for queue in await boss.get_queues()] == ["dead", "letters", "mail"]

    await _to_the_dead_letters_and_back(boss, url)
    await _sent_in_every_way(boss)
    await _through_every_state(boss)
    await _in_a_flow(boss)
    await _kept_healthy(boss, url)
    await _worked(boss)

    if not boss.schema.has("instance"):
        with pytest.raises(SchemaVersionError, match=r"instance, which pg-boss has since schema version 44"):
            await boss.get_instances()
    with pytest.raises(SchemaVersionError, match=r"since schema version 46"):
        await boss.get_queue_stats("mail")
    await _scheduled(boss)

    assert await boss.delete_all_jobs("letters") is None
    assert await boss.delete_all_jobs("mail") != 0
    await boss.delete_all_jobs(every_queue=True)
    for queue in ("mail", "letters", "dead"):
        await boss.delete_queue(queue)


async def _scheduled(boss: PgBoss) -> None:
    if boss.schema.has("schedule.kind"):
        await boss.schedule("mail", "0 6 * * *", {"n": 1})
        assert [schedule.expression for schedule in await boss.get_schedules("mail")] == ["0 6 * * *"]
        assert await boss.unschedule("mail")
        return
    for call in (boss.schedule("mail", "0 6 * * *"), boss.get_schedule("mail"), boss.get_schedules()):
        with pytest.raises(SchemaVersionError, match=r"Schedules need schedule\.kind.* since schema version 41"):
            await call


async def _to_the_dead_letters_and_back(boss: PgBoss, url: str) -> None:
    sent = await boss.send("mail", {"n": 1}, singleton_key="k", group_id="g", heartbeat_seconds=30)
    assert sent is not None
    [job] = await boss.fetch("mail")
    assert (await boss.touch("mail", job)).affected == 1
    assert (await boss.fail("mail", job, {"why": "no stamp"})).affected == 1
    [dead] = await boss.find_jobs("dead")
    assert (dead.source_id, dead.source_retry_count, dead.singleton_key) == (sent, 0, "k")
    [group] = run_operation(url, failures(QueueCatalog(boss.schema))).groups
    assert (
        group.count,
        [job.id for job in run_operation(url, failed_jobs(QueueCatalog(boss.schema), group.cause))],
    ) == (
        1,
        [sent],
    )
    assert (await boss.preview_redrive("dead")).destinations == {"mail": 1}
    assert await boss.redrive("dead") == 1
    [again] = await boss.fetch_details("mail")
    assert (again.data, again.state) == ({"n": 1}, "active")
    assert (await boss.complete("mail", again, {"ok": True})).affected == 1
    assert (await boss.retry("mail", sent)).affected == 1
    assert (await boss.cancel("mail", sent)).affected == 1
    assert (await boss.delete_job("mail", [sent, again.id])).affected == 2


async def _sent_in_every_way(boss: PgBoss) -> None:
    assert await boss.send_throttled("mail", {}, 3600) is not None
    assert await boss.send_throttled("mail", {}, 3600) is None
    assert await boss.send_debounced("mail", {}, 3600) is not None
    late = await boss.send_after("mail", {"n": 2}, 3600)
    assert late is not None
    await boss.insert("mail", [{"data": {"n": number}} for number in (3, 4)])
    assert (await boss.update("mail", {"n": 5}, id=late, priority=7)).updated == 1
    assert (await boss.upsert("mail", {"n": 6}, id=late)).updated == 1
    if boss.schema.has("job.upsert_by_key"):
        assert (await boss.upsert("mail", {}, singleton_key="u")).inserted == 1
    else:
        with pytest.raises(SchemaVersionError, match=r"since schema version 45 \(npm pg-boss 12\.37\.0\).*migrate"):
            await boss.upsert("mail", {}, singleton_key="u")
    await boss.subscribe("event", "mail")
    await boss.publish("event", {"n": 7})
    await boss.unsubscribe("event", "mail")
    assert len(await boss.find_jobs("mail", data={"n": 7})) == 1
    assert await boss.delete_queued_jobs("mail") >= 6


async def _through_every_state(boss: PgBoss) -> None:
    job_id = await boss.send("letters", {}, singleton_key="a")
    assert job_id is not None
    assert await boss.send("letters", {}, singleton_key="a") is None
    assert (await boss.cancel("letters", job_id)).affected == 1
    assert (await boss.resume("letters", job_id)).affected == 1
    [job] = await boss.fetch("letters")
    assert (await boss.fail("letters", job)).affected == 1
    [job] = await boss.fetch("letters")
    assert (await boss.complete("letters", job)).affected == 1
    found = await boss.get_job(job_id)
    assert found is not None
    assert (found.state, found.retry_count, found.source_root_id) == ("completed", 1, None)
    assert await boss.delete_stored_jobs("letters") == 1


async def _in_a_flow(boss: PgBoss) -> None:
    ids = await boss.flow([FlowJob("a", "mail", {}), FlowJob("b", "letters", depends_on=["a"])])
    [job] = await boss.fetch("mail")
    assert (await boss.complete("mail", job)).affected == 1
    await boss.resolve_flow()
    [child] = await boss.fetch("letters")
    assert child.id == ids["b"]
    assert [ref.id for ref in await boss.get_dependencies("letters", child.id)] == [job.id]
    await boss.complete("letters", child)


async def _kept_healthy(boss: PgBoss, url: str) -> None:
    """What Node leaves to nobody is done by us: overdue jobs fail, old ones go."""
    overdue = await boss.send("mail", {}, expire_in_seconds=1)
    [job] = await boss.fetch("mail")
    assert job.id == overdue
    sql(url, "UPDATE pgboss.job SET started_on = now() - interval '1 minute' WHERE id = %s", (job.id,))
    await ExpirySweep(boss._run, boss.schema).run_once()
    expired = await boss.get_job(job.id)
    assert expired is not None
    assert (expired.state, expired.output) == ("failed", {"value": {"message": "job timed out"}})
    sql(url, "UPDATE pgboss.job SET completed_on = now() - interval '1 year' WHERE id = %s", (job.id,))
    # Not from the event loop, on which the instance's own upkeep may hold the row.
    await asyncio.to_thread(sql, url, "UPDATE pgboss.queue SET maintain_on = NULL")
    await RetentionPass(boss._run, boss.schema, maintenance_interval_seconds=1).run_once()
    assert await boss.get_job(job.id) is None


async def _worked(boss: PgBoss) -> None:
    seen: list[Any] = []

    async def handler(job: Job) -> dict[str, Any]:
        if not seen:
            seen.append("first")
            raise Snooze(0)
        seen.append(job.data)
        return {"done": True}

    await boss.work("letters", handler)
    job_id = await boss.send("letters", {"n": 8})
    assert job_id is not None

    async def is_completed() -> bool:
        job = await boss.get_job(job_id)
        return job is not None and job.state == "completed"

    await eventually(is_completed)
    assert seen == ["first", {"n": 8}]
    await boss.off_work("letters")


@pytest.mark.parametrize("version", FROM_NPM)
async def test_the_same_calls_leave_the_rows_that_its_own_release_leaves(
    released_boss: ReleasedBoss, make_boss: BossFactory, database_url: str, version: int
) -> None:
    async with released_boss(version, NODE_SCHEMA) as node, released_boss(version, OUR_SCHEMA):
        twins = Twins(database_url, node, await make_boss(schema=OUR_SCHEMA, queue_defaults=QueueOptions()))
        await node.call("createQueue", "dead")
        await node.call("createQueue", "mail", {"retryLimit": 1, "deadLetter": "dead"})
        await node.call("createQueue", "own", {"partition": True, "policy": "stately"})
        await twins.ours.create_queue("dead")
        await twins.ours.create_queue("mail", retry_limit=1, dead_letter="dead")
        await twins.ours.create_queue("own", partition=True, policy="stately")
        await _send_to(twins)
        for _ in range(2):
            await _fail_one(twins)
        await _complete_one(twins)

        twins.assert_same_queues()
        twins.assert_same_jobs()


async def _send_to(twins: Twins) -> None:
    await twins.send("plain", "mail", {"n": 1}, {}, {})
    await twins.send("later", "mail", {"n": 2}, {"startAfter": 60}, {"start_after": 60})
    await twins.send("once", "mail", {"n": 3}, {"singletonSeconds": 3600}, {"singleton_seconds": 3600})
    await twins.send(
        "grouped", "mail", {"n": 4}, {"group": {"id": "g"}, "priority": -1}, {"group_id": "g", "priority": -1}
    )
    await twins.send("keyed", "own", {"n": 5}, {"singletonKey": "k"}, {"singleton_key": "k"})
    await twins.send("again", "own", {"n": 6}, {"singletonKey": "k"}, {"singleton_key": "k"})
    await twins.send("cancelled", "own", {"n": 7}, {}, {})
    await twins.node.call("cancel", "own", *twins.node_ids("cancelled"))
    await twins.ours.cancel("own", twins.our_ids("cancelled"))


async def _fail_one(twins: Twins) -> None:
    [theirs] = await twins.node.call("fetch", "mail")
    [mine] = await twins.ours.fetch("mail")
    assert theirs["data"] == mine.data == {"n": 1}
    await twins.node.call("fail", "mail", theirs["id"], {"why": "no stamp"})
    await twins.ours.fail("mail", mine.id, {"why": "no stamp"})


async def _complete_one(twins: Twins) -> None:
    [theirs] = await twins.node.call("fetch", "own")
    [mine] = await twins.ours.fetch("own")
    await twins.node.call("complete", "own", theirs["id"], {"ok": True})
    await twins.ours.complete("own", mine.id, {"ok": True})


@pytest.mark.parametrize("version", FROM_NPM)
async def test_both_work_what_the_other_sends(
    released_boss: ReleasedBoss, make_boss: BossFactory, version: int
) -> None:
    async with released_boss(version) as node:
        ours = await make_boss()
        await node.call("createQueue", "for-python")
        await ours.create_queue("for-node", notify=False)
        handled: list[Any] = []

        async def handler(job: Job) -> None:
            handled.append(job.data)

        await ours.work("for-python", handler)
        await node.work("for-node")
        await node.call("send", "for-python", {"from": "node"})
        await ours.send("for-node", {"from": "python"})

        [batch] = await node.handled("for-node")
        await eventually(lambda: handled == [{"from": "node"}])
    assert [job["data"] for job in batch.jobs] == [{"from": "python"}]


EVERY_SECOND = {"cron_monitor_interval_seconds": 1, "cron_worker_interval_seconds": 1}
PASSES = "SELECT cron_on FROM pgboss.version"
MINUTE = "SELECT floor(extract(epoch FROM now()) / 60)::bigint"


@pytest.mark.parametrize(
    "version", [pytest.param(version, marks=[] if version in USUAL else pytest.mark.prove) for version in range(42, 46)]
)
async def test_an_occurrence_that_one_has_fired_is_not_fired_by_the_other(
    released_boss: ReleasedBoss, make_boss: BossFactory, database_url: str, version: int
) -> None:
    """Node's own release first, then ours, then Node's again; whoever fires one finds it fired by the other."""

    async def fired_by(somebody: str) -> None:
        """A schedule for every minute, of whose last minute there must be a job at once, and one pass more."""
        await ours.create_queue(somebody)
        began[somebody] = sql_value(database_url, MINUTE)
        await ours.schedule(somebody, "* * * * *")
        await eventually(lambda: jobs_of(somebody), within=10)
        for _ in range(2):
            before = sql_value(database_url, PASSES)
            await eventually(lambda: sql_value(database_url, PASSES) != before, within=10)  # noqa: B023  at once

    def jobs_of(queue: str) -> int:
        return int(sql_value(database_url, "SELECT count(*) FROM pgboss.job WHERE name = %s", [queue]))

    began: dict[str, int] = {}
    async with released_boss(version) as node:
        await installs(node, version)
    ours = await make_boss()
    node_options = {"schedule": True, "cronMonitorIntervalSeconds": 1, "cronWorkerIntervalSeconds": 1}
    async with released_boss(version, **node_options):
        await fired_by("node")
    scheduler = await make_boss(schedule=True, **EVERY_SECOND)
    await fired_by("ours")
    await scheduler.stop()
    async with released_boss(version, **node_options):
        await fired_by("node-again")
    for queue, minute in began.items():
        # Each minute that was begun while somebody was up, and the one in which the schedule was made.
        assert jobs_of(queue) <= sql_value(database_url, MINUTE) - minute + 1


async def test_schedules_that_an_old_release_tells_apart_in_its_own_way_are_left_to_it(
    released_boss: ReleasedBoss, make_boss: BossFactory, database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with released_boss(41):
        with caplog.at_level(logging.WARNING, "pgboss"):
            ours = await make_boss(schedule=True, **EVERY_SECOND)
        assert "schedules, statistics and other upkeep are left to Node" in caplog.text
        await ours.create_queue("ticks")
        await ours.schedule("ticks", "* * * * *")
        assert await ours.get_queue("__pgboss__send-it") is None
    assert sql_value(database_url, PASSES) is None


@pytest.mark.parametrize("version", [pytest.param(version, marks=pytest.mark.prove) for version in (25, 34, 35)])
async def test_an_even_older_schema_is_left_alone(released_boss: ReleasedBoss, database_url: str, version: int) -> None:
    async with released_boss(version):
        pass

    with pytest.raises(SchemaVersionError, match=f"at version {version}; this release works with versions from 36"):
        run_operation(database_url, ensure(SchemaName()))
    assert sql_value(database_url, "SELECT version FROM pgboss.version") == version
