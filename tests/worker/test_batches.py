"""Handlers that take lists: what they are given, and what becomes of each job by what they answer."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from pgboss import ConfigurationError, Discard, Job, JobDetails, Jobs, PgBoss, Snooze, ValidationError
from support.boss import BossFactory
from support.eventually import eventually
from support.postgres import sql


async def jobs_by_data(boss: PgBoss, queue: str = "jobs") -> dict[Any, JobDetails]:
    return {job.data: job for job in await boss.find_jobs(queue)}


async def settled(boss: PgBoss, queue: str = "jobs") -> dict[Any, JobDetails] | None:
    """All jobs of a queue by their data, once none is active or has yet to run for the first time."""
    found = await jobs_by_data(boss, queue)
    return None if any(job.state in ("created", "active") for job in found.values()) else found


async def send_all(boss: PgBoss, *data: Any, queue: str = "jobs", **options: Any) -> None:
    await boss.create_queue(queue, **options)
    await boss.insert(queue, [{"data": each} for each in data])


async def test_a_batch_holds_what_is_due_in_order(boss: PgBoss) -> None:
    batches: list[list[Any]] = []

    async def handler(jobs: list[Job]) -> None:
        batches.append([job.data for job in jobs])

    await boss.create_queue("jobs")
    for number in range(7):
        await boss.send("jobs", number, priority=1 if number == 6 else 0)
    await boss.work("jobs", handler, batch_size=3, concurrency=1)

    found = await eventually(lambda: settled(boss))
    assert batches == [[6, 0, 1], [2, 3, 4], [5]]
    assert {(job.state, job.output) for job in found.values()} == {("completed", None)}


async def test_batches_run_at_once_up_to_the_concurrency(boss: PgBoss) -> None:
    running: list[int] = []
    release = asyncio.Event()

    async def handler(jobs: list[Job]) -> None:
        running.append(len(jobs))
        await release.wait()

    await send_all(boss, *range(12))
    await boss.work("jobs", handler, batch_size=4, concurrency=2)

    await eventually(lambda: len(running) == 2)
    assert [job.state for job in await boss.find_jobs("jobs")].count("active") == 8
    release.set()
    await eventually(lambda: settled(boss))
    assert running == [4, 4, 4]


async def test_one_job_is_a_list_too_even_with_a_batch_size_of_one(boss: PgBoss) -> None:
    async def handler(jobs: list[Job]) -> list[Any]:
        return [f"got {job.data}" for job in jobs]

    await send_all(boss, "a", "b")
    await boss.work("jobs", handler, batch_size=1)

    found = await eventually(lambda: settled(boss))
    assert found["a"].output == {"value": "got a"}
    assert found["b"].output == {"value": "got b"}


async def test_a_list_of_results_gives_each_job_its_own(boss: PgBoss) -> None:
    def handler(jobs: list[Job]) -> list[object]:
        assert threading.current_thread() is not threading.main_thread()
        answers = {"fine": {"chunks": 3}, "nothing": None, "fails": ValueError("no good"),
                   "gone": Discard("unknown"), "early": Snooze(timedelta(hours=1)), "odd": {1, 2}}  # fmt: skip
        return [answers[job.data] for job in jobs]

    await boss.create_queue("dead")
    await send_all(boss, "fine", "nothing", "fails", "gone", "early", "odd", retry_limit=2, retry_delay=60,
                   dead_letter="dead")  # fmt: skip
    await boss.work("jobs", handler, batch_size=10, concurrency=1)

    await eventually(lambda: is_retried(boss, "fails"))
    found = await eventually(lambda: jobs_by_data(boss))
    assert (found["fine"].state, found["fine"].output) == ("completed", {"chunks": 3})
    assert (found["nothing"].state, found["nothing"].output) == ("completed", None)
    assert (found["fails"].output["name"], found["fails"].output["message"]) == ("ValueError", "no good")
    assert (found["gone"].state, found["gone"].output["name"]) == ("failed", "Discard")
    assert (found["odd"].state, found["odd"].output["name"]) == ("retry", "PayloadError")
    early = found["early"]
    assert (early.state, early.started_on, early.retry_count) == ("created", None, 0)
    assert early.start_after - early.created_on > timedelta(minutes=59)
    [dead] = await boss.find_jobs("dead")
    assert (dead.data, dead.source_id) == ("gone", found["gone"].id)


async def is_retried(boss: PgBoss, data: str) -> bool:
    """Whether it is, and nothing of its batch is still to be written."""
    jobs = await jobs_by_data(boss)
    return jobs[data].state == "retry" and all(job.state != "active" for job in jobs.values())


async def test_what_gather_returns_is_an_answer(boss: PgBoss) -> None:
    """Each failure keeps the traceback of its own call."""

    async def halve(number: int) -> int:
        if number % 2:
            raise ValueError(f"{number} is odd")
        return number // 2

    async def handler(jobs: list[Job]) -> list[int | BaseException]:
        return await asyncio.gather(*[halve(job.data) for job in jobs], return_exceptions=True)

    await send_all(boss, *range(6), retry_limit=0)
    await boss.work("jobs", handler, batch_size=6)

    found = await eventually(lambda: settled(boss))
    assert [found[n].state for n in range(6)] == ["completed", "failed"] * 3
    assert [found[n].output for n in (0, 2, 4)] == [{"value": 0}, {"value": 1}, {"value": 2}]
    assert [found[n].output["message"] for n in (1, 3, 5)] == ["1 is odd", "3 is odd", "5 is odd"]
    assert "in halve" in found[5].output["stack"]


@pytest.mark.parametrize("key", [lambda job: job.id, lambda job: str(job.id)], ids=["uuid", "text"])
async def test_a_mapping_answers_by_id_and_who_is_missing_fails(boss: PgBoss, key: Callable[[Job], Any]) -> None:
    async def handler(jobs: list[Job]) -> Mapping[Any, object]:
        answers: dict[str, object] = {"one": 1, "nothing": None, "bad": RuntimeError("bad")}
        known = {key(job): answers[job.data] for job in jobs if job.data in answers}
        return {**known, UUID(int=7): "nobody's"}

    await send_all(boss, "one", "nothing", "bad", "forgotten", retry_limit=0)
    await boss.work("jobs", handler, batch_size=10)

    found = await eventually(lambda: settled(boss))
    assert {data: job.state for data, job in found.items()} == {
        "one": "completed", "nothing": "completed", "bad": "failed", "forgotten": "failed"
    }  # fmt: skip
    assert found["one"].output == {"value": 1}
    assert found["forgotten"].output["message"] == "no disposition returned by handler"


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ([1], "jobs: the handler of a batch of 2 returned a list of 1. It must return None, a list with one result"),
        ([1, 2, 3], "returned a list of 3"),
        ("ab", "returned 'ab'. It must return None"),
        (2, "returned 2"),
        ({7}, "returned {7}"),
    ],
)
async def test_any_other_answer_fails_the_whole_batch(boss: PgBoss, answer: object, message: str) -> None:
    async def handler(jobs: list[Job]) -> object:
        return answer

    await send_all(boss, 1, 2, retry_limit=0)
    await boss.work("jobs", handler, batch_size=2)

    found = await eventually(lambda: settled(boss))
    for job in found.values():
        assert (job.state, job.output["name"]) == ("failed", "HandlerResultError")
        assert message in job.output["message"]


async def test_a_plain_function_that_returns_a_coroutine_is_told_so(boss: PgBoss) -> None:
    async def late(jobs: list[Job]) -> None: ...

    def forgets_to_await(jobs: list[Job]) -> object:
        return late(jobs)

    await send_all(boss, 1, retry_limit=0)
    await boss.work("jobs", forgets_to_await, batch_size=2)

    found = await eventually(lambda: settled(boss))
    assert "returned a coroutine, which was not awaited" in found[1].output["message"]


@pytest.mark.parametrize(
    ("raised", "state", "output"),
    [
        (ValueError("all of them"), "retry", "ValueError"),
        (Discard("all of them"), "failed", "Discard"),
        (Snooze(3600), "created", None),
    ],
)
async def test_what_a_handler_raises_counts_for_the_whole_batch(
    boss: PgBoss, raised: Exception, state: str, output: str | None
) -> None:
    async def handler(jobs: list[Job]) -> None:
        raise raised

    await send_all(boss, 1, 2, retry_limit=3, retry_delay=3600)
    await boss.work("jobs", handler, batch_size=2)

    async def all_in_state() -> dict[Any, JobDetails] | None:
        found = await jobs_by_data(boss)
        begun = state != "created" or all(job.start_after > job.created_on for job in found.values())
        return found if begun and {job.state for job in found.values()} == {state} else None

    found = await eventually(all_in_state)
    assert {job.output and job.output["name"] for job in found.values()} == {output}


async def test_a_batch_has_the_time_of_its_most_patient_job(boss: PgBoss) -> None:
    release = asyncio.Event()

    async def handler(jobs: list[Job]) -> None:
        await release.wait()

    await boss.create_queue("jobs", retry_limit=0)
    await boss.insert("jobs", [{"data": 1, "expire_in_seconds": 1}, {"data": 2, "expire_in_seconds": 2}])
    await boss.work("jobs", handler, batch_size=2)

    found = await eventually(lambda: settled(boss))
    assert {job.output["message"] for job in found.values()} == {"handler execution exceeded 2s"}


async def test_an_unreadable_job_fails_alone_and_at_once(make_boss: BossFactory, database_url: str) -> None:
    jobs = Jobs()
    release = asyncio.Event()
    given: list[list[int]] = []

    @jobs.batch("numbers", batch_size=5, concurrency=1, retry_limit=3)
    async def numbers(payloads: list[int], jobs: list[Job]) -> list[int]:
        given.append(payloads)
        assert [job.data for job in jobs] == payloads
        await release.wait()
        return [number * 2 for number in payloads]

    boss = await make_boss(jobs=[jobs], work=False)
    await boss.insert("numbers", [{"data": 1}, {"data": "no number"}, {"data": 3}])
    await boss.work(numbers)

    await eventually(lambda: given)
    odd = await eventually(lambda: state_of(boss, "no number", "failed"))
    assert (odd.retry_count, odd.output["name"]) == (0, "PayloadError")
    release.set()
    found = await eventually(lambda: settled(boss, "numbers"))
    assert [sorted(payloads) for payloads in given] == [[1, 3]]
    assert [numbers.result_of(found[data]) for data in (1, 3, "no number")] == [2, 6, None]


async def state_of(boss: PgBoss, data: object, state: str) -> JobDetails | None:
    job = (await jobs_by_data(boss, "numbers"))[data]
    return job if job.state == state else None


async def test_a_batch_of_nothing_but_unreadable_jobs_calls_nobody(make_boss: BossFactory) -> None:
    jobs = Jobs()

    @jobs.batch("numbers", batch_size=5)
    async def numbers(payloads: list[int]) -> None:
        raise AssertionError("must not be called")

    boss = await make_boss(jobs=[jobs])
    await boss.insert("numbers", [{"data": "a"}, {"data": "b"}])

    found = await eventually(lambda: settled(boss, "numbers"))
    assert {job.output["name"] for job in found.values()} == {"PayloadError"}


@dataclass
class Text:
    text: str


@dataclass
class Length:
    characters: int


async def test_typed_batches_read_and_write_models(make_boss: BossFactory) -> None:
    jobs = Jobs()

    @jobs.batch("measure", batch_size=10)
    def measure(payloads: list[Text]) -> list[Length]:
        return [Length(len(payload.text)) for payload in payloads]

    boss = await make_boss(jobs=[jobs])
    job_id = await boss.send(measure, Text("four"))

    found = await eventually(lambda: completed(boss, job_id))
    assert found.output == {"characters": 4}
    assert measure.result_of(found) == Length(4)
    assert measure.payload_of(found) == Text("four")


async def completed(boss: PgBoss, job_id: UUID | None) -> JobDetails | None:
    job = await boss.get_job(str(job_id))
    return job if job is not None and job.state == "completed" else None


async def test_a_job_that_is_lost_leaves_its_batch_alone(boss: PgBoss, database_url: str) -> None:
    """Its result is dropped; the others keep theirs."""
    started, release = asyncio.Event(), asyncio.Event()

    async def handler(jobs: list[Job]) -> list[str]:
        started.set()
        await release.wait()
        return ["done" for _ in jobs]

    await send_all(boss, "kept", "lost")
    sql(database_url, "UPDATE pgboss.job SET heartbeat_seconds = 1")
    await boss.work("jobs", handler, batch_size=2)
    await started.wait()
    [lost] = [job for job in await boss.find_jobs("jobs") if job.data == "lost"]
    await boss.cancel("jobs", lost.id)
    release.set()

    found = await eventually(lambda: settled(boss))
    assert (found["kept"].state, found["kept"].output) == ("completed", {"value": "done"})
    assert (found["lost"].state, found["lost"].output) == ("cancelled", None)


async def test_a_batch_that_lost_all_its_jobs_is_cancelled(boss: PgBoss, database_url: str) -> None:
    started, cancelled = asyncio.Event(), asyncio.Event()

    async def handler(jobs: list[Job]) -> None:
        started.set()
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            cancelled.set()
            raise

    await send_all(boss, 1, 2)
    sql(database_url, "UPDATE pgboss.job SET heartbeat_seconds = 1")
    await boss.work("jobs", handler, batch_size=2)
    await started.wait()
    for job in await boss.find_jobs("jobs"):
        await boss.cancel("jobs", job.id)

    async with asyncio.timeout(5):
        await cancelled.wait()


async def test_off_work_waits_for_the_batch_in_hand_and_leaves_the_rest(boss: PgBoss) -> None:
    started, release = asyncio.Event(), asyncio.Event()

    async def handler(jobs: list[Job]) -> None:
        started.set()
        await release.wait()

    await send_all(boss, *range(5))
    await boss.work("jobs", handler, batch_size=2, concurrency=1)
    await started.wait()
    leaving = asyncio.create_task(boss.off_work("jobs"))
    release.set()
    await leaving

    states = sorted(job.state for job in await boss.find_jobs("jobs"))
    assert states == ["completed"] * 2 + ["created"] * 3


async def test_a_stop_that_nobody_waits_for_fails_every_job_of_the_batch(
    make_boss: BossFactory, database_url: str
) -> None:
    started = asyncio.Event()

    async def handler(jobs: list[Job]) -> None:
        started.set()
        await asyncio.sleep(60)

    boss = await make_boss()
    await send_all(boss, *range(5))
    await boss.work("jobs", handler, batch_size=3, concurrency=1)
    await started.wait()
    await boss.stop(timeout=0)

    rows = sql(database_url, "SELECT state::text, output FROM pgboss.job ORDER BY state")
    assert [row["state"] for row in rows] == ["created"] * 2 + ["retry"] * 3
    assert [row["output"] for row in rows[2:]] == [{"value": "pg-boss shut down while active"}] * 3


@pytest.mark.parametrize("kind", ["loop", "thread"])
async def test_a_thousand_jobs_in_batches_run_once_each(make_boss: BossFactory, kind: str) -> None:
    seen: list[int] = []

    async def in_the_loop(jobs: list[Job]) -> None:
        seen.extend(job.data for job in jobs)

    def in_a_thread(jobs: list[Job]) -> None:
        seen.extend(job.data for job in jobs)

    first, second = await make_boss(), await make_boss()
    await send_all(first, *range(1000))
    for instance in (first, second):
        await instance.work("jobs", in_the_loop if kind == "loop" else in_a_thread, batch_size=30, concurrency=3)

    await eventually(lambda: settled(first), within=15)
    assert sorted(seen) == list(range(1000))


async def test_a_worker_may_make_the_batches_of_a_definition_smaller(make_boss: BossFactory) -> None:
    jobs = Jobs()
    sizes: list[int] = []

    @jobs.batch("many", batch_size=50, concurrency=1)
    async def many(payloads: list[Any]) -> None:
        sizes.append(len(payloads))

    boss = await make_boss(jobs=[jobs], work=False)
    await boss.insert("many", [{"data": number} for number in range(4)])
    await boss.work(many, batch_size=2)

    await eventually(lambda: settled(boss, "many"))
    assert sizes == [2, 2]


async def test_options_that_do_not_fit_the_handler_are_refused(boss: PgBoss) -> None:
    jobs = Jobs()

    @jobs.job("single")
    async def single(payload: Any) -> None: ...

    async def takes_one(job: Job) -> None: ...

    async def takes_two(jobs: list[Job], more: Any) -> None: ...

    await boss.create_queue("jobs")
    with pytest.raises(ConfigurationError, match=r"'single' takes what its definition says: batch_size is for those"):
        await boss.work(single, batch_size=2)
    with pytest.raises(ConfigurationError, match=r"must take the list of jobs and nothing else"):
        await boss.work("jobs", takes_two, batch_size=2)
    with pytest.raises(ValidationError, match=r"jobs: batch_size must be an integer of 1 or more, not 0"):
        await boss.work("jobs", takes_one, batch_size=0)
    with pytest.raises(ValidationError, match=r"jobs: concurrency must be an integer from 1 to 10000, not 0"):
        await boss.work("jobs", takes_one, concurrency=0)
    with pytest.raises(ValidationError, match=r"jobs: min_priority \(2\) must not be above max_priority \(1\)"):
        await boss.work("jobs", takes_one, min_priority=2, max_priority=1)
    with pytest.raises(ConfigurationError, match=r"work\(\) has no option 'batchSize'; there are batch_size"):
        await boss.work("jobs", takes_one, batchSize=2)  # type: ignore[call-arg]  # what is refused


async def test_a_worker_leaves_other_priorities_to_others(boss: PgBoss) -> None:
    seen: list[int] = []

    async def handler(job: Job) -> None:
        seen.append(job.priority)

    await boss.create_queue("jobs")
    await boss.insert("jobs", [{"data": number, "priority": number} for number in range(-2, 4)])
    await boss.work("jobs", handler, min_priority=0, max_priority=2)

    await eventually(lambda: sorted(seen) == [0, 1, 2])
    states = {job.priority: job.state for job in await boss.find_jobs("jobs")}
    assert (states[-2], states[3]) == ("created", "created")
