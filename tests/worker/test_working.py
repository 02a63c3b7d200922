"""Workers at work: how many at once, in which order, how soon, and what becomes of what handlers do."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pgboss import ConfigurationError, Job, JobDetails, Jobs, PgBoss, QueueNotFoundError, StoppedError
from support.boss import BossFactory
from support.eventually import eventually
from support.postgres import sql

# A handler that returns at once, of either kind, and a job that waits in the meantime.
Handler = Callable[[Job], Any]


async def finished(boss: PgBoss, queue: str, count: int = 1) -> list[JobDetails] | None:
    jobs = await boss.find_jobs(queue)
    over = [job for job in jobs if job.state in ("completed", "failed")]
    return over if len(over) == count else None


@pytest.mark.parametrize("kind", ["async", "thread"])
async def test_a_hundred_jobs_run_five_at_a_time(boss: PgBoss, kind: str) -> None:
    gauge = Gauge()

    async def in_the_loop(job: Job) -> None:
        with gauge:
            await asyncio.sleep(0.005)

    def in_a_thread(job: Job) -> None:
        with gauge:
            time.sleep(0.005)

    await boss.create_queue("jobs")
    await boss.insert("jobs", [{"data": number} for number in range(100)])
    await boss.work("jobs", in_the_loop if kind == "async" else in_a_thread, concurrency=5)

    await eventually(lambda: finished(boss, "jobs", 100), within=10)
    assert gauge.most == 5


async def test_concurrency_comes_from_the_environment(
    boss: PgBoss, make_boss: BossFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGBOSS_CONCURRENCY", "3")
    instance = await make_boss()
    gauge, release = Gauge(), asyncio.Event()

    async def handler(job: Job) -> None:
        with gauge:
            await release.wait()

    await boss.create_queue("jobs")
    await boss.insert("jobs", [{} for _ in range(10)])
    await instance.work("jobs", handler)

    await eventually(lambda: gauge.now == 3)
    release.set()
    await eventually(lambda: finished(boss, "jobs", 10))
    assert gauge.most == 3


async def test_urgent_jobs_come_first_and_old_ones_before_new_ones(boss: PgBoss) -> None:
    order: list[str] = []

    async def handler(job: Job) -> None:
        order.append(job.data)

    await boss.create_queue("jobs")
    for label, priority in (("low", -1), ("first", 0), ("second", 0), ("urgent", 10)):
        await boss.send("jobs", label, priority=priority)
    await boss.work("jobs", handler, concurrency=1)

    await eventually(lambda: finished(boss, "jobs", 4))
    assert order == ["urgent", "first", "second", "low"]


async def test_a_deferred_job_starts_at_its_time_and_within_a_second(boss: PgBoss) -> None:
    async def handler(job: Job) -> None:
        return None

    await boss.create_queue("jobs")
    await boss.work("jobs", handler)
    start_after = datetime.now(UTC) + timedelta(seconds=1.3)
    await boss.send("jobs", start_after=start_after)

    [job] = await eventually(lambda: finished(boss, "jobs"))
    assert job.started_on is not None
    assert timedelta() <= job.started_on - start_after < timedelta(seconds=1)


@pytest.mark.parametrize("notify", [True, False])
async def test_pickup_takes_less_than_a_second(make_boss: BossFactory, notify: bool) -> None:
    boss = await make_boss(listen=notify)
    waits: list[float] = []

    async def handler(job: Job) -> None:
        assert job.started_on is not None
        waits.append((job.started_on - job.created_on).total_seconds())

    await boss.create_queue("jobs", notify=notify)
    await boss.work("jobs", handler)
    for number in range(5):
        await boss.send("jobs")
        await eventually(lambda: finished(boss, "jobs", number + 1))  # noqa: B023  awaited at once

    assert max(waits) < 1


async def test_a_job_inserted_by_plain_sql_is_found(boss: PgBoss, database_url: str) -> None:
    async def handler(job: Job) -> str:
        return "found"

    await boss.create_queue("jobs")
    await boss.work("jobs", handler)
    sql(database_url, "INSERT INTO pgboss.job (name) VALUES ('jobs')")

    [job] = await eventually(lambda: finished(boss, "jobs"))
    assert job.output == {"value": "found"}


@pytest.mark.slow
async def test_retries_back_off_and_start_within_a_second_of_their_time(boss: PgBoss) -> None:
    """With a delay of 1 s the pauses are 1..2, 2..4 and 4..8 s long: base x 2^n / 2 to base x 2^n."""
    starts: list[datetime] = []
    due: list[datetime] = []

    async def handler(job: Job) -> None:
        assert job.started_on is not None
        starts.append(job.started_on)
        raise ValueError(f"attempt {job.retry_count}")

    await boss.create_queue("jobs", retry_limit=3, retry_delay=1, retry_backoff=True)
    await boss.work("jobs", handler)
    await boss.send("jobs")
    for attempt in range(3):
        job = await eventually(lambda: retrying(boss, attempt), within=12)  # noqa: B023  awaited at once
        due.append(job.start_after)

    [failed] = await eventually(lambda: finished(boss, "jobs"), within=12)
    assert (failed.state, failed.retry_count) == ("failed", 3)
    for number, (begin, planned, actual) in enumerate(zip(starts, due, starts[1:], strict=False)):
        pause = (planned - begin).total_seconds()
        assert 2**number <= pause < 2 ** (number + 1) + 0.5, f"pause {number} was {pause} s"
        assert 0 <= (actual - planned).total_seconds() < 1


async def retrying(boss: PgBoss, attempt: int) -> JobDetails | None:
    [job] = await boss.find_jobs("jobs")
    return job if job.state == "retry" and job.retry_count == attempt else None


def exits(job: Job) -> None:
    sys.exit(7)


def recurses(job: Job) -> None:
    recurses(job)


async def exits_in_the_loop(job: Job) -> None:
    sys.exit(7)


async def interrupts(job: Job) -> None:
    raise KeyboardInterrupt


async def cancels_itself(job: Job) -> None:
    raise asyncio.CancelledError


def stops_iteration(job: Job) -> None:
    raise StopIteration("odd")


class UnprintableError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


async def unprintable(job: Job) -> None:
    raise UnprintableError


async def holds_nul(job: Job) -> None:
    raise ValueError("a\x00b \ud800")


async def returns_a_set(job: Job) -> set[int]:
    return {1}


async def returns_nan(job: Job) -> float:
    return float("nan")


@pytest.mark.parametrize(
    ("handler", "name", "message"),
    [
        (exits, "SystemExit", "7"),
        (exits_in_the_loop, "SystemExit", "7"),
        (interrupts, "KeyboardInterrupt", ""),
        (cancels_itself, "CancelledError", ""),
        (recurses, "RecursionError", "maximum recursion depth exceeded"),
        (stops_iteration, "RuntimeError", "StopIteration"),
        (unprintable, "UnprintableError", "could not be made"),
        (holds_nul, "ValueError", "a\ufffdb"),
        (returns_a_set, "PayloadError", "set"),
        (returns_nan, "PayloadError", "NaN"),
    ],
)
async def test_whatever_a_handler_does_fails_its_own_job_only(
    boss: PgBoss, handler: Handler, name: str, message: str
) -> None:
    async def harmless(job: Job) -> None:
        return None

    await boss.create_queue("odd", retry_limit=0)
    await boss.create_queue("even")
    await boss.send("odd")
    await boss.work("odd", handler)
    await boss.work("even", harmless)

    [job] = await eventually(lambda: finished(boss, "odd"))
    await boss.send("even")
    [other] = await eventually(lambda: finished(boss, "even"))
    assert (job.state, job.output["name"], other.state) == ("failed", name, "completed")
    assert message in job.output["message"]


async def test_a_traceback_begins_with_the_handler(boss: PgBoss) -> None:
    def in_a_thread(job: Job) -> None:
        raise ValueError("no good")

    await boss.create_queue("jobs", retry_limit=0)
    await boss.send("jobs")
    await boss.work("jobs", in_a_thread)

    [job] = await eventually(lambda: finished(boss, "jobs"))
    first_frame = job.output["stack"].splitlines()[1]
    assert __file__ in first_frame
    assert "in_a_thread" in first_frame


async def test_a_handler_that_overruns_its_time_fails_and_keeps_its_slot(boss: PgBoss) -> None:
    release = threading.Event()

    def hangs(job: Job) -> None:
        release.wait(20)

    await boss.create_queue("jobs", retry_limit=0, expire_in_seconds=1)
    await boss.send("jobs", "first")
    await boss.work("jobs", hangs, concurrency=1)
    [job] = await eventually(lambda: finished(boss, "jobs"))
    second = await boss.send("jobs", "second", expire_in_seconds=60)

    assert job.output["name"] == "HandlerTimeoutError"
    assert job.output["message"] == "handler execution exceeded 1s"
    waiting = await boss.get_job(str(second), queue="jobs")
    assert waiting is not None
    assert waiting.state == "created"
    release.set()
    await eventually(lambda: finished(boss, "jobs", 2))


async def test_a_row_that_does_not_fit_the_payload_fails_without_retries(make_boss: BossFactory) -> None:
    jobs = Jobs()

    @jobs.job("typed", retry_limit=5, dead_letter="unreadable")
    async def typed(payload: dict[str, int]) -> None:
        raise AssertionError("must not be called")

    boss = await make_boss(jobs=[jobs])
    await boss.send("typed", {"a": "no number"})

    [job] = await eventually(lambda: finished(boss, "typed"))
    assert (job.state, job.retry_count, job.output["name"]) == ("failed", 0, "PayloadError")
    assert job.output["message"].startswith("typed: ")
    assert len(await boss.find_jobs("unreadable")) == 1


async def test_a_worker_creates_the_queues_of_its_definitions(make_boss: BossFactory) -> None:
    jobs = Jobs()
    jobs.declare("plain")
    jobs.declare("first", retry_limit=7, dead_letter="middle")
    jobs.declare("last", retry_limit=0, dead_letter="undeclared")
    jobs.declare("middle", dead_letter="last")

    boss = await make_boss(jobs=[jobs])

    queues = {queue.name: queue for queue in await boss.get_queues()}
    assert set(queues) == {"plain", "first", "middle", "last", "undeclared"}
    plain = queues["plain"]
    assert (plain.retry_limit, plain.retry_delay, plain.retry_backoff) == (3, 1, True)
    assert (plain.expire_in_seconds, plain.heartbeat_seconds, plain.notify) == (86400, 60, True)
    assert (queues["first"].retry_limit, queues["first"].dead_letter) == (7, "middle")


async def test_queues_that_are_one_anothers_dead_letter_are_refused(make_boss: BossFactory) -> None:
    jobs = Jobs()
    jobs.declare("a", dead_letter="b")
    jobs.declare("b", dead_letter="a")

    with pytest.raises(ConfigurationError, match=r"in a ring: [ab] -> [ab] -> [ab]"):
        await make_boss(jobs=[jobs])


async def test_an_existing_queue_is_left_as_it_is(boss: PgBoss, make_boss: BossFactory) -> None:
    await boss.create_queue("mine", retry_limit=1)
    jobs = Jobs()
    jobs.declare("mine", retry_limit=9)

    await make_boss(jobs=[jobs])

    queue = await boss.get_queue("mine")
    assert queue is not None
    assert queue.retry_limit == 1


async def test_off_work_waits_for_what_runs_and_claims_no_more(boss: PgBoss) -> None:
    started, release = asyncio.Event(), asyncio.Event()

    async def handler(job: Job) -> None:
        started.set()
        await release.wait()

    await boss.create_queue("jobs")
    await boss.insert("jobs", [{"data": 1}, {"data": 2}])
    worker = await boss.work("jobs", handler, concurrency=1)
    await started.wait()
    leaving = asyncio.create_task(boss.off_work("jobs", id=worker))
    release.set()
    await leaving

    assert sorted(job.state for job in await boss.find_jobs("jobs")) == ["completed", "created"]


async def test_two_workers_share_a_queue_without_doubles(make_boss: BossFactory) -> None:
    seen: list[int] = []

    async def handler(job: Job) -> None:
        seen.append(job.data)

    first, second = await make_boss(), await make_boss()
    await first.create_queue("jobs")
    await first.insert("jobs", [{"data": number} for number in range(500)])
    await first.work("jobs", handler)
    await second.work("jobs", handler)

    await eventually(lambda: finished(first, "jobs", 500), within=10)
    assert sorted(seen) == list(range(500))


async def test_work_needs_a_queue_a_handler_and_a_started_instance(boss: PgBoss, database_url: str) -> None:
    async def handler(job: Job) -> None:
        return None

    with pytest.raises(QueueNotFoundError, match="'nowhere' does not exist"):
        await boss.work("nowhere", handler)
    with pytest.raises(ConfigurationError, match="needs a handler"):
        await boss.work("nowhere")
    with pytest.raises(ConfigurationError, match="without a handler"):
        await boss.work(Jobs().declare("elsewhere"))
    with pytest.raises(StoppedError, match="start"):
        await PgBoss(database_url).work("nowhere", handler)


class Gauge:
    """How many are inside at the moment, and the most that ever were."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.now = 0
        self.most = 0

    def __enter__(self) -> None:
        with self._lock:
            self.now += 1
            self.most = max(self.most, self.now)

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self.now -= 1
