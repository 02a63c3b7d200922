"""Cancelling reaches every handler: async ones by CancelledError, and all of them by ``job.cancelled``."""

from __future__ import annotations

import asyncio
import threading

import pytest

from pgboss import Job, PgBoss
from support.boss import BossFactory
from support.eventually import eventually
from support.postgres import sql, sql_value


class Heard:
    """What handlers in threads have told."""

    def __init__(self) -> None:
        self.began = threading.Event()
        self.stopped = threading.Event()

    def handler(self, job: Job) -> None:
        """Waits to be told to stop."""
        self.began.set()
        if job.cancelled.wait(20):
            self.stopped.set()


def state(url: str) -> object:
    return sql_value(url, "SELECT state::text FROM pgboss.job")


async def test_a_thread_that_overruns_is_told(boss: PgBoss, database_url: str) -> None:
    heard = Heard()
    await boss.create_queue("jobs", retry_limit=0, expire_in_seconds=1)
    await boss.send("jobs")
    await boss.work("jobs", heard.handler)

    await eventually(heard.stopped.is_set)
    await eventually(lambda: state(database_url) == "failed")


async def test_an_async_handler_finds_it_set_when_it_is_cancelled(boss: PgBoss, database_url: str) -> None:
    found: list[bool] = []

    async def handler(job: Job) -> None:
        found.append(job.cancelled.is_set())
        try:
            await asyncio.sleep(20)
        except asyncio.CancelledError:
            found.append(job.cancelled.is_set())
            raise

    await boss.create_queue("jobs", retry_limit=0, expire_in_seconds=1)
    await boss.send("jobs")
    await boss.work("jobs", handler)

    await eventually(lambda: state(database_url) == "failed")
    assert found == [False, True]


async def test_a_thread_hears_that_the_stop_waits_no_longer(make_boss: BossFactory, database_url: str) -> None:
    heard = Heard()
    boss = await make_boss()
    await boss.create_queue("jobs")
    await boss.send("jobs")
    await boss.work("jobs", heard.handler)
    await eventually(heard.began.is_set)

    await boss.stop(timeout=0.2)

    await eventually(heard.stopped.is_set)
    assert state(database_url) == "retry"


@pytest.mark.parametrize("heartbeat_seconds", [None, 2], ids=["without heartbeat", "with heartbeat"])
async def test_a_job_that_somebody_cancels_is_taken_from_its_handler(
    boss: PgBoss, database_url: str, heartbeat_seconds: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pgboss.worker.crew.RECALL_SECONDS", 0.5)
    heard = Heard()
    await boss.create_queue("jobs")
    job_id = await boss.send("jobs")
    sql(database_url, "UPDATE pgboss.job SET heartbeat_seconds = %s", [heartbeat_seconds])
    await boss.work("jobs", heard.handler)
    await eventually(heard.began.is_set)
    assert job_id is not None

    await boss.cancel("jobs", job_id)

    await eventually(heard.stopped.is_set)
    assert state(database_url) == "cancelled"


async def test_one_job_of_a_batch_is_taken_and_the_others_go_on(
    boss: PgBoss, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pgboss.worker.crew.RECALL_SECONDS", 0.5)
    told: list[object] = []

    def handler(jobs: list[Job]) -> None:
        taken, kept = sorted(jobs, key=lambda job: str(job.data))
        taken.cancelled.wait(20)
        told.append((taken.cancelled.is_set(), kept.cancelled.is_set()))

    await boss.create_queue("jobs")
    await boss.insert("jobs", [{"data": "a"}, {"data": "b"}])
    await boss.work("jobs", handler, batch_size=2)
    await eventually(lambda: sql_value(database_url, "SELECT count(*) FROM pgboss.job WHERE state = 'active'") == 2)

    sql(database_url, "DELETE FROM pgboss.job WHERE data = '\"a\"'")

    await eventually(lambda: told == [(True, False)])
    await eventually(lambda: state(database_url) == "completed")


async def test_handlers_that_are_let_alone_are_not_told(boss: PgBoss, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pgboss.worker.crew.RECALL_SECONDS", 0.1)
    told: list[bool] = []

    def handler(job: Job) -> None:
        told.append(job.cancelled.wait(1))

    await boss.create_queue("jobs")
    await boss.send("jobs")
    await boss.work("jobs", handler)

    await eventually(lambda: told == [False])
