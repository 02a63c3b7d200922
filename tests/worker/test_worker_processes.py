"""``run_worker(jobs, processes=N)``; what its supervisor does is proved in ``tests/cli/test_processes.py``."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest

from pgboss import ConfigurationError, Jobs, PgBoss, QueueOptions, ValidationError, run_worker
from support import process_handlers
from support.alive import children_of
from support.postgres import sql
from support.worker_process import WorkerProcess

APP = Path(__file__).parent.parent / "support" / "process_app.py"


@pytest.mark.slow
@pytest.mark.timeout(60)
async def test_a_programs_own_jobs_are_worked_in_processes(boss: PgBoss, database_url: str) -> None:
    async with WorkerProcess(database_url, "30", "2", app=APP) as worker:
        workers = children_of(worker.pid)
        # Each process works one at a time, so both have something to do.
        await boss.insert("here", [{"data": {"seconds": 3}}] * 2)
        begun = {int((await worker.said("HERE")).split()[1]) for _ in range(2)}
        worker.signal(signal.SIGTERM)

        assert await worker.exit_code() == 0
        assert "Traceback" not in await worker.log()
    assert begun == set(workers)
    outputs = sql(database_url, "SELECT output FROM pgboss.job WHERE state = 'completed'")
    assert outputs == [{"output": {"value": "__mp_main__"}}] * 2


@pytest.mark.parametrize(
    ("jobs", "options", "error", "complaint"),
    [
        (
            Jobs(),
            {},
            ConfigurationError,
            "found by its name: <Jobs: none yet> is no module's",
        ),
        (
            process_handlers.jobs,
            {"pool": lambda: 1},
            ConfigurationError,
            "pool must be plain data",
        ),
        (
            process_handlers.jobs,
            {"processes": 0},
            ValidationError,
            "processes must be an integer from 1 to 1000",
        ),
        (process_handlers.jobs, {"processes": "two"}, ValidationError, "processes must be .*, not 'two'"),
    ],
)
def test_what_no_process_could_be_given_is_refused(
    jobs: Jobs, options: dict[str, Any], error: type[Exception], complaint: str
) -> None:
    with pytest.raises(error, match=complaint):
        run_worker(jobs, "", **({"processes": 2} | options))


def test_an_option_that_is_no_good_ends_as_it_would_in_one_process() -> None:
    with pytest.raises(ConfigurationError, match=r"PgBoss\(\) has no option 'concurency'; did you mean concurrency\?"):
        run_worker(process_handlers.jobs, "", processes=2, concurency=3, queue_defaults=QueueOptions())
