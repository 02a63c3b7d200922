"""Writing results: what the server refuses for a moment is written later, and no work is done twice for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from pgboss import Job, PgBoss
from pgboss.core.queue import QueueCatalog
from pgboss.drivers.psycopg import AsyncDatabase
from pgboss.worker.outcome import Completed
from pgboss.worker.settler import Settler
from support.eventually import eventually
from support.postgres import sql

REFUSE = """
    CREATE SEQUENCE public.refused;
    CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        -- Sequences are not rolled back: three statements are refused, whatever becomes of them.
        IF nextval('public.refused') <= 3 THEN RAISE EXCEPTION USING ERRCODE = '{sqlstate}'; END IF;
        RETURN NEW;
    END $$;
    CREATE TRIGGER refuse BEFORE UPDATE ON pgboss.job_common
       FOR EACH ROW WHEN (NEW.state = 'completed') EXECUTE FUNCTION public.refuse()
"""


@pytest.mark.parametrize(
    "sqlstate",
    ["40P01", "53100", "57014", "25006", "55P03"],
    ids=["deadlock", "disk-full", "cancelled", "read-only", "locked"],
)
async def test_a_result_that_is_refused_for_a_moment_is_written_later(
    boss: PgBoss, database_url: str, sqlstate: str
) -> None:
    runs: list[object] = []

    async def handler(job: Job) -> object:
        runs.append(job.data)
        return job.data

    await boss.create_queue("jobs", retry_limit=5)
    await boss.insert("jobs", [{"data": "one"}, {"data": "two"}])
    sql(database_url, REFUSE.format(sqlstate=sqlstate))
    await boss.work("jobs", handler)

    await eventually(lambda: outputs(database_url) == [{"value": "one"}, {"value": "two"}])
    assert sorted(map(str, runs)) == ["one", "two"]


def outputs(url: str) -> list[object]:
    rows = sql(url, "SELECT output FROM pgboss.job WHERE state = 'completed' ORDER BY output")
    return [row["output"] for row in rows]


async def test_large_outputs_that_have_gathered_are_written_in_parts(boss: PgBoss, database_url: str) -> None:
    """After an outage a gigabyte may wait, which no single statement could take."""
    await boss.create_queue("jobs")
    await boss.insert("jobs", [{"data": number} for number in range(20)])
    jobs = await boss.fetch("jobs", batch_size=20)
    sizes: list[int] = []
    async with settling(boss, database_url, sizes) as settler:
        for job in jobs:
            settler.put(job, Completed(f'{{"text":"{"x" * 3_000_000}"}}'))
        await settler.drain()

    assert sum(sizes) == 20
    assert max(sizes) == 6
    assert [job.state for job in await boss.find_jobs("jobs")] == ["completed"] * 20


@asynccontextmanager
async def settling(boss: PgBoss, url: str, settled: list[int]) -> AsyncIterator[Settler]:
    """A settler at work; how many results each statement has written goes to a list."""
    database = AsyncDatabase(url, pool_size=1)
    await database.open()
    settler = Settler(database.run, lambda: QueueCatalog(boss.schema), lambda jobs: settled.append(len(jobs)))
    serving = asyncio.create_task(settler.serve())
    try:
        yield settler
    finally:
        serving.cancel()
        await database.close()


async def test_results_that_follow_close_upon_another_are_written_together(
    boss: PgBoss, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pgboss.worker.settler.TOGETHER_SECONDS", 0.3)
    await boss.create_queue("jobs")
    await boss.insert("jobs", [{}] * 4)
    jobs = await boss.fetch("jobs", batch_size=4)
    settled: list[int] = []
    async with settling(boss, database_url, settled) as settler:
        for job in jobs:
            settler.put(job, Completed(None))
            # Time for the settler to begin.
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        await eventually(lambda: sum(settled) == 4)
    assert settled == [1, 3]


async def test_results_do_not_gather_when_they_are_many_or_somebody_waits(
    boss: PgBoss, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pgboss.worker.settler.TOGETHER_SECONDS", 60)
    await boss.create_queue("jobs")
    await boss.insert("jobs", [{}] * 103)
    first, second, third, *others = await boss.fetch("jobs", batch_size=103)
    settled: list[int] = []
    async with settling(boss, database_url, settled) as settler:
        settler.put(first, Completed(None))
        await settler.drain()
        settler.put(second, Completed(None))
        await settler.drain()
        settler.put(third, Completed(None))
        settler.hurry()
        await eventually(lambda: len(settled) == 3)
        for job in others:
            settler.put(job, Completed(None))
        await eventually(lambda: settled == [1, 1, 1, 100])


async def test_results_that_others_of_their_key_wait_for_do_not_gather(
    boss: PgBoss, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pgboss.worker.settler.TOGETHER_SECONDS", 60)

    async def handler(job: Job) -> None:
        await asyncio.sleep(0)

    await boss.create_queue("jobs", policy="singleton")
    await boss.insert("jobs", [{"data": number} for number in range(4)])
    await boss.work("jobs", handler)
    await eventually(lambda: len(outputs(database_url)) == 4)
