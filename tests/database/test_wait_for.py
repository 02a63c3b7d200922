"""Waiting for one job's result."""

from __future__ import annotations

import asyncio
import threading
import time
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from pydantic import BaseModel

from pgboss import (
    Discard,
    Job,
    JobCancelledError,
    JobFailedError,
    JobNotFoundError,
    Jobs,
    PgBoss,
    StoppedError,
    SyncPgBoss,
    ValidationError,
    WaitTimeoutError,
)
from support.boss import BossFactory
from support.eventually import eventually


class Sum(BaseModel):
    total: int


async def test_a_definition_gives_its_result_in_its_type(make_boss: BossFactory) -> None:
    jobs = Jobs()

    @jobs.job("add")
    async def add(numbers: list[int]) -> Sum:
        return Sum(total=sum(numbers))

    boss = await make_boss(jobs=[jobs])
    id = await boss.send(add, [1, 2, 3])
    assert id is not None

    result = await boss.wait_for(id, queue=add, timeout=10)
    total: Sum | None = result.value
    assert total == Sum(total=6)
    assert (result.state, result.job.id) == ("completed", id)


async def test_a_job_that_is_over_is_not_waited_for(boss: PgBoss) -> None:
    await boss.create_queue("jobs")
    id = await boss.send("jobs")
    [job] = await boss.fetch("jobs")
    await boss.complete("jobs", job, 42)

    assert id is not None
    assert (await boss.wait_for(id)).value == 42
    assert (await boss.wait_for(str(id), queue="jobs", timeout=timedelta(seconds=1))).value == 42


async def test_retries_are_waited_for_and_a_failure_raises_where_the_value_is_asked_for(boss: PgBoss) -> None:
    async def handler(job: Job) -> None:
        raise Discard("no such page") if job.retry_count else KeyError("once")

    await boss.create_queue("jobs", retry_limit=3)
    id = await boss.send("jobs")
    await boss.work("jobs", handler)

    assert id is not None
    result = await boss.wait_for(id, timeout=10)
    assert (result.state, result.job.retry_count) == ("failed", 1)
    with pytest.raises(JobFailedError, match=f"Job {id} of queue jobs failed: no such page") as raised:
        result.value  # noqa: B018  it is the asking that raises
    assert raised.value.job.output["name"] == "Discard"


async def test_a_cancelled_job_has_ended_too(boss: PgBoss) -> None:
    await boss.create_queue("jobs")
    id = await boss.send("jobs")
    assert id is not None
    waiting = asyncio.create_task(boss.wait_for(id, timeout=10))
    await eventually(lambda: boss._job_watch._waiting)

    await boss.cancel("jobs", id)
    result = await waiting
    assert result.state == "cancelled"
    with pytest.raises(JobCancelledError):
        result.value  # noqa: B018  it is the asking that raises


async def test_a_job_that_is_gone_is_told(boss: PgBoss) -> None:
    with pytest.raises(JobNotFoundError, match="There is no job"):
        await boss.wait_for(uuid4())

    await boss.create_queue("jobs")
    id = await boss.send("jobs")
    assert id is not None
    waiting = asyncio.create_task(boss.wait_for(id, timeout=10))
    await eventually(lambda: boss._job_watch._waiting)
    await boss.delete_job("jobs", id)
    with pytest.raises(JobNotFoundError):
        await waiting


async def test_a_wait_has_its_time_and_leaves_the_job_alone(boss: PgBoss) -> None:
    await boss.create_queue("jobs")
    id = await boss.send("jobs")
    assert id is not None

    with pytest.raises(WaitTimeoutError, match=f"Job {id} of queue jobs has not ended within 0.2 s") as raised:
        await boss.wait_for(id, timeout=0.2)
    assert isinstance(raised.value, TimeoutError)
    assert [job.state for job in await boss.find_jobs("jobs")] == ["created"]
    wrong: Any = 0
    with pytest.raises(ValidationError, match="timeout must be a positive number of seconds, not 0"):
        await boss.wait_for(id, timeout=wrong)


async def test_many_wait_in_one_statement(boss: PgBoss, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[int] = []
    look = boss._job_watch._look

    async def counted(keys: Any) -> None:
        looks.append(len(keys))
        await look(keys)

    monkeypatch.setattr(boss._job_watch, "_look", counted)
    await boss.create_queue("jobs")
    ids = await boss.insert("jobs", [{} for _ in range(200)], return_id=True)
    assert ids is not None
    waiting = asyncio.gather(*(boss.wait_for(id, queue="jobs", timeout=20) for id in ids))
    await eventually(lambda: 200 in looks, within=15)
    assert len(looks) < 200

    async def nothing(job: Job) -> None: ...

    await boss.work("jobs", nothing)
    assert {result.state for result in await waiting} == {"completed"}


async def test_a_stop_lets_those_go_who_wait(make_boss: BossFactory) -> None:
    boss = await make_boss()
    await boss.create_queue("jobs")
    id = await boss.send("jobs")
    assert id is not None
    waiting = asyncio.create_task(boss.wait_for(id))
    await eventually(lambda: boss._job_watch._waiting)

    await boss.stop()
    with pytest.raises(StoppedError):
        await waiting


def test_programs_without_asyncio_wait_too(database_url: str) -> None:
    with SyncPgBoss(database_url) as boss:
        boss.create_queue("jobs")
        id = boss.send("jobs")
        assert id is not None
        with pytest.raises(WaitTimeoutError):
            boss.wait_for(id, timeout=0.1)

        def work() -> None:
            [job] = boss.fetch("jobs")
            boss.complete("jobs", job, {"done": True})

        began = time.monotonic()
        thread = threading.Thread(target=work)
        thread.start()
        assert boss.wait_for(id, timeout=10).value == {"done": True}
        assert time.monotonic() - began < 8
        thread.join()
        with pytest.raises(JobNotFoundError):
            boss.wait_for(uuid4())
