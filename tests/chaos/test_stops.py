"""A stop returns in time at whatever moment it comes, also when nobody answers any more."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import asyncpg
import psycopg
import pytest

from drivers.callers import parts
from pgboss import DatabaseUnavailableError, Job, PgBoss, QueueOptions, StoppedError
from support.eventually import eventually
from support.postgres import sql
from support.proxy import Proxy
from support.worker_process import WorkerProcess

pytestmark = [pytest.mark.slow, pytest.mark.timeout(60)]

TIMEOUT_SECONDS = 1
GRACE_SECONDS = 5

SLOW_CLOCK = (
    "CREATE OR REPLACE FUNCTION pgboss.job_now() RETURNS timestamptz LANGUAGE plpgsql STABLE AS "
    "$$ BEGIN PERFORM pg_sleep(0.3); RETURN now(); END $$"
)


class Scene:
    """An instance behind a door, and ways to bring it to some moment."""

    def __init__(self, url: str, proxy: Proxy, boss: PgBoss) -> None:
        self.url = url
        self.proxy = proxy
        self.boss = boss
        self.started = asyncio.Event()
        self.release = asyncio.Event()

    async def handler(self, job: Job) -> None:
        self.started.set()
        await self.release.wait()

    async def work(self) -> None:
        await self.boss.start()
        await self.boss.create_queue("jobs", heartbeat_seconds=10, notify=True)
        await self.boss.work("jobs", self.handler)

    async def idle(self) -> None:
        await self.work()

    async def a_claim(self) -> None:
        await self.boss.start()
        await self.boss.create_queue("jobs")
        sql(self.url, SLOW_CLOCK)
        await self.boss.send("jobs")
        await self.boss.work("jobs", self.handler)
        await eventually(self.is_at_it)

    async def a_handler(self) -> None:
        await self.work()
        await self.boss.send("jobs")
        await self.started.wait()

    async def a_result(self) -> None:
        await self.a_handler()
        sql(self.url, SLOW_CLOCK)
        self.release.set()
        await eventually(self.is_at_it)

    def is_at_it(self) -> bool:
        return bool(sql(self.url, "SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'"))


MOMENTS: dict[str, Callable[[Scene], Awaitable[None]]] = {
    "idle": Scene.idle,
    "claim": Scene.a_claim,
    "handler": Scene.a_handler,
    "result": Scene.a_result,
}
OUTAGES: dict[str, Callable[[Proxy], Any]] = {
    "none": lambda proxy: None,
    "refused": Proxy.shut,
    "silent": Proxy.fall_silent,
    "half-open": Proxy.lose,
}


@pytest.fixture(params=["psycopg", "asyncpg"])
async def scene(request: pytest.FixtureRequest, database_url: str) -> AsyncIterator[Scene]:
    async with AsyncExitStack() as stack:
        proxy = await stack.enter_async_context(Proxy(database_url))
        pool = None
        if request.param == "asyncpg":
            pool = await asyncpg.create_pool(**parts(proxy.dsn, database="database"), min_size=1, max_size=4)
            stack.callback(pool.terminate)
        yield Scene(database_url, proxy, PgBoss(proxy.dsn, pool=pool, queue_defaults=QueueOptions()))


async def stop_in_time(boss: PgBoss) -> None:
    began = time.monotonic()
    await boss.stop(timeout=TIMEOUT_SECONDS)
    assert time.monotonic() - began < TIMEOUT_SECONDS + GRACE_SECONDS


@pytest.mark.parametrize("outage", OUTAGES)
@pytest.mark.parametrize("moment", MOMENTS)
async def test_at_any_moment(scene: Scene, moment: str, outage: str) -> None:
    await MOMENTS[moment](scene)
    ended = OUTAGES[outage](scene.proxy)
    if ended is not None:
        await ended

    await stop_in_time(scene.boss)

    if outage == "none":
        left = {row["state"] for row in sql(scene.url, "SELECT state::text FROM pgboss.job")}
        assert "active" not in left


WAITS_FOR_A_LOCK = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"


@pytest.mark.parametrize("moment", ["connecting", "reading", "reading, half-open"])
async def test_while_it_starts(database_url: str, moment: str) -> None:
    """Nobody answers: the first connection hangs, or the first statement on the second."""
    async with PgBoss(database_url, work=False, supervise=False, schedule=False):
        pass
    async with (
        Proxy(database_url) as proxy,
        await psycopg.AsyncConnection.connect(database_url) as locking,
    ):
        boss = PgBoss(proxy.dsn, schedule=False)
        if moment == "connecting":
            proxy.fall_silent()
        else:
            await locking.execute("LOCK TABLE pgboss.version IN ACCESS EXCLUSIVE MODE")
        starting = asyncio.create_task(boss.start())
        await eventually(lambda: proxy.count or sql(database_url, WAITS_FOR_A_LOCK))
        if moment == "reading, half-open":
            await eventually(lambda: sql(database_url, WAITS_FOR_A_LOCK))
            proxy.lose()
        await stop_in_time(boss)

        with pytest.raises((StoppedError, DatabaseUnavailableError)):
            await starting
        await locking.rollback()
        proxy.speak_again()
        await boss.start()
        assert await boss.get_queues() == []
        await boss.stop()


@pytest.mark.parametrize("moment", ["connecting", "handler"])
async def test_of_a_worker_process(database_url: str, moment: str) -> None:
    """The process ends, too: nothing that hangs keeps it."""
    async with Proxy(database_url) as proxy:
        if moment == "connecting":
            proxy.fall_silent()
        async with WorkerProcess(proxy.dsn, str(TIMEOUT_SECONDS), is_ready=moment != "connecting") as worker:
            if moment == "connecting":
                await eventually(lambda: proxy.count, within=15)
            else:
                async with PgBoss(database_url, work=False, supervise=False) as boss:
                    await boss.send("wait", {"seconds": 60})
                await worker.said("BEGAN")
                proxy.fall_silent()
            worker.signal(signal.SIGTERM)
            began = time.monotonic()

            assert await worker.exit_code() == 0
            assert time.monotonic() - began < TIMEOUT_SECONDS + GRACE_SECONDS
