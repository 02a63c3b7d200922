"""Deleting queues under way: while jobs are sent and claimed, while others hold their tables, and created anew."""

from __future__ import annotations

import asyncio
from typing import Any

import psycopg
import pytest

from pgboss import ConflictError, PgBoss, QueueNotFoundError
from pgboss.operations import delete_queue as operation
from support.boss import BossFactory
from support.eventually import eventually
from support.postgres import sql, sql_value


async def test_everything_of_a_queue_goes(boss: PgBoss, database_url: str) -> None:
    for name, partition in (("shared", False), ("own", True)):
        await boss.create_queue(name, partition=partition)
        await boss.insert(name, [{"data": number} for number in range(20)])
        await boss.subscribe("event", name)
        sql(
            database_url,
            "INSERT INTO pgboss.bam (name, version, status, queue, table_name, command) "
            "SELECT 'index', 46, unnest(ARRAY['pending', 'failed', 'completed']), name, table_name, 'SELECT' "
            f"FROM pgboss.queue WHERE name = '{name}'",
        )
        table = (await boss.get_queues([name]))[0].table_name
        await boss.delete_queue(name)

        assert await boss.get_queue(name) is None
        assert sql_value(database_url, f"SELECT count(*) FROM pgboss.job WHERE name = '{name}'") == 0
        assert (sql_value(database_url, f"SELECT to_regclass('pgboss.{table}')") is None) == partition
        assert sql_value(database_url, "SELECT count(*) FROM pgboss.subscription") == 0
    # Index builds of the shared table go on, those of a dropped one could only fail.
    rows = sql(database_url, "SELECT queue, status FROM pgboss.bam WHERE queue IS NOT NULL ORDER BY queue, status")
    assert [(row["queue"], row["status"]) for row in rows] == [
        ("own", "completed"), ("shared", "completed"), ("shared", "failed"), ("shared", "pending"),
    ]  # fmt: skip
    await boss.delete_queue("own")


@pytest.mark.parametrize("partition", [False, True], ids=["shared", "own table"])
async def test_a_dead_letter_queue_in_use_stays(boss: PgBoss, database_url: str, partition: bool) -> None:
    await boss.create_queue("dead", partition=partition)
    await boss.create_queue("jobs", dead_letter="dead")
    await boss.send("dead", {"kept": True})
    with pytest.raises(ConflictError, match="'dead' was not deleted: queue 'jobs' uses it"):
        await boss.delete_queue("dead")
    await boss.send("jobs")
    await boss.update_queue("jobs", dead_letter=None)
    with pytest.raises(ConflictError, match="'dead' was not deleted: jobs in queue 'jobs' name it"):
        await boss.delete_queue("dead")

    assert sql_value(database_url, "SELECT count(*) FROM pgboss.job WHERE name = 'dead'") == 1


@pytest.mark.parametrize("partition", [False, True], ids=["shared", "own table"])
async def test_in_a_callers_transaction(boss: PgBoss, database_url: str, partition: bool) -> None:
    await boss.create_queue("jobs", partition=partition)
    await boss.send("jobs")
    async with await psycopg.AsyncConnection.connect(database_url) as connection:
        before = await (await connection.execute("SHOW lock_timeout")).fetchone()
        await boss.delete_queue("jobs", connection=connection)
        assert await (await connection.execute("SHOW lock_timeout")).fetchone() == before
        assert await (await connection.execute("SHOW enable_sort")).fetchone() == ("on",)
        await connection.rollback()
        assert len(await boss.find_jobs("jobs")) == 1
        await boss.delete_queue("jobs", connection=connection)
        await connection.commit()
    assert await boss.get_queue("jobs") is None


async def test_it_waits_for_a_table_in_use_and_holds_nobody_up(boss: PgBoss, database_url: str) -> None:
    await boss.create_queue("jobs", partition=True)
    await boss.create_queue("other")
    async with await psycopg.AsyncConnection.connect(database_url) as holder:
        await holder.execute("SELECT count(*) FROM pgboss.job")
        deleting = asyncio.create_task(boss.delete_queue("jobs"))
        await eventually(
            lambda: sql_value(
                database_url,
                "SELECT true FROM pg_stat_activity WHERE query LIKE '%pg_sleep%' AND pid <> pg_backend_pid()",
            )
        )
        # Between its tries, everybody goes on.
        for number in range(20):
            assert await asyncio.wait_for(boss.send("other", number), 1) is not None
        assert not deleting.done()
        await holder.rollback()
        await asyncio.wait_for(deleting, 5)
    assert await boss.get_queue("jobs") is None


async def test_a_job_that_is_committed_while_it_deletes(boss: PgBoss, database_url: str) -> None:
    """The queue's jobs are gone, its row not yet, and a job comes in that names it; the next try takes both."""
    await boss.create_queue("jobs")
    async with (
        await psycopg.AsyncConnection.connect(database_url) as sender,
        await psycopg.AsyncConnection.connect(database_url) as monitor,
    ):
        await boss.send("jobs", connection=sender)
        await monitor.execute("SELECT FROM pgboss.queue WHERE name = 'jobs' FOR NO KEY UPDATE")
        deleting = asyncio.create_task(boss.delete_queue("jobs"))
        await eventually(
            lambda: sql_value(database_url, "SELECT true FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
        )
        await sender.commit()
        await monitor.rollback()
        await asyncio.wait_for(deleting, 10)
    assert await boss.get_queue("jobs") is None
    assert sql_value(database_url, "SELECT count(*) FROM pgboss.job") == 0


async def test_it_gives_up_on_a_table_that_stays_in_use(
    boss: PgBoss, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operation, "TRIES", 2)
    await boss.create_queue("jobs", partition=True)
    await boss.send("jobs")
    async with await psycopg.AsyncConnection.connect(database_url) as holder:
        await holder.execute("SELECT count(*) FROM pgboss.job")
        with pytest.raises(ConflictError, match="'jobs' was not deleted: other transactions kept hold of its tables"):
            await boss.delete_queue("jobs")
        await holder.rollback()
    assert len(await boss.fetch("jobs")) == 1


class Traffic:
    """Senders and claimers of a queue that go on until told, whatever becomes of the queue."""

    def __init__(self, boss: PgBoss, queue: str) -> None:
        self.boss, self.queue = boss, queue
        self.sent = 0
        self.refused = 0
        self.over = False

    async def send(self) -> None:
        while not self.over:
            try:
                await self.boss.send(self.queue, {"n": self.sent})
                self.sent += 1
            except QueueNotFoundError:
                self.refused += 1
                await asyncio.sleep(0)

    async def work(self) -> None:
        while not self.over:
            try:
                jobs = await self.boss.fetch(self.queue, batch_size=5)
                if jobs:
                    await self.boss.complete(self.queue, jobs)
            except QueueNotFoundError:
                self.refused += 1
                await asyncio.sleep(0)


@pytest.mark.parametrize("partition", [False, True], ids=["shared", "own table"])
async def test_while_jobs_are_sent_and_claimed(make_boss: BossFactory, database_url: str, partition: bool) -> None:
    """Nobody sees an error but that the queue is gone; created anew with the other kind of table, it works again."""
    busy, quiet = await make_boss(pool_size=8), await make_boss()
    await quiet.create_queue("jobs", partition=partition)
    traffic = Traffic(busy, "jobs")
    async with asyncio.TaskGroup() as group:
        for _ in range(3):
            group.create_task(traffic.send())
            group.create_task(traffic.work())
        try:
            for turn in range(6):
                seen = traffic.sent
                await eventually(lambda seen=seen: traffic.sent > seen + 20, within=10)  # type: ignore[misc]  # a default binds the loop's value
                await quiet.delete_queue("jobs")
                refused = traffic.refused
                await eventually(lambda refused=refused: traffic.refused > refused, within=10)  # type: ignore[misc]  # as above
                await quiet.create_queue("jobs", partition=partition == (turn % 2 == 1))
        finally:
            traffic.over = True
    assert sql_value(database_url, "SELECT count(*) FROM pgboss.queue") == 1


@pytest.mark.parametrize("partition", [False, True], ids=["own table to shared", "shared to own table"])
async def test_a_queue_created_anew_elsewhere(make_boss: BossFactory, partition: bool) -> None:
    """An instance that remembers where the queue's jobs were finds out, without an error."""
    ours, other = await make_boss(), await make_boss()
    await ours.create_queue("jobs", partition=not partition)
    await ours.send("jobs", "old")
    assert len(await ours.fetch("jobs")) == 1
    await other.delete_queue("jobs")
    await other.create_queue("jobs", partition=partition)
    await ours.send("jobs", "new")
    jobs: list[Any] = await ours.fetch("jobs")

    assert [job.data for job in jobs] == ["new"]
    assert (await ours.complete("jobs", jobs)).affected == 1
