"""A clock that a test moves: the database's time, and everything that waits."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from pgboss import ConfigurationError, HandlerTimeoutError, Job, Jobs, PgBoss, SyncPgBoss, ValidationError
from pgboss.core.names import SchemaName
from pgboss.operations.drift import detect_drift
from pgboss.testing import SyncTestClock, TestClock, drain
from support.boss import BossFactory
from support.eventually import eventually
from support.postgres import sql, sql_value

START = datetime(2031, 3, 5, 7, 0, tzinfo=UTC)


async def test_the_database_reads_it_and_a_worker_waits_by_it(make_boss: BossFactory) -> None:
    clock = TestClock(START)
    boss = await make_boss(clock=clock, enable_spies=True)
    await boss.create_queue("later")
    spy = boss.get_spy("later")

    async def handler(job: Job) -> None: ...

    await boss.work("later", handler)
    id = await boss.send_after("later", {}, timedelta(hours=1))
    assert id is not None

    await clock.tick(3599)
    job = await boss.get_job(id)
    assert job is not None
    assert (job.state, job.created_on, job.start_after) == ("created", START, START + timedelta(hours=1))

    await clock.tick(1)
    await spy.wait_for_job_with_id(id, "completed")
    job = await boss.get_job(id)
    assert job is not None
    assert job.started_on == START + timedelta(hours=1) == clock.now


async def test_results_are_written_when_the_clock_says_that_they_came(
    make_boss: BossFactory, database_url: str
) -> None:
    """Results that would gather for a while may be no reason for the clock to move on without them."""
    clock = TestClock(START)
    boss = await make_boss(clock=clock)
    await boss.create_queue("later")

    async def handler(job: Job) -> None: ...

    await boss.work("later", handler)
    for minutes in range(1, 31):
        await boss.send_after("later", {}, timedelta(minutes=minutes))
    await clock.tick(timedelta(minutes=31))
    done = sql(database_url, "SELECT completed_on - started_on AS late FROM pgboss.job WHERE state = 'completed'")
    assert [row["late"] for row in done] == [timedelta(0)] * 30


async def test_retries_come_when_the_clock_gets_there(make_boss: BossFactory) -> None:
    clock = TestClock(START)
    boss = await make_boss(clock=clock, enable_spies=True)
    await boss.create_queue("flaky", retry_limit=2, retry_delay=600, retry_backoff=False)
    spy = boss.get_spy("flaky")
    attempts: list[datetime] = []

    async def handler(job: Job) -> None:
        attempts.append(clock.now)
        raise LookupError

    await boss.work("flaky", handler)
    id = await boss.send("flaky", {})
    assert id is not None
    await eventually(lambda: attempts)
    for number in (2, 3):
        await clock.tick(599)
        assert len(attempts) == number - 1
        await clock.tick(1)
        await eventually(lambda number=number: len(attempts) == number)  # type: ignore[misc]  # a default binds it now
    await spy.wait_for_job_with_id(id, "failed")

    assert attempts == [START, START + timedelta(minutes=10), START + timedelta(minutes=20)]


async def test_the_deadline_of_a_handler_is_a_matter_of_the_clock(make_boss: BossFactory) -> None:
    clock = TestClock(START)
    boss = await make_boss(clock=clock, enable_spies=True, supervise=True)
    await boss.create_queue("slow", expire_in_seconds=900, heartbeat_seconds=60, retry_limit=0)
    spy = boss.get_spy("slow")
    started = asyncio.Event()

    async def handler(job: Job) -> None:
        started.set()
        await asyncio.Event().wait()

    await boss.work("slow", handler)
    id = await boss.send("slow", {})
    assert id is not None
    await started.wait()

    # Longer than its lease: it goes on beating, however fast the time goes by.
    await clock.tick(800)
    job = await boss.get_job(id)
    assert job is not None
    assert job.state == "active"

    await clock.tick(101)
    failed = await spy.wait_for_job_with_id(id, "failed")
    assert isinstance(failed.output, dict)
    assert failed.output["message"] == "handler execution exceeded 900s"
    assert HandlerTimeoutError.__name__ == failed.output["name"]


async def test_upkeep_follows_it(make_boss: BossFactory, database_url: str) -> None:
    clock = TestClock(START)
    boss = await make_boss(clock=clock, supervise=True)
    await boss.create_queue("short", expire_in_seconds=60, retry_limit=0)
    [job] = [await boss.send("short", {})]
    assert job is not None
    await boss.fetch("short")

    await clock.tick(120)

    details = await boss.get_job(job)
    assert details is not None
    assert details.state == "failed"


async def test_it_may_jump_and_go_back(make_boss: BossFactory) -> None:
    clock = TestClock(START)
    boss = await make_boss(clock=clock)
    await boss.create_queue("mail")

    await clock.set(START + timedelta(days=365))
    id = await boss.send("mail", {})
    await clock.set(START - timedelta(days=1))
    earlier = await boss.send("mail", {})

    assert id is not None
    assert earlier is not None
    job, before = await boss.get_job(id), await boss.get_job(earlier)
    assert job is not None
    assert before is not None
    assert (job.created_on, before.created_on) == (START + timedelta(days=365), START - timedelta(days=1))
    with pytest.raises(ValidationError, match="forwards"):
        await clock.tick(-1)
    with pytest.raises(ValidationError, match="time zone"):
        await clock.set(datetime(2031, 1, 1))  # noqa: DTZ001  the mistake


async def test_nobody_else_is_on_it_and_the_last_to_leave_gives_the_real_time_back(
    make_boss: BossFactory, database_url: str
) -> None:
    plain = await make_boss()
    sql_definition = sql_value(database_url, "SELECT pg_get_functiondef('pgboss.job_now'::regproc)")
    clock = TestClock(START)
    first, second = await make_boss(clock=clock), await make_boss(clock=clock)
    await plain.create_queue("mail")
    ids = [await boss.send("mail", {}) for boss in (first, second, plain)]

    jobs = [await plain.get_job(id) for id in ids if id is not None]
    assert [job.created_on == START for job in jobs if job is not None] == [True, True, False]

    await first.stop()
    await clock.tick(60)
    assert await second.send("mail", {}) is not None
    assert sql_value(database_url, "SELECT max(created_on) FROM pgboss.job") == START + timedelta(seconds=60)
    await second.stop()
    assert sql_value(database_url, "SELECT pg_get_functiondef('pgboss.job_now'::regproc)") == sql_definition
    assert sql_value(database_url, "SELECT to_regclass('pgboss.__pgboss_test_clock')") is None
    assert await plain._run(detect_drift(SchemaName())) == []


async def test_what_a_killed_run_left_is_named_and_taken_over(make_boss: BossFactory, database_url: str) -> None:
    plain = await make_boss()
    killed = TestClock(START)
    left = PgBoss(database_url, clock=killed, supervise=False)
    await left.start()
    # What a kill leaves undone: nobody tells the clock, and nobody restores anything.
    killed.leave(left)
    await left.stop(timeout=0)
    [finding] = await plain._run(detect_drift(SchemaName()))
    assert finding.kind == "test clock"

    clock = TestClock(START + timedelta(days=1))
    boss = await make_boss(clock=clock)
    await boss.create_queue("mail")
    await boss.send("mail", {})
    assert sql_value(database_url, "SELECT created_on FROM pgboss.job") == clock.now
    await boss.stop()

    assert await plain._run(detect_drift(SchemaName())) == []


async def test_draining_by_the_clock(make_boss: BossFactory) -> None:
    jobs = Jobs()

    @jobs.job("later")
    async def later(data: None) -> None: ...

    clock = TestClock(START)
    boss = await make_boss(jobs=[jobs], work=False, clock=clock)
    await boss.send(later, start_after=timedelta(days=7))

    assert await drain(boss) == []
    await clock.tick(timedelta(days=7))
    assert [one.job.started_on for one in await drain(boss)] == [START + timedelta(days=7)]


def test_a_sync_instance_reads_it_too(database_url: str) -> None:
    clock = SyncTestClock(START)
    with SyncPgBoss(database_url, clock=clock) as boss:
        boss.create_queue("mail")
        boss.send_after("mail", {}, timedelta(hours=1))
        assert boss.fetch("mail") == []
        clock.tick(timedelta(hours=1))
        [job] = boss.fetch("mail")
        assert job.started_on == START + timedelta(hours=1)
    assert sql(database_url, "SELECT FROM pg_proc WHERE proname = 'job_now' AND prosrc LIKE '%test_clock%'") == []


async def test_a_pool_of_the_callers_is_refused(database_url: str) -> None:
    from psycopg_pool import AsyncConnectionPool

    pool = AsyncConnectionPool(database_url, open=False)
    with pytest.raises(ConfigurationError, match="pool of our own"):
        PgBoss(pool=pool, clock=TestClock())


async def test_two_moves_at_once_are_refused(make_boss: BossFactory) -> None:
    clock = TestClock(START)
    await make_boss(clock=clock)
    moving = asyncio.create_task(clock.tick(1000))
    await asyncio.sleep(0)
    with pytest.raises(ValidationError, match="one at a time"):
        await clock.tick(1)
    await moving
