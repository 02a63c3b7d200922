"""Leases: kept while a handler blocks the loop, given up when nobody may be sure of them, fenced in any case."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from pgboss import Job, JobDetails, PgBoss, QueueOptions
from support.eventually import eventually
from support.postgres import sql, sql_value
from support.proxy import Proxy

LEASE_SECONDS = 2


async def leased_queue(boss: PgBoss, url: str) -> None:
    """A queue with a lease shorter than anybody may ask for, so that tests need not wait."""
    await boss.create_queue("jobs", retry_limit=1)
    # Not from the event loop, on which the instance's own upkeep may hold the row.
    await asyncio.to_thread(sql, url, f"UPDATE pgboss.queue SET heartbeat_seconds = {LEASE_SECONDS}")


async def in_state(boss: PgBoss, state: str) -> JobDetails | None:
    [job] = await boss.find_jobs("jobs")
    return job if job.state == state else None


@pytest.mark.slow
async def test_a_handler_that_blocks_the_loop_keeps_its_lease(boss: PgBoss, database_url: str) -> None:
    ages: list[float] = []

    async def blocks(job: Job) -> None:
        until = time.monotonic() + LEASE_SECONDS * 1.5
        while time.monotonic() < until:
            time.sleep(0.2)  # noqa: ASYNC251  blocking the loop is what is being tested
            ages.append(sql_value(database_url, "SELECT extract(epoch FROM now() - heartbeat_on) FROM pgboss.job"))

    await leased_queue(boss, database_url)
    await boss.send("jobs")
    await boss.work("jobs", blocks)

    job = await eventually(lambda: in_state(boss, "completed"), within=10)
    assert job.retry_count == 0
    assert max(ages) < LEASE_SECONDS


async def test_a_handler_whose_job_was_taken_away_is_cancelled(boss: PgBoss, database_url: str) -> None:
    started, cancelled = asyncio.Event(), asyncio.Event()

    async def handler(job: Job) -> str:
        started.set()
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            cancelled.set()
            raise
        return "late"

    await leased_queue(boss, database_url)
    job_id = await boss.send("jobs")
    await boss.work("jobs", handler)
    await started.wait()
    assert job_id is not None
    await boss.cancel("jobs", job_id)

    async with asyncio.timeout(LEASE_SECONDS):
        await cancelled.wait()
    job = await eventually(lambda: in_state(boss, "cancelled"))
    assert job.output is None


@pytest.mark.slow
@pytest.mark.parametrize("silent", [False, True], ids=["refused", "silent"])
async def test_a_handler_is_cancelled_when_no_beat_gets_through(database_url: str, silent: bool) -> None:
    started, cancelled = asyncio.Event(), asyncio.Event()

    async def handler(job: Job) -> None:
        started.set()
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            cancelled.set()
            raise

    async with Proxy(database_url) as proxy, PgBoss(proxy.dsn, queue_defaults=QueueOptions()) as boss:
        await leased_queue(boss, database_url)
        await boss.send("jobs")
        await boss.work("jobs", handler)
        await started.wait()
        if silent:
            proxy.fall_silent()
        else:
            await proxy.shut()
        began = time.monotonic()

        async with asyncio.timeout(LEASE_SECONDS + 3):
            await cancelled.wait()
        assert time.monotonic() - began > LEASE_SECONDS / 2
        proxy.speak_again()


async def test_a_late_result_does_not_overwrite_a_newer_attempt(boss: PgBoss, database_url: str) -> None:
    """Without a heartbeat nobody tells the handler; the fence refuses what it returns."""
    started, release = asyncio.Event(), asyncio.Event()

    async def handler(job: Job) -> str:
        started.set()
        await release.wait()
        return "stale"

    await boss.create_queue("jobs", retry_limit=1)
    job_id = await boss.send("jobs")
    worker = await boss.work("jobs", handler, concurrency=1)
    await started.wait()
    assert job_id is not None
    await boss.fail("jobs", job_id, "expired")
    [newer] = await boss.fetch("jobs")
    release.set()
    await boss.off_work("jobs", id=worker)

    job = await in_state(boss, "active")
    assert job is not None
    assert job.retry_count == newer.retry_count == 1


async def test_a_job_given_back_and_claimed_again_is_another_attempt(boss: PgBoss, database_url: str) -> None:
    """It keeps its retry_count, so only started_on tells the two apart."""
    await boss.create_queue("jobs")
    await boss.send("jobs")
    [first] = await boss.fetch("jobs")
    sql(database_url, "UPDATE pgboss.job SET state = 'created', started_on = NULL")
    [second] = await boss.fetch("jobs")

    assert first.retry_count == second.retry_count
    assert (await boss.complete("jobs", first)).affected == 0
    assert (await boss.complete("jobs", second)).affected == 1


@pytest.mark.slow
async def test_a_thread_whose_beats_do_not_get_through_is_told_and_its_late_result_refused(database_url: str) -> None:
    """Somebody else has the job by then, and keeps it."""
    started, told, release = threading.Event(), threading.Event(), threading.Event()

    def handler(job: Job) -> str:
        started.set()
        assert job.cancelled.wait(20)
        told.set()
        release.wait(20)
        return "late"

    async with Proxy(database_url) as proxy, PgBoss(proxy.dsn, queue_defaults=QueueOptions(), supervise=False) as boss:
        await leased_queue(boss, database_url)
        await boss.send("jobs")
        worker = await boss.work("jobs", handler, concurrency=1)
        await eventually(started.is_set)
        proxy.fall_silent()
        await eventually(told.is_set, within=LEASE_SECONDS + 3)
        taken = "state = 'active', started_on = now(), retry_count = 1, heartbeat_seconds = NULL"
        sql(database_url, f"UPDATE pgboss.job SET {taken}")
        proxy.speak_again()
        release.set()
        await boss.off_work("jobs", id=worker)

    assert sql(database_url, "SELECT state::text, retry_count, output FROM pgboss.job") == [
        {"state": "active", "retry_count": 1, "output": None}
    ]
