"""A worker takes no more memory for having worked a million jobs."""

from __future__ import annotations

from functools import partial

import psutil
import pytest

from pgboss import PgBoss
from support.eventually import eventually
from support.postgres import sql, sql_value
from support.worker_process import WorkerProcess

JOBS = 1_000_000
STEPS = 20
MOST_MIB = 80
SLACK_MIB = 4
FILL = """
INSERT INTO pgboss.job_common (name, data, policy)
SELECT 'nothing', jsonb_build_object('n', n), 'standard' FROM generate_series(1, %s) n
"""
DONE = "SELECT count(*) FROM pgboss.job_common WHERE state = 'completed' AND name = 'nothing'"


def is_done(url: str, jobs: int) -> bool:
    return bool(sql_value(url, DONE) == jobs)


@pytest.mark.prove
@pytest.mark.timeout(900)
async def test_memory_is_flat_over_a_million_jobs(
    boss: PgBoss, database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    measured: list[float] = []
    async with WorkerProcess(database_url) as worker:
        process = psutil.Process(worker.pid)
        for step in range(1, STEPS + 1):
            sql(database_url, FILL, [JOBS // STEPS])
            await eventually(partial(is_done, database_url, step * JOBS // STEPS), within=120)
            measured.append(process.memory_info().rss / 2**20)
    with capsys.disabled():
        print(f"\nresident MiB, every {JOBS // STEPS:,} jobs: {', '.join(f'{one:.1f}' for one in measured)}")  # noqa: T201
    assert max(measured) < MOST_MIB
    # The first steps fill caches and pools.
    assert max(measured[STEPS // 2 :]) - max(measured[: STEPS // 2]) < SLACK_MIB
