"""What a worker is told about how to work, and what it tells of itself."""

from __future__ import annotations

import asyncio
import threading
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from pgboss import ConfigurationError, Job, JobDetails, Jobs, PgBoss, QueueOptions, ValidationError, WipData
from support.boss import BossFactory
from support.eventually import eventually
from support.postgres import sql

NEVER_SECONDS = 3600


async def nothing(job: Job) -> None: ...


async def is_completed(boss: PgBoss, queue: str, count: int = 1) -> bool:
    return [job.state for job in await boss.find_jobs(queue)].count("completed") == count


def wip(boss: PgBoss, queue: str) -> WipData:
    [data] = [data for data in boss.get_wip_data() if data.name == queue]
    return data


async def test_each_worker_looks_at_its_own_interval(make_boss: BossFactory) -> None:
    boss = await make_boss(listen=False, polling_interval_seconds=NEVER_SECONDS)
    for queue in ("quick", "slow"):
        await boss.create_queue(queue)
    slow = await boss.work("slow", nothing)
    await boss.work("quick", nothing, polling_interval_seconds=0.05)
    await eventually(lambda: all(data.last_fetched_on for data in boss.get_wip_data()))

    await boss.send("slow")
    await boss.send("quick")
    await eventually(lambda: is_completed(boss, "quick"))
    [waiting] = await boss.find_jobs("slow")
    assert waiting.state == "created"

    boss.notify_worker(uuid4())
    boss.notify_worker(slow)
    await eventually(lambda: is_completed(boss, "slow"))


async def test_where_jobs_are_announced_a_worker_may_look_less_often(make_boss: BossFactory, database_url: str) -> None:
    boss = await make_boss()
    await boss.create_queue("announced", notify=True)
    await boss.create_queue("unannounced", notify=False)
    intervals: dict[str, Any] = {
        "polling_interval_seconds": timedelta(seconds=0.05),
        "notify_polling_interval_seconds": NEVER_SECONDS,
    }
    for queue in ("announced", "unannounced"):
        await boss.work(queue, nothing, **intervals)
    await eventually(lambda: wip(boss, "announced").options["polling_interval_seconds"] == NEVER_SECONDS)
    assert wip(boss, "unannounced").options["polling_interval_seconds"] == 0.05

    await boss.send("announced")
    await eventually(lambda: is_completed(boss, "announced"))
    # A turn that had been set before may still come, with the first of these.
    for count in (1, 2):
        insert(database_url, "unannounced")
        if count == 2:
            insert(database_url, "announced")
            insert(database_url, "unannounced")
        await eventually(lambda: is_completed(boss, "unannounced", count if count == 1 else 3))  # noqa: B023  awaited at once
    assert [job.state for job in await boss.find_jobs("announced", queued=True)] == ["created"]


def insert(database_url: str, queue: str) -> None:
    sql(database_url, "INSERT INTO pgboss.job (name) VALUES (%s)", [queue])


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"polling_interval_seconds": 0}, "polling_interval_seconds must be a positive number of seconds, not 0"),
        ({"heartbeat_refresh_seconds": True}, "heartbeat_refresh_seconds must be a positive number"),
        ({"include_metadata": 1}, "include_metadata must be True or False, not 1"),
        (
            {"polling_interval_seconds": 5, "notify_polling_interval_seconds": 2},
            r"notify_polling_interval_seconds \(2\) must not be below polling_interval_seconds \(5\)",
        ),
    ],
)
async def test_options_out_of_their_range_are_refused(boss: PgBoss, options: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        await boss.work("jobs", nothing, **options)


async def test_options_that_nobody_knows_are_refused(boss: PgBoss) -> None:
    unknown: dict[str, Any] = {"burst_when_batch_full": True}
    with pytest.raises(ConfigurationError, match=r"work\(\) has no option 'burst_when_batch_full'"):
        await boss.work("jobs", nothing, **unknown)


async def test_a_handler_may_see_everything_about_its_job(boss: PgBoss) -> None:
    seen: list[Job] = []

    async def handler(job: Job) -> None:
        seen.append(job)

    await boss.create_queue("jobs", retry_delay=7)
    await boss.send("jobs", {"a": 1}, dead_letter=None)
    await boss.work("jobs", handler, include_metadata=True)

    await eventually(lambda: seen)
    assert isinstance(seen[0], JobDetails)
    assert (seen[0].state, seen[0].retry_delay, seen[0].data) == ("active", 7, {"a": 1})
    await eventually(lambda: is_completed(boss, "jobs"))


async def test_a_definition_may_ask_for_everything_about_its_job(make_boss: BossFactory) -> None:
    jobs = Jobs()
    seen: list[JobDetails] = []

    @jobs.job("jobs", include_metadata=True)
    async def handler(payload: int, job: JobDetails) -> None:
        seen.append(job)

    boss = await make_boss(jobs=[jobs])
    await boss.send(handler, 1)

    await eventually(lambda: seen)
    assert seen[0].keep_until > seen[0].created_on


def test_a_definition_that_takes_everything_must_ask_for_it() -> None:
    jobs = Jobs()

    with pytest.raises(ConfigurationError, match="include_metadata=True"):

        @jobs.job("jobs")
        async def handler(payload: int, job: JobDetails) -> None: ...


async def test_leases_are_renewed_as_often_as_asked_for(make_boss: BossFactory, database_url: str) -> None:
    boss = await make_boss(queue_defaults=QueueOptions(heartbeat_seconds=60))
    release = asyncio.Event()

    async def handler(job: Job) -> None:
        await release.wait()

    await boss.create_queue("jobs")
    await boss.send("jobs")
    await boss.work("jobs", handler, heartbeat_refresh_seconds=0.1)

    beaten = "SELECT heartbeat_on > started_on AS beaten FROM pgboss.job WHERE state = 'active'"
    await eventually(lambda: sql(database_url, beaten) == [{"beaten": True}])
    release.set()


async def test_a_worker_may_be_stopped_without_waiting_for_what_runs(boss: PgBoss) -> None:
    started, release = asyncio.Event(), asyncio.Event()

    async def handler(job: Job) -> None:
        started.set()
        await release.wait()

    await boss.create_queue("jobs")
    await boss.send("jobs")
    await boss.work("jobs", handler, concurrency=1)
    await started.wait()

    await boss.off_work("jobs", wait=False)
    assert [data.state for data in boss.get_wip_data()] == ["stopping"]
    await boss.send("jobs")
    release.set()
    await eventually(lambda: boss.get_wip_data() == [])
    assert sorted(job.state for job in await boss.find_jobs("jobs")) == ["completed", "created"]


async def test_work_in_progress_is_told(boss: PgBoss) -> None:
    release = asyncio.Event()
    told: list[list[WipData]] = []
    boss.on("wip", told.append)

    async def handler(job: Job) -> None:
        await release.wait()

    before = datetime.now(UTC)
    await boss.create_queue("jobs")
    id = await boss.work("jobs", handler, concurrency=3, min_priority=0)
    await boss.insert("jobs", [{}, {}])

    [[data]] = [await eventually(lambda: told[0] if told else None)]
    assert (data.id, data.work_id, data.name, data.state) == (id, id, "jobs", "active")
    assert data.options == {"concurrency": 3, "min_priority": 0, "polling_interval_seconds": 0.5}
    assert 1 <= data.count <= 2
    assert data.last_fetched_on is not None
    assert data.last_job_started_on is not None
    assert before <= data.created_on <= data.last_fetched_on
    assert (data.last_job_ended_on, data.last_job_duration, data.last_error) == (None, None, None)

    release.set()
    await eventually(lambda: is_completed(boss, "jobs", 2))
    data = wip(boss, "jobs")
    assert data.count == 0
    assert data.last_job_ended_on is not None
    assert data.last_job_duration is not None


async def test_workers_of_queues_of_pg_boss_itself_are_internal(boss: PgBoss) -> None:
    await boss.create_queue("__pgboss__own")
    await boss.work("__pgboss__own", nothing)

    assert boss.get_wip_data() == []
    assert [data.name for data in boss.get_wip_data(include_internal=True)] == ["__pgboss__own"]


async def test_a_thread_that_goes_on_beyond_its_time_is_warned_of(boss: PgBoss) -> None:
    release = threading.Event()
    warnings: list[Any] = []
    boss.on("warning", warnings.append)

    def handler(job: Job) -> None:
        release.wait(10)

    await boss.create_queue("jobs", expire_in_seconds=1)
    id = await boss.send("jobs")
    await boss.work("jobs", handler)

    [warning] = await eventually(lambda: warnings)
    release.set()
    assert warning.type == "handler_overrun"
    assert warning.data == {
        "type": "handler_overrun",
        "instance": str(boss.id),
        "queue": "jobs",
        "jobs": [str(id)],
        "expireInSeconds": 1,
    }


async def test_a_coroutine_that_will_not_be_cancelled_is_warned_of(boss: PgBoss) -> None:
    release = asyncio.Event()
    warnings: list[Any] = []
    boss.on("warning", warnings.append)

    async def handler(job: Job) -> None:
        try:
            await release.wait()
        except asyncio.CancelledError:
            await release.wait()

    await boss.create_queue("jobs", expire_in_seconds=1)
    await boss.send("jobs")
    await boss.work("jobs", handler)

    [warning] = await eventually(lambda: warnings)
    release.set()
    assert (warning.type, warning.data["queue"]) == ("handler_overrun", "jobs")
