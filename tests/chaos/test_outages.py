"""The database going away is normal: no job is lost, none is left active, and work resumes by itself."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter

import pytest

from pgboss import DatabaseUnavailableError, Job, PgBoss, QueueOptions
from support.eventually import eventually
from support.postgres import sql
from support.proxy import Proxy

pytestmark = [pytest.mark.slow, pytest.mark.timeout(60)]

OUTAGE_SECONDS = 5
BACK_WITHIN_SECONDS = 5
LATE_SECONDS = 1.5


def states(url: str) -> Counter[str]:
    return Counter(row["state"] for row in sql(url, "SELECT state::text FROM pgboss.job"))


async def outage() -> None:
    """Five seconds pass; that is what is being tested."""
    await asyncio.sleep(OUTAGE_SECONDS)


async def test_work_goes_on_after_the_database_was_away(database_url: str, caplog: pytest.LogCaptureFixture) -> None:
    worked: Counter[int] = Counter()

    async def handler(job: Job) -> None:
        await asyncio.sleep(0.02)
        worked[job.data] += 1

    async with Proxy(database_url) as proxy, PgBoss(proxy.dsn, pool_size=4, queue_defaults=QueueOptions()) as boss:
        await boss.create_queue("jobs", heartbeat_seconds=10, notify=True)
        await boss.insert("jobs", [{"data": number} for number in range(300)])
        await boss.work("jobs", handler, concurrency=3)
        await eventually(lambda: len(worked) > 30)
        with caplog.at_level(logging.ERROR, "psycopg.pool"):
            await proxy.shut()
            await outage()
            await proxy.open()
        began = time.monotonic()
        so_far = len(worked)
        await eventually(lambda: len(worked) > so_far + 3, within=BACK_WITHIN_SECONDS)
        resumed_after = time.monotonic() - began

        # A claim whose answer was lost leaves its jobs active until the sweep; the rest is done without it.
        await eventually(lambda: states(database_url)["created"] == 0, within=15)
        lost = states(database_url)["active"]
        await eventually(lambda: states(database_url)["completed"] == 300 - lost, within=10)
        sql(
            database_url, "UPDATE pgboss.job SET heartbeat_on = heartbeat_on - interval '1 hour' WHERE state = 'active'"
        )
        await eventually(lambda: states(database_url) == {"completed": 300}, within=20)
    assert set(worked) == set(range(300))
    assert resumed_after < BACK_WITHIN_SECONDS


async def test_finished_work_is_written_when_the_database_is_back(database_url: str) -> None:
    """A handler that ends during the outage keeps its result."""
    release = asyncio.Event()
    runs: list[int] = []

    async def handler(job: Job) -> str:
        runs.append(job.retry_count)
        await release.wait()
        return "kept"

    async with Proxy(database_url) as proxy, PgBoss(proxy.dsn, queue_defaults=QueueOptions()) as boss:
        await boss.create_queue("jobs")
        await boss.send("jobs")
        await boss.work("jobs", handler)
        await eventually(lambda: runs)
        await proxy.shut()
        release.set()
        await outage()
        await proxy.open()

        await eventually(lambda: states(database_url) == {"completed": 1}, within=10)
    assert runs == [0]
    assert sql(database_url, "SELECT output FROM pgboss.job") == [{"output": {"value": "kept"}}]


async def test_calls_say_that_the_database_is_away_and_work_again_when_it_is_back(database_url: str) -> None:
    async with Proxy(database_url) as proxy, PgBoss(proxy.dsn, supervise=False) as boss:
        await boss.create_queue("jobs")
        await proxy.shut()
        with pytest.raises(DatabaseUnavailableError, match=r"127\.0\.0\.1"):
            await boss.send("jobs")
        await proxy.open()

        # The first call after the return already gets a connection that works.
        assert await boss.send("jobs") is not None


@pytest.mark.parametrize("silent", [False, True], ids=["refused", "silent"])
async def test_a_stop_ends_in_time_while_the_database_is_away(database_url: str, silent: bool) -> None:
    started = asyncio.Event()

    async def handler(job: Job) -> None:
        started.set()
        await asyncio.sleep(60)

    async with Proxy(database_url) as proxy:
        boss = PgBoss(proxy.dsn)
        await boss.start()
        await boss.create_queue("jobs")
        await boss.send("jobs")
        await boss.work("jobs", handler)
        await started.wait()
        if silent:
            proxy.fall_silent()
        else:
            await proxy.shut()
        began = time.monotonic()

        await boss.stop(timeout=1)

        assert time.monotonic() - began < 1 + 5


async def test_a_stop_gives_back_what_a_late_answer_to_a_claim_brings(database_url: str) -> None:
    async def handler(job: Job) -> None:
        raise AssertionError("it came too late to be started")

    def is_claiming() -> bool:
        return bool(sql(database_url, "SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'"))

    async with Proxy(database_url) as proxy:
        boss = PgBoss(proxy.dsn, supervise=False, listen=False, polling_interval_seconds=60)
        await boss.start()
        await boss.create_queue("jobs")
        await boss.send("jobs")
        # The claim takes long enough for its answer to be held up.
        sql(
            database_url,
            "CREATE OR REPLACE FUNCTION pgboss.job_now() RETURNS timestamptz LANGUAGE plpgsql STABLE AS "
            "$$ BEGIN PERFORM pg_sleep(0.3); RETURN now(); END $$",
        )
        await boss.work("jobs", handler)
        await eventually(is_claiming)
        proxy.fall_silent()
        await eventually(lambda: states(database_url) == {"active": 1})
        stopping = asyncio.create_task(boss.stop(timeout=10))
        await asyncio.sleep(LATE_SECONDS)  # the answer comes late; that is what is being tested
        proxy.speak_again()
        await stopping

    assert sql(database_url, "SELECT state::text, started_on FROM pgboss.job") == [
        {"state": "created", "started_on": None}
    ]
