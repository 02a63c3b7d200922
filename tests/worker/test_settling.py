"""Writing results: what the server refuses for a moment is written later, and no work is done twice for it."""

from __future__ import annotations

import asyncio

import pytest

from pgboss import Job, PgBoss
from pgboss.core.queue import QueueCatalog
from pgboss.drivers.psycopg import AsyncDatabase
from pgboss.drivers.runner import Run
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
    async with PsycopgDatabase(database_url) as run:
        settler = Settler(run, lambda: QueueCatalog(boss.schema), lambda settled: sizes.append(len(settled)))
        for job in jobs:
            settler.put(job, Completed(f'{{"text":"{"x" * 3_000_000}"}}'))
        serving = asyncio.create_task(settler.serve())
        await settler.drain()
        serving.cancel()

    assert sum(sizes) == 20
    assert max(sizes) == 6
    assert [job.state for job in await boss.find_jobs("jobs")] == ["completed"] * 20


class PsycopgDatabase:
    """Runs operations on a pool that is open for the block."""

    def __init__(self, url: str) -> None:
        self._database = AsyncDatabase(url, pool_size=1)

    async def __aenter__(self) -> Run:
        await self._database.open()
        return self._database.run

    async def __aexit__(self, *_: object) -> None:
        await self._database.close()
