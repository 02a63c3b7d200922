"""Processes that run handlers are killed, again and again, and so is their worker."""

from __future__ import annotations

import os
import random
import signal
from collections import Counter
from functools import partial
from pathlib import Path

import pytest

from pgboss import PgBoss
from support.alive import children_of, is_alive
from support.eventually import eventually
from support.postgres import sql, sql_value
from support.worker_process import WorkerProcess

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

APP = Path(__file__).parent.parent / "support" / "process_app.py"
JOBS = 200


async def test_no_process_outlives_its_worker(boss: PgBoss, database_url: str) -> None:
    """Also when the worker is killed, and says good-bye to nobody."""
    async with WorkerProcess(database_url, app=APP) as worker:
        await boss.insert("wait", [{"data": {"seconds": 60}}] * 2)
        pids = [int((await worker.said("BEGAN")).split()[1]) for _ in range(2)]
        assert sorted(pids) == sorted(children_of(worker.pid))

        worker.signal(signal.SIGKILL)

        assert await worker.exit_code() == -signal.SIGKILL
        await eventually(lambda: not any(is_alive(pid) for pid in pids))
    assert sql(database_url, "SELECT DISTINCT state::text FROM pgboss.job") == [{"state": "active"}]


async def test_the_signal_of_a_whole_service_leaves_running_jobs_their_time(boss: PgBoss, database_url: str) -> None:
    async with WorkerProcess(database_url, app=APP) as worker:
        await boss.send("wait", {"seconds": 1})
        pid = int((await worker.said("BEGAN")).split()[1])
        for each in (pid, worker.pid):
            os.kill(each, signal.SIGTERM)

        assert await worker.exit_code() == 0
        assert not is_alive(pid)
        assert "Traceback" not in await worker.log()
    # The handler's module is the main one, under the name it has in its process.
    assert sql(database_url, "SELECT state::text, output FROM pgboss.job") == [
        {"state": "completed", "output": {"value": "waited as __mp_main__"}}
    ]


async def test_a_second_signal_waits_for_no_process(boss: PgBoss, database_url: str) -> None:
    async with WorkerProcess(database_url, app=APP) as worker:
        await boss.send("wait", {"seconds": 60})
        pid = int((await worker.said("BEGAN")).split()[1])
        worker.signal(signal.SIGTERM)
        worker.signal(signal.SIGINT)

        await worker.said("CANCELLED")
        assert await worker.exit_code() == 0
        assert not is_alive(pid)
    assert sql_value(database_url, "SELECT state::text FROM pgboss.job") == "retry"


async def test_no_job_is_lost_or_settled_twice_while_processes_are_killed(
    boss: PgBoss, database_url: str, tmp_path: Path
) -> None:
    file = tmp_path / "runs"
    dice = random.Random(7)
    async with WorkerProcess(database_url, app=APP) as worker:
        await boss.insert(
            "count", [{"data": {"number": number, "seconds": 0.02, "file": str(file)}} for number in range(JOBS)]
        )
        kills = 0

        def done(at_least: int = 0) -> int:
            count: int = sql_value(database_url, "SELECT count(*) FROM pgboss.job WHERE state = 'completed'")
            return count if count >= at_least else 0

        while (before := done()) < JOBS:
            for pid in dice.sample(found := children_of(worker.pid), min(1, len(found))):
                os.kill(pid, signal.SIGKILL)
                kills += 1
            # The next one is killed when something was done meanwhile, however slow the machine is.
            await eventually(partial(done, min(JOBS, before + dice.randint(1, 12))), within=60)
        worker.signal(signal.SIGTERM)
        assert await worker.exit_code() == 0
        log = await worker.log()

    rows = sql(database_url, "SELECT state::text, retry_count, output FROM pgboss.job")
    assert Counter(row["state"] for row in rows) == {"completed": JOBS}
    runs = Counter(file.read_text().split())
    assert set(runs) == {str(number) for number in range(JOBS)}
    # An attempt that was killed counts; one that came to its end was killed at most in the moment after.
    retries = sum(row["retry_count"] for row in rows)
    assert kills >= 10
    assert 0 < retries <= kills
    assert sum(runs.values()) - JOBS <= retries
    assert log.count("was killed by SIGKILL") <= kills
    assert "no longer ours" not in log
