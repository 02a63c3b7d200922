"""``pgboss worker`` as a real process."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from pgboss import SyncPgBoss
from support.command_line import CommandLine, RunningProgram, run_program
from support.eventually import eventually
from support.postgres import sql

pytestmark = pytest.mark.slow

MODULE = """
import asyncio
from typing import Any
from pgboss import Jobs

jobs = Jobs()

@jobs.job("pages", concurrency=1, dead_letter="lost", heartbeat_seconds=10)
async def pages(payload: dict[str, Any]) -> str:
    print("BEGAN", payload["number"], flush=True)
    await asyncio.sleep(payload.get("seconds", 0))
    return "read"

@jobs.job("mail")
def mail(payload: Any) -> str:
    raise ValueError("no such address")
"""


@pytest.fixture
def app(empty_folder: Path) -> Path:
    (empty_folder / "app.py").write_text(MODULE)
    return empty_folder


def jobs(url: str) -> list[tuple[str, bool]]:
    """State of each job, oldest first, and whether it was ever started."""
    rows = sql(url, "SELECT state::text, started_on IS NOT NULL AS started FROM pgboss.job ORDER BY created_on, id")
    return [(row["state"], row["started"]) for row in rows]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_lets_the_running_job_end_and_leaves_the_others(
    database_url: str, installed: SyncPgBoss, app: Path, number: signal.Signals
) -> None:
    async with RunningProgram(database_url, "worker", "app:jobs", cwd=app) as worker:
        await worker.said("working 2 queues: pages, mail")
        for position in (1, 2, 3):
            installed.send("pages", {"number": position, "seconds": 1})
        await worker.said("BEGAN 1")

        assert await worker.stop(number) == 0

        assert f"{number.name}: stopping" in worker.output
        assert worker.output.endswith("pgboss.cli: stopped")
        assert "BEGAN 2" not in worker.output
        assert "Traceback" not in worker.output
    assert jobs(database_url) == [("completed", True), ("created", False), ("created", False)]


async def test_a_job_that_overruns_the_stop_is_failed_and_not_left_active(
    database_url: str, installed: SyncPgBoss, app: Path
) -> None:
    async with RunningProgram(database_url, "worker", "app:jobs", "--timeout", 0.2, cwd=app) as worker:
        await worker.said("working")
        installed.send("pages", {"number": 1, "seconds": 600})
        await worker.said("BEGAN 1")

        assert await worker.stop(signal.SIGTERM) == 0
    assert jobs(database_url) == [("retry", True)]


async def test_the_schema_and_all_queues_are_made_and_one_is_worked(database_url: str, app: Path) -> None:
    async with RunningProgram(
        database_url, "--schema", "tasks", "worker", "app", "--queue", "pages", cwd=app
    ) as worker:
        await worker.said("working queue pages;")
        with SyncPgBoss(database_url, schema="tasks", migrate=False, pool_size=1) as boss:
            # The first is pg-boss's own, through which schedules are delivered.
            assert [queue.name for queue in boss.get_queues()] == ["__pgboss__send-it", "lost", "mail", "pages"]
            untouched = boss.send("mail")
            boss.send("pages", {"number": 1})
            await worker.said("BEGAN 1")
            assert untouched is not None
            assert await worker.stop(signal.SIGTERM) == 0
            job = boss.get_job(untouched)
            assert job is not None
            assert (job.state, job.started_on) == ("created", None)


async def test_the_log_is_for_people_and_its_level_can_be_chosen(
    database_url: str, installed: SyncPgBoss, app: Path
) -> None:
    async with RunningProgram(database_url, "worker", "app:jobs", "--log-level", "warning", cwd=app) as worker:
        await eventually(lambda: installed.get_queue("mail"))
        installed.send("mail", retry_delay=600)
        line = await worker.said("will be retried: ValueError: no such address")
        assert await worker.stop(signal.SIGTERM) == 0

        assert line[4] == line[7] == "-"
        assert line[10:].split()[1] == "WARNING"
        assert "INFO" not in worker.output


async def test_a_program_that_logs_its_own_way_is_left_to_it(database_url: str, app: Path) -> None:
    (app / "own.py").write_text(
        "import logging\nlogging.basicConfig(format='OWN %(message)s', level='INFO')\n" + MODULE
    )
    async with RunningProgram(database_url, "worker", "own:jobs", cwd=app) as worker:
        await worker.said("working")
        assert await worker.stop(signal.SIGTERM) == 0

        assert worker.output.splitlines()[0].startswith("OWN working 2 queues")
        assert worker.output.splitlines()[-1] == "OWN stopped"
        assert worker.output.count("OWN ") == len(worker.output.splitlines())


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--concurrency", "0"], "0 is not in the range x>=1"),
        (["--timeout", "-1"], "-1.0 is not in the range x>=0"),
        (["--log-level", "loud"], "'loud' is not one of"),
    ],
)
def test_unusable_options(bare: CommandLine, app: Path, arguments: list[str], complaint: str) -> None:
    outcome = bare("worker", "app:jobs", *arguments)

    assert (outcome.code, outcome.out) == (2, "")
    assert complaint in outcome.err


@pytest.mark.parametrize(
    ("url", "code"), [("postgresql://nobody@127.0.0.1:1/nothing", 3), ("", 2)], ids=["away", "unnamed"]
)
def test_without_a_database(app: Path, url: str, code: int) -> None:
    outcome = run_program(url, "worker", "app:jobs", cwd=app)

    assert (outcome.code, outcome.out) == (code, "")
    [line] = outcome.err.splitlines()
    assert line.startswith("Error: ")
