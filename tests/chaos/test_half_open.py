"""Connections that lead nowhere and never say so: no FIN, no RST, packets dropped somewhere on the way."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any

import asyncpg
import psycopg
import pytest

from drivers.callers import parts
from pgboss import DatabaseError, Job, PgBoss, QueueOptions
from support.eventually import eventually
from support.postgres import sql
from support.proxy import Proxy

pytestmark = [pytest.mark.slow, pytest.mark.timeout(60)]

OUTAGE_SECONDS = 6
BACK_WITHIN_SECONDS = 5


def states(url: str) -> Counter[str]:
    return Counter(row["state"] for row in sql(url, "SELECT state::text FROM pgboss.job"))


Instance = Callable[..., Any]


@pytest.fixture(params=["psycopg", "asyncpg"])
async def through(request: pytest.FixtureRequest) -> AsyncIterator[Instance]:
    """Start an instance that reaches its database through a door, on either kind of pool."""
    async with AsyncExitStack() as stack:

        async def start(proxy: Proxy, **options: Any) -> PgBoss:
            pool = None
            if request.param == "asyncpg":
                pool = await asyncpg.create_pool(**parts(proxy.dsn, database="database"), min_size=1, max_size=4)
                stack.callback(pool.terminate)
            boss = PgBoss(proxy.dsn, pool=pool, queue_defaults=QueueOptions(), **options)
            await boss.start()
            stack.push_async_callback(boss.stop, timeout=0)
            return boss

        yield start


async def test_work_goes_on_over_new_connections(database_url: str, through: Instance) -> None:
    """Everything hangs for a while; then new connections work, and the old ones never again."""
    worked: Counter[int] = Counter()

    async def handler(job: Job) -> None:
        await asyncio.sleep(0.02)
        worked[job.data] += 1

    async with Proxy(database_url) as proxy:
        boss = await through(proxy)
        await boss.create_queue("jobs", heartbeat_seconds=30, notify=True)
        await boss.insert("jobs", [{"data": number} for number in range(2000)])
        await boss.work("jobs", handler, concurrency=3)
        await eventually(lambda: len(worked) > 30)
        proxy.lose()
        proxy.fall_silent()
        await asyncio.sleep(OUTAGE_SECONDS)  # that is what is being tested
        proxy.speak_again()
        returned, so_far = time.monotonic(), len(worked)

        await eventually(lambda: len(worked) > so_far + 5, within=BACK_WITHIN_SECONDS)
        assert time.monotonic() - returned < BACK_WITHIN_SECONDS


LOSSES = pytest.mark.parametrize("lose", [Proxy.lose, Proxy.drop_packets], ids=["swallowed", "dropped"])


@LOSSES
async def test_idle_connections_that_lead_nowhere_are_left(
    database_url: str, through: Instance, lose: Callable[[Proxy], None]
) -> None:
    """Nobody is told of their end, so that the next job finds them as they are; it starts all the same."""
    worked: list[Job] = []
    async with Proxy(database_url) as proxy:
        boss = await through(proxy)
        await boss.create_queue("jobs", notify=True)
        # All connections of the pool have been used, and lie idle.
        await asyncio.gather(*(boss.get_queues() for _ in range(10)))
        await boss.work("jobs", worked.append)
        await asyncio.sleep(0)
        lose(proxy)
        async with PgBoss(database_url, work=False, supervise=False) as sender:
            await sender.send("jobs")

        await eventually(lambda: worked, within=5 + BACK_WITHIN_SECONDS)


async def test_tcp_finds_out_that_packets_are_dropped(database_url: str) -> None:
    """A caller's own statement may take as long as it likes, and still does not wait for a peer that is gone."""
    async with Proxy(database_url) as proxy, PgBoss(proxy.dsn, work=False, supervise=False, pool_size=2) as boss:
        await boss.create_queue("jobs")
        async with await psycopg.AsyncConnection.connect(database_url) as locking:
            await locking.execute("LOCK TABLE pgboss.job_common IN ACCESS EXCLUSIVE MODE")
            sending = asyncio.create_task(boss.send("jobs"))
            waits = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
            await eventually(lambda: sql(database_url, waits))
            proxy.drop_packets()
            lost = time.monotonic()
            with pytest.raises(DatabaseError):
                await sending
            assert time.monotonic() - lost < 10
        assert await boss.send("jobs")


@LOSSES
async def test_leases_are_kept_over_a_new_connection(
    database_url: str, through: Instance, lose: Callable[[Proxy], None]
) -> None:
    """The heart's connection leads nowhere; before the lease is over a beat gets through on another one."""
    started, cancelled = asyncio.Event(), asyncio.Event()

    async def handler(job: Job) -> str:
        started.set()
        try:
            await asyncio.sleep(14)
        except asyncio.CancelledError:
            cancelled.set()
            raise
        return "kept"

    async with Proxy(database_url) as proxy:
        boss = await through(proxy, supervise=False)
        await boss.create_queue("jobs", heartbeat_seconds=10)
        await boss.send("jobs")
        await boss.work("jobs", handler)
        await started.wait()
        await eventually(lambda: sql(database_url, "SELECT 1 FROM pgboss.job WHERE heartbeat_on > started_on"))
        lose(proxy)

        await eventually(lambda: states(database_url) == {"completed": 1}, within=25)
    assert not cancelled.is_set()


async def test_a_statement_that_is_only_slow_is_cancelled_and_gets_more_time(
    database_url: str, through: Instance, caplog: pytest.LogCaptureFixture
) -> None:
    """The jobs' table is locked for longer than a claim waits. No claim is left behind that takes jobs for nobody."""
    worked: list[Job] = []
    claims = (
        "SELECT query_start FROM pg_stat_activity "
        "WHERE wait_event_type = 'Lock' AND query LIKE '%SET state = ''active''%'"
    )
    async with Proxy(database_url) as proxy:
        # Without the delivery of schedules, which claims jobs of its own every five seconds.
        boss = await through(proxy, supervise=False, schedule=False)
        await boss.create_queue("jobs")
        await boss.send("jobs")
        async with await psycopg.AsyncConnection.connect(database_url) as locking:
            await locking.execute("LOCK TABLE pgboss.job_common IN ACCESS EXCLUSIVE MODE")
            await boss.work("jobs", worked.append)
            first = await eventually(lambda: sql(database_url, claims))
            with caplog.at_level(logging.WARNING, "pgboss.worker"):
                await eventually(lambda: "did not answer within 5 s" in caplog.text, within=8)
            second = await eventually(lambda: sql(database_url, claims), within=10)
            assert len(second) == 1
            assert second != first
            await locking.rollback()
        await eventually(lambda: worked)
        await eventually(lambda: states(database_url) == {"completed": 1})
    assert [job.retry_count for job in worked] == [0]


@pytest.mark.timeout(120)
async def test_killed_backends(database_url: str, through: Instance) -> None:
    """An administrator ends all of them, several times."""
    worked: Counter[int] = Counter()

    async def handler(job: Job) -> None:
        worked[job.data] += 1

    async with Proxy(database_url) as proxy:
        boss = await through(proxy)
        await boss.create_queue("jobs", heartbeat_seconds=10, notify=True)
        await boss.work("jobs", handler, concurrency=3)
        for wave in range(3):
            sql(
                database_url,
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()",
            )
            killed = time.monotonic()
            async with PgBoss(database_url, work=False, supervise=False) as sender:
                await sender.insert("jobs", [{"data": 100 * wave + number} for number in range(100)])
            await eventually(lambda: len(worked) >= 100 * wave + 50, within=BACK_WITHIN_SECONDS)  # noqa: B023  awaited
            assert time.monotonic() - killed < BACK_WITHIN_SECONDS
            # The answer to a claim may be lost, and its jobs with it, until their lease is over.
            await eventually(lambda: len(worked) == 100 * (wave + 1), within=30)  # noqa: B023  at once
        await eventually(lambda: states(database_url) == {"completed": 300}, within=30)
    assert sql(database_url, "SELECT output FROM pgboss.job WHERE output IS NOT NULL") == []
