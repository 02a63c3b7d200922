"""The rows of instances: written, renewed, judged and removed."""

from __future__ import annotations

import asyncio
import os
import socket
from uuid import UUID, uuid4

import pytest
from psycopg_pool import AsyncConnectionPool

from pgboss import ErrorEvent, Instance, Job, PgBoss, ValidationError
from support.boss import BossFactory
from support.eventually import eventually
from support.postgres import sql


async def nothing(job: Job) -> None: ...


async def own(boss: PgBoss) -> Instance:
    [instance] = [instance for instance in await boss.get_instances() if instance.id == boss.id]
    return instance


async def test_an_instance_writes_who_it_is_when_it_starts(make_boss: BossFactory) -> None:
    boss = await make_boss(instance_name="mail", instance_heartbeat_seconds=60, persist_warnings=True)

    instance = await own(boss)
    assert (instance.name, instance.host, instance.pid) == ("mail", socket.gethostname(), os.getpid())
    assert instance.node_version.startswith("Python 3.")
    assert instance.version
    assert instance.application_name == f"pgboss:{str(boss.id)[:8]}"
    assert (instance.supervise, instance.persist_warnings, instance.heartbeat_seconds) == (False, True, 60)
    assert instance.pool_max == 4
    assert instance.pool_total
    assert (instance.workers, instance.live, instance.stopped_on) == ([], True, None)


async def test_what_it_works_and_how_it_is_comes_with_the_heartbeat(make_boss: BossFactory) -> None:
    boss = await make_boss(instance_heartbeat_seconds=1)
    started, release = asyncio.Event(), asyncio.Event()

    async def handler(job: Job) -> None:
        started.set()
        await release.wait()

    await boss.create_queue("jobs")
    await boss.send("jobs")
    limits = {"default": 2, "tiers": {"gold": 3}}
    id = await boss.work("jobs", handler, concurrency=3, min_priority=-5, group_concurrency=limits)
    await started.wait()

    instance = await eventually(lambda: with_workers(boss))
    [worker] = instance.workers
    assert worker.pop("lastFetchedOn").endswith("Z")
    assert worker == {
        "id": str(id),
        "queue": "jobs",
        "localConcurrency": 3,
        "batchSize": 1,
        "pollingIntervalSeconds": 0.5,
        "active": 1,
        "lastJobEndedOn": None,
        "lastErrorOn": None,
        "options": {"minPriority": -5, "groupConcurrency": limits},
    }
    metrics = instance.metrics
    assert metrics["rss"] > 1_000_000
    assert metrics["cpu"] >= 0
    assert 0 <= metrics["loopUtilization"] <= 1
    assert 0 <= metrics["loopDelay"] <= metrics["loopDelayMax"]
    release.set()


async def with_workers(boss: PgBoss) -> Instance | None:
    instance = await own(boss)
    return instance if instance.workers and instance.metrics["cpu"] is not None else None


async def test_a_stop_is_marked_and_a_new_start_is_live_again(database_url: str, boss: PgBoss) -> None:
    other = PgBoss(database_url, supervise=False)
    await other.start()
    first = await seen_by(boss, other.id)
    await other.stop()

    stopped = await seen_by(boss, other.id)
    assert stopped.stopped_on is not None
    assert not stopped.live

    async with other:
        again = await seen_by(boss, other.id)
    assert (again.live, again.stopped_on) == (True, None)
    assert again.started_on > first.started_on


async def seen_by(boss: PgBoss, id: UUID) -> Instance:
    [instance] = [instance for instance in await boss.get_instances() if instance.id == id]
    return instance


async def test_a_row_that_was_pruned_comes_back_as_it_was(make_boss: BossFactory, database_url: str) -> None:
    boss = await make_boss(instance_heartbeat_seconds=1, instance_name="phoenix")
    before = await own(boss)
    sql(database_url, "DELETE FROM pgboss.instance")

    [after] = await eventually(boss.get_instances)
    assert (after.id, after.name, after.started_on) == (before.id, "phoenix", before.started_on)
    assert after.heartbeat_on > before.heartbeat_on


async def test_a_row_that_cannot_be_written_is_told_and_keeps_nobody_from_working(
    make_boss: BossFactory, database_url: str
) -> None:
    boss = await make_boss(instance_heartbeat_seconds=1)
    errors: list[ErrorEvent] = []
    boss.on("error", errors.append)
    sql(database_url, "ALTER TABLE pgboss.instance RENAME TO elsewhere")

    await eventually(lambda: [error.duty for error in errors] == ["writing the row of this instance"], within=8)
    await boss.create_queue("jobs")
    await boss.work("jobs", nothing)
    await boss.send("jobs")
    await eventually(lambda: one_is_completed(boss))

    sql(database_url, "ALTER TABLE pgboss.elsewhere RENAME TO instance")
    beaten = await own(boss)
    await eventually(lambda: has_beaten(boss, beaten), within=8)


async def one_is_completed(boss: PgBoss) -> bool:
    return [job.state for job in await boss.find_jobs("jobs")] == ["completed"]


async def has_beaten(boss: PgBoss, before: Instance) -> bool:
    return (await own(boss)).heartbeat_on > before.heartbeat_on


async def test_an_instance_may_keep_to_itself(make_boss: BossFactory, database_url: str) -> None:
    boss = await make_boss(register_instance=False)

    assert await boss.get_instances() == []
    names = sql(
        database_url, "SELECT DISTINCT application_name AS name FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
    )
    assert {"name": "pgboss"} in names


async def test_how_it_connects_is_nowhere_in_its_row(database_url: str, boss: PgBoss) -> None:
    async with (
        AsyncConnectionPool(database_url, min_size=1, open=False) as pool,
        PgBoss("postgresql://joe:secret@127.0.0.1:1/db", pool=pool, supervise=False, listen=False) as foreign,
    ):
        row = sql(database_url, "SELECT i::text AS text FROM pgboss.instance i WHERE id = %s", [foreign.id])
        instance = await seen_by(boss, foreign.id)

    assert "secret" not in row[0]["text"]
    assert "joe" not in row[0]["text"]
    assert instance.config["adapter"] == "custom"
    assert (instance.pool_max, instance.pool_total, instance.pool_idle, instance.pool_waiting) == (None,) * 4


LIFE = """
    INSERT INTO pgboss.instance (id, name, host, pid, version, node_version, heartbeat_seconds, supervise, schedule,
           migrate, persist_queue_stats, persist_warnings, started_on, heartbeat_on, stopped_on)
    SELECT %s, %s, %s, 1, '1', 'v22', %s, true, true, true, false, false,
           t.now - make_interval(secs => %s), t.heard_on, CASE WHEN %s THEN t.heard_on END
      FROM (SELECT pgboss.job_now() AS now, pgboss.job_now() - make_interval(secs => %s) AS heard_on) t
"""


def life(
    database_url: str,
    *,
    began: float,
    heard: float,
    name: str | None = "mail",
    host: str | None = None,
    beat: int = 1,
    stopped: bool = False,
) -> UUID:
    """An earlier life: how many seconds ago it began, and when it was last heard of."""
    id = uuid4()
    sql(database_url, LIFE, [id, name, host or socket.gethostname(), beat, began, stopped, heard])
    return id


async def test_lives_that_ended_without_a_stop_are_counted(
    make_boss: BossFactory, database_url: str, boss: PgBoss
) -> None:
    life(database_url, began=900, heard=800)
    life(database_url, began=700, heard=600, stopped=True)
    life(database_url, began=500, heard=400)
    second = life(database_url, began=300, heard=200)
    life(database_url, began=300, heard=200, host="elsewhere")
    life(database_url, began=300, heard=200, name="other")
    sibling = life(database_url, began=100, heard=0, beat=3600)

    instance = await own(await make_boss(instance_name="mail"))
    assert instance.crash_restarts == 2
    assert instance.crash_restarts_since is not None
    assert (await seen_by(boss, second)).crash_restarts == 1
    assert (await seen_by(boss, sibling)).crash_restarts == 0


async def test_a_life_that_was_just_heard_of_is_judged_when_it_would_have_gone_quiet(
    make_boss: BossFactory, database_url: str, boss: PgBoss
) -> None:
    life(database_url, began=10, heard=1)

    other = await make_boss(instance_name="mail")
    assert (await own(other)).crash_restarts == 0
    await eventually(lambda: crashes_of(other), within=8)


async def crashes_of(boss: PgBoss) -> int:
    return (await own(boss)).crash_restarts


async def test_the_dead_of_a_name_are_pruned_beyond_twenty(
    make_boss: BossFactory, database_url: str, boss: PgBoss
) -> None:
    for number in range(23):
        life(database_url, began=1000 - number, heard=900, stopped=True)
    other = life(database_url, began=5000, heard=4000, name=None)

    await make_boss(instance_name="mail")
    found = await boss.get_instances()
    assert sum(not instance.live for instance in found if instance.name == "mail") == 20
    assert other in {instance.id for instance in found}


async def test_what_is_long_gone_is_pruned_by_everybody_who_supervises(
    make_boss: BossFactory, database_url: str, boss: PgBoss
) -> None:
    week = 7 * 24 * 3600
    old = life(database_url, began=week * 2, heard=week + 60, host="elsewhere")
    young = life(database_url, began=week * 2, heard=week - 60, host="elsewhere")

    await make_boss(supervise=True)
    await eventually(lambda: is_gone(boss, old))
    assert young in {instance.id for instance in await boss.get_instances()}


async def is_gone(boss: PgBoss, id: UUID) -> bool:
    return id not in {instance.id for instance in await boss.get_instances()}


async def test_instances_are_read_in_pages(database_url: str, boss: PgBoss) -> None:
    ids = [life(database_url, began=100 - number, heard=0) for number in range(3)]

    first = await boss.get_instances(limit=2)
    assert [instance.id for instance in first] == ids[:2]
    rest = await boss.get_instances(after=first[-1].id)
    assert [instance.id for instance in rest] == [ids[2], boss.id]
    assert await boss.get_instances(after=boss.id) == []
    with pytest.raises(ValidationError, match="after names an instance whose row is gone"):
        await boss.get_instances(after=uuid4())
    with pytest.raises(ValidationError, match="limit must be an integer from 1 to 100000, not 0"):
        await boss.get_instances(limit=0)
