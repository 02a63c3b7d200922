"""How many connections a process opens: its pool, one that keeps leases, one that listens, and no other."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from psycopg import Connection
from psycopg.conninfo import make_conninfo

from pgboss import FlowJob, Job, PgBoss, SyncPgBoss
from support.eventually import eventually
from support.postgres import sql, sql_value

SEEN = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'seen'"


@pytest.mark.parametrize("pool_size", [1, 3])
async def test_a_process_has_two_more_than_its_pool(database_url: str, pool_size: int) -> None:
    """Everything runs at once: workers of several queues, leases, notifications, flows, upkeep and calls."""
    most = 0
    worked: list[object] = []

    async def handler(job: Job) -> None:
        await asyncio.sleep(0.05)
        worked.append(job.data)

    async def send(number: int) -> None:
        await boss.send("jobs", number)

    dsn = make_conninfo(database_url, application_name="seen")
    async with PgBoss(dsn, pool_size=pool_size) as boss:
        for queue in ("jobs", "steps", "others"):
            await boss.create_queue(queue, heartbeat_seconds=10)
            await boss.work(queue, handler, concurrency=4)
        await boss.flow([FlowJob("a", "steps", "a"), FlowJob("b", "steps", "b", depends_on=["a"])])
        sending = asyncio.gather(*(send(number) for number in range(40)))
        while len(worked) < 42:
            most = max(most, sql_value(database_url, SEEN))
            await asyncio.sleep(0.01)  # looks again, as eventually does
        await sending
        most = max(most, sql_value(database_url, SEEN))
    assert pool_size + 1 <= most <= pool_size + 2
    await eventually(lambda: sql_value(database_url, SEEN) == 0)
    assert sql(database_url, "SELECT DISTINCT state::text FROM pgboss.job") == [{"state": "completed"}]


@pytest.mark.parametrize("kind", ["loop", "thread"])
async def test_a_pool_of_one_is_enough_for_transactional_handlers(database_url: str, kind: str) -> None:
    """One after the other, as there is one connection; everything else waits for it."""
    dsn = make_conninfo(database_url, application_name="seen")
    most = 0

    async with PgBoss(dsn, pool_size=1) as boss:
        await boss.create_queue("jobs", heartbeat_seconds=10)
        await boss.create_queue("copies")

        async def in_the_loop(job: Job, connection: Any) -> None:
            see()
            await boss.send("copies", job.data, connection=connection)

        def in_a_thread(job: Job, connection: Connection[Any]) -> None:
            see()
            SyncPgBoss(dsn).send("copies", job.data, connection=connection)

        def see() -> None:
            nonlocal most
            most = max(most, sql_value(database_url, SEEN))

        handler: Any = in_the_loop if kind == "loop" else in_a_thread
        await boss.work("jobs", handler, transactional=True, concurrency=2)
        for number in range(10):
            await boss.send("jobs", number)
        query = "SELECT count(*) FROM pgboss.job WHERE name = 'jobs' AND state = 'completed'"
        await eventually(lambda: sql_value(database_url, query) == 10, within=15)
    assert sql_value(database_url, "SELECT count(*) FROM pgboss.job WHERE name = 'copies'") == 10
    assert 2 <= most <= 3
