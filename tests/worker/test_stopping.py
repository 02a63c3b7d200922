"""Stopping: real processes get real signals, and nothing is left active."""

from __future__ import annotations

import asyncio
import signal
import time
from typing import Any

import pytest

from pgboss import Job, PgBoss
from support.boss import BossFactory
from support.eventually import eventually
from support.postgres import sql, sql_value
from support.worker_process import WorkerProcess

pytestmark = pytest.mark.slow


def jobs(url: str, columns: str = "state::text, retry_count, output") -> list[dict[str, Any]]:
    return sql(url, f"SELECT {columns} FROM pgboss.job ORDER BY created_on, priority DESC, id")


def states(url: str) -> list[str]:
    return sorted(row["state"] for row in jobs(url))


def connections(url: str) -> int:
    count: int = sql_value(
        url, "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    return count


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_lets_running_jobs_finish_and_leaves_waiting_ones(
    boss: PgBoss, database_url: str, number: signal.Signals
) -> None:
    async with WorkerProcess(database_url) as worker:
        await boss.insert("wait", [{"data": {"seconds": 1}, "priority": -n} for n in range(4)])
        await worker.said("BEGAN")
        await worker.said("BEGAN")
        worker.signal(number)

        assert await worker.exit_code() == 0
        assert "Traceback" not in await worker.log()
    assert states(database_url) == ["completed", "completed", "created", "created"]
    waiting = [row for row in jobs(database_url, "state::text, started_on") if row["state"] == "created"]
    assert [row["started_on"] for row in waiting] == [None, None]


async def test_prefetched_jobs_go_back_untouched(boss: PgBoss, database_url: str) -> None:
    async with WorkerProcess(database_url) as worker:
        # Quick ones first, which let the worker look ahead, then one that keeps it busy while others wait behind it.
        quick = [{"data": {"seconds": 0}, "priority": 2} for _ in range(200)]
        slow = [{"data": {"seconds": 2}, "priority": 1}]
        behind = [{"data": {"seconds": 0}} for _ in range(50)]
        await boss.insert("quick", [*quick, *slow, *behind])
        await worker.said("BEGAN")
        prefetched = sql_value(database_url, "SELECT count(*) FROM pgboss.job WHERE state = 'active'")
        worker.signal(signal.SIGTERM)

        assert await worker.exit_code() == 0
    assert prefetched > 1
    untouched = sql(
        database_url, "SELECT state::text, started_on, heartbeat_on, retry_count FROM pgboss.job WHERE priority = 0"
    )
    assert len(untouched) == 50
    assert {tuple(row.values()) for row in untouched} == {("created", None, None, 0)}


async def test_a_job_that_overruns_the_stop_is_failed_and_retried(boss: PgBoss, database_url: str) -> None:
    async with WorkerProcess(database_url, "1") as worker:
        await boss.send("wait", {"seconds": 60})
        await worker.said("BEGAN")
        worker.signal(signal.SIGTERM)

        assert await worker.exit_code() == 0
    [job] = jobs(database_url)
    assert job == {"state": "retry", "retry_count": 0, "output": {"value": "pg-boss shut down while active"}}


async def test_a_second_signal_stops_at_once(boss: PgBoss, database_url: str) -> None:
    async with WorkerProcess(database_url) as worker:
        await boss.send("wait", {"seconds": 60})
        await worker.said("BEGAN")
        began = time.monotonic()
        worker.signal(signal.SIGTERM)
        worker.signal(signal.SIGINT)

        assert await worker.exit_code() == 0
        assert time.monotonic() - began < 5
    assert states(database_url) == ["retry"]


@pytest.mark.parametrize("queue", ["hang", "deaf"])
async def test_a_handler_that_hangs_for_ever_does_not_keep_the_stop_from_ending(
    boss: PgBoss, database_url: str, queue: str
) -> None:
    async with WorkerProcess(database_url, "1") as worker:
        await boss.send(queue)
        await worker.said("BEGAN")
        began = time.monotonic()
        worker.signal(signal.SIGTERM)

        assert await worker.exit_code() == 0
        assert time.monotonic() - began < 1 + 5
    assert states(database_url) == ["retry"]


async def test_a_killed_workers_jobs_run_again_elsewhere(
    boss: PgBoss, make_boss: BossFactory, database_url: str
) -> None:
    async with WorkerProcess(database_url) as killed:
        job_id = await boss.send("wait", {"seconds": 60})
        await killed.said("BEGAN")
        killed.signal(signal.SIGKILL)
        assert await killed.exit_code() == -signal.SIGKILL
    assert states(database_url) == ["active"]
    attempts: list[int] = []

    async def handler(job: Job) -> str:
        attempts.append(job.retry_count)
        return "second attempt"

    # The heartbeat is ten seconds old then; the sweep of the other instance notices.
    sql(database_url, "UPDATE pgboss.job SET heartbeat_on = heartbeat_on - interval '10 seconds'")
    other = await make_boss(supervise=True)
    await other.work("wait", handler)

    job = await eventually(lambda: completed(boss, str(job_id)), within=20)
    assert (job.output, attempts) == ({"value": "second attempt"}, [1])


async def completed(boss: PgBoss, job_id: str) -> Any:
    job = await boss.get_job(job_id, queue="wait")
    return job if job and job.state == "completed" else None


async def test_stop_closes_every_connection(make_boss: BossFactory, database_url: str) -> None:
    async def handler(job: Job) -> None:
        return None

    boss = await make_boss(supervise=True)
    await boss.create_queue("jobs")
    await boss.work("jobs", handler)
    await boss.send("jobs")
    await eventually(lambda: states(database_url) == ["completed"])
    assert connections(database_url) > 1

    await boss.stop()

    await eventually(lambda: connections(database_url) == 0)
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_an_instance_starts_again_after_a_stop(make_boss: BossFactory) -> None:
    boss = await make_boss()
    await boss.create_queue("jobs")
    await boss.stop()
    await boss.stop()

    await boss.start()

    assert await boss.send("jobs") is not None
