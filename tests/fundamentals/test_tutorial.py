"""The tutorial: one idea a test, with nothing but the public API."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import cast

import psycopg
import pytest
from pydantic import BaseModel

from pgboss import Discard, Job, JobDetails, Jobs, PgBoss, Snooze, SyncPgBoss
from support.eventually import eventually


class Welcome(BaseModel):
    to: str
    greeting: str = "Hello"


@dataclass
class Sent:
    text: str


async def test_send_a_job_and_work_it(database_url: str) -> None:
    done = asyncio.Event()

    async def handler(job: Job) -> dict[str, str]:
        done.set()
        return {"said": f"hello {job.data['to']}"}

    async with PgBoss(database_url) as boss:
        await boss.create_queue("welcome")
        job_id = await boss.send("welcome", {"to": "Ada"})
        await boss.work("welcome", handler)
        await done.wait()

        assert job_id is not None
        job = await eventually(lambda: completed(boss, "welcome"))
        assert job.output == {"said": "hello Ada"}


async def test_typed_jobs_check_what_is_sent_and_what_is_worked(database_url: str) -> None:
    jobs = Jobs()

    @jobs.job("welcome")
    async def welcome(payload: Welcome, job: Job) -> Sent:
        return Sent(f"{payload.greeting} {payload.to}")

    async with PgBoss(database_url, jobs=[jobs]) as boss:
        await boss.send(welcome, Welcome(to="Ada"))

        job = await eventually(lambda: completed(boss, "welcome"))
        assert job.output == {"text": "Hello Ada"}


async def test_a_plain_function_works_in_a_thread(database_url: str) -> None:
    jobs = Jobs()

    @jobs.job("double")
    def double(payload: int) -> int:
        return payload * 2

    async with PgBoss(database_url, jobs=jobs) as boss:
        await boss.send(double, 21)

        job = await eventually(lambda: completed(boss, "double"))
        assert job.output == {"value": 42}


async def test_a_handler_that_raises_is_tried_again(database_url: str) -> None:
    jobs = Jobs()
    attempts: list[int] = []

    @jobs.job("flaky", retry_limit=1, retry_delay=0, retry_backoff=False)
    async def flaky(payload: None, job: Job) -> str:
        attempts.append(job.retry_count)
        if not job.is_last_attempt:
            raise ConnectionError("the other side was away")
        return "second time lucky"

    async with PgBoss(database_url, jobs=[jobs]) as boss:
        await boss.send(flaky, None)

        await eventually(lambda: completed(boss, "flaky"))
        assert attempts == [0, 1]


async def test_discard_fails_for_good_and_leaves_a_dead_letter(database_url: str) -> None:
    jobs = Jobs()

    @jobs.job("parse", retry_limit=5, dead_letter="unparseable")
    async def parse(payload: str) -> None:
        raise Discard(f"{payload} is no document")

    async with PgBoss(database_url, jobs=[jobs]) as boss:
        await boss.send(parse, "song.mp3")

        [dead] = await eventually(lambda: boss.find_jobs("unparseable"))
        assert dead.data == "song.mp3"
        assert dead.source_name == "parse"
        assert dead.source_output["message"] == "song.mp3 is no document"


async def test_snooze_comes_back_without_using_an_attempt(database_url: str) -> None:
    jobs = Jobs()
    seen: list[int] = []

    @jobs.job("poll", retry_limit=0)
    async def poll(payload: None, job: Job) -> None:
        seen.append(job.retry_count)
        if len(seen) == 1:
            raise Snooze(timedelta(milliseconds=50))

    async with PgBoss(database_url, jobs=[jobs]) as boss:
        await boss.send(poll, None)

        await eventually(lambda: completed(boss, "poll"))
        assert seen == [0, 0]


async def test_a_job_is_part_of_the_callers_transaction(database_url: str) -> None:
    async with (
        PgBoss(database_url) as boss,
        await psycopg.AsyncConnection.connect(database_url) as connection,
    ):
        await boss.create_queue("welcome")

        await boss.send("welcome", {"to": "nobody"}, connection=connection)
        await connection.rollback()
        assert await boss.find_jobs("welcome") == []

        await boss.send("welcome", {"to": "Ada"}, connection=connection)
        await connection.commit()
        assert [job.data for job in await boss.find_jobs("welcome")] == [{"to": "Ada"}]


def test_sync_programs_have_every_call(database_url: str) -> None:
    with SyncPgBoss(database_url) as boss:
        boss.create_queue("welcome")
        boss.send("welcome", {"to": "Ada"}, priority=3)

        [job] = boss.fetch("welcome")
        boss.complete("welcome", job, {"sent": True})

        [stored] = boss.find_jobs("welcome")
        assert (stored.state, stored.output) == ("completed", {"sent": True})


async def test_jobs_can_be_worked_by_hand(database_url: str) -> None:
    async with PgBoss(database_url) as boss:
        await boss.create_queue("welcome", retry_limit=0)
        await boss.send("welcome", {"to": "Ada"})

        [job] = await boss.fetch("welcome")
        await boss.fail("welcome", job, ValueError("no such address"))

        [stored] = await boss.find_jobs("welcome")
        assert stored.state == "failed"
        assert stored.output["message"] == "no such address"


async def completed(boss: PgBoss, queue: str) -> JobDetails | None:
    """The queue's first job, once it is completed."""
    jobs = await boss.find_jobs(queue)
    return jobs[0] if jobs and jobs[0].state == "completed" else None


async def test_a_payload_of_the_wrong_shape_is_refused_before_it_is_sent(database_url: str) -> None:
    jobs = Jobs()
    welcome = jobs.declare("welcome", Welcome)

    async with PgBoss(database_url, jobs=[jobs]) as boss:
        with pytest.raises(ValueError, match=r"welcome: .*to"):
            await boss.send(welcome, cast(Welcome, {"greeting": "Hello"}))
        assert await boss.find_jobs(welcome) == []
