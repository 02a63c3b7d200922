"""``pgboss worker --processes``: real processes, real signals and kills, and a supervisor that minds them."""

from __future__ import annotations

import asyncio
import os
import signal
from collections import Counter
from pathlib import Path

import pytest

from pgboss import SyncPgBoss
from support.alive import children_of, is_alive
from support.command_line import RunningProgram, run_program
from support.eventually import eventually
from support.postgres import sql

pytestmark = [pytest.mark.slow, pytest.mark.timeout(90)]

MODULE = """
import asyncio
import logging
import os
import time
from typing import Any
from pgboss import Job, Jobs

jobs = Jobs()

@jobs.job("pages", concurrency=1, retry_limit=1, retry_delay=600, heartbeat_seconds=10)
async def pages(payload: dict[str, Any]) -> int:
    print("BEGAN", os.getpid(), flush=True)
    await asyncio.sleep(payload["seconds"])
    return os.getpid()

@jobs.job("stuck", concurrency=1)
async def stuck(payload: None) -> None:
    print("STUCK", os.getpid(), flush=True)
    time.sleep(600)

@jobs.job("sums", executor="process", concurrency=1)
def sums(payload: None) -> None:
    print("SUMMING", os.getpid(), flush=True)
    time.sleep(600)

@jobs.job("says")
def says(payload: str, job: Job) -> None:
    logging.getLogger("app").warning("it says %s", payload, extra={"page": 7})
"""


@pytest.fixture
def app(empty_folder: Path) -> Path:
    (empty_folder / "app.py").write_text(MODULE)
    return empty_folder


def running(url: str, app: Path, *arguments: object, processes: int = 2) -> RunningProgram:
    return RunningProgram(url, "worker", "app:jobs", "--processes", processes, *arguments, cwd=app)


def states(url: str) -> Counter[str]:
    return Counter(row["state"] for row in sql(url, "SELECT state::text FROM pgboss.job"))


def number_after(line: str) -> int:
    return int(line.split()[-1])


async def test_each_works_and_the_supervisor_stops_them(database_url: str, installed: SyncPgBoss, app: Path) -> None:
    async with running(database_url, app, "--queue", "pages") as worker:
        await worker.said("working queue pages in 2 processes; stop with Ctrl-C")
        workers = children_of(worker.pid)
        for _ in range(3):
            installed.send("pages", {"seconds": 2})
        await eventually(lambda: worker.output.count("BEGAN") == 2, within=10)

        assert await worker.stop(signal.SIGTERM) == 0

        assert "SIGTERM: stopping" in worker.output
        assert worker.output.endswith("pgboss.cli: stopped")
        assert "Traceback" not in worker.output
    rows = sql(database_url, "SELECT state::text, output FROM pgboss.job")
    assert Counter(row["state"] for row in rows) == {"completed": 2, "created": 1}
    assert {row["output"]["value"] for row in rows if row["output"]} == set(workers)
    assert [pid for pid in workers if is_alive(pid)] == []


async def test_a_signal_to_all_processes_counts_once(database_url: str, installed: SyncPgBoss, app: Path) -> None:
    async with running(database_url, app) as worker:
        await worker.said("working")
        installed.send("pages", {"seconds": 2})
        await worker.said("BEGAN")
        for pid in children_of(worker.pid):
            os.kill(pid, signal.SIGTERM)

        assert await worker.stop(signal.SIGTERM) == 0
    assert states(database_url) == {"completed": 1}


async def test_a_second_signal_hurries_all(database_url: str, installed: SyncPgBoss, app: Path) -> None:
    clock = asyncio.get_running_loop().time
    async with running(database_url, app) as worker:
        await worker.said("working")
        installed.send("pages", {"seconds": 600})
        await worker.said("BEGAN")
        began = clock()
        worker.send(signal.SIGTERM)
        await worker.said("SIGTERM: stopping")

        assert await worker.stop(signal.SIGINT) == 0
        assert clock() - began < 10
    assert states(database_url) == {"retry": 1}


async def test_one_that_does_not_stop_is_killed(database_url: str, installed: SyncPgBoss, app: Path) -> None:
    async with running(database_url, app, "--timeout", 0.2, processes=1) as worker:
        await worker.said("working")
        installed.send("stuck")
        pid = number_after(await worker.said("STUCK"))

        assert await worker.stop(signal.SIGTERM) == 0

        assert "worker process 1 overran the stop and is killed" in worker.output
        assert not is_alive(pid)


async def test_one_that_is_killed_is_started_again(database_url: str, installed: SyncPgBoss, app: Path) -> None:
    async with running(database_url, app) as worker:
        await worker.said("working")
        before = children_of(worker.pid)
        os.kill(before[0], signal.SIGKILL)
        line = await worker.said("was killed by SIGKILL (signal 9) and is started again in 0.")
        assert "pgboss.supervisor: [" in line

        await eventually(lambda: len(set(children_of(worker.pid)) | set(before)) == 3, within=20)
        os.kill(before[1], signal.SIGKILL)
        installed.send("pages", {"seconds": 0})
        assert number_after(await worker.said("BEGAN")) not in before
        assert await worker.stop(signal.SIGTERM) == 0


async def test_nothing_outlives_a_supervisor_that_is_killed(
    database_url: str, installed: SyncPgBoss, app: Path
) -> None:
    async with running(database_url, app) as worker:
        await worker.said("working")
        installed.send("sums")
        handler = number_after(await worker.said("SUMMING"))
        workers = children_of(worker.pid)
        assert len(workers) == 2

        worker.send(signal.SIGKILL)

        await eventually(lambda: not any(is_alive(pid) for pid in (handler, *workers)), within=10)


async def test_records_come_out_with_the_number_of_their_process(
    database_url: str, installed: SyncPgBoss, app: Path
) -> None:
    (app / "own.py").write_text(
        "import logging\n"
        "logging.basicConfig(format='%(name)s %(message)s page=%(page)s of=%(process_number)s', level='WARNING')\n"
        "logging.getLogger('pgboss').propagate = False\n" + MODULE
    )
    async with running(database_url, app, "--queue", "says") as worker:
        await eventually(lambda: installed.get_queue("says"), within=20)
        installed.send("says", "hello")
        line = await worker.said("it says hello")
        assert line.split()[3] in ("app:", "WARNING")
        assert "app: [1] it says hello" in line or "app: [2] it says hello" in line
        assert await worker.stop(signal.SIGTERM) == 0
    async with RunningProgram(
        database_url, "worker", "own:jobs", "--processes", 1, "--queue", "says", cwd=app
    ) as worker:
        await eventually(lambda: installed.get_queue("says"), within=20)
        installed.send("says", "hello")
        assert await worker.said("it says hello") == "app it says hello page=7 of=1"
        assert worker.output.count("it says") == 1
        assert await worker.stop(signal.SIGTERM) == 0


def test_without_a_database_it_ends_as_one_worker_does(app: Path) -> None:
    outcome = run_program("postgresql://nobody@127.0.0.1:1/nothing", "worker", "app:jobs", "--processes", 3, cwd=app)

    assert (outcome.code, outcome.out) == (3, "")
    [line] = outcome.err.splitlines()
    assert line.startswith("Error: ")
    assert "127.0.0.1" in line


async def test_processes_that_end_without_a_word_are_given_up(database_url: str, app: Path) -> None:
    """The module can be imported by the supervisor, and ends whatever imports it then."""
    (app / "broken.py").write_text(
        "import os, pathlib\n"
        "if pathlib.Path('imported').exists():\n    os._exit(9)\n"
        "pathlib.Path('imported').touch()\n" + MODULE
    )

    async with RunningProgram(database_url, "worker", "broken:jobs", "--processes", 1, cwd=app) as worker:
        await worker.said("ended with exit code 9 and is started again")
        await worker.said("Error: worker process 1 ended with exit code 9 before it was ready, 3 times")
        assert worker.output.count("is started again") == 2

        assert await worker.ended() == 1


async def test_a_schema_that_is_away_is_waited_for(database_url: str, installed: SyncPgBoss, app: Path) -> None:
    """Processes that were ready once are started again for as long as it takes."""
    async with running(database_url, app, "--queue", "pages", processes=1) as worker:
        await worker.said("working")
        sql(database_url, "ALTER SCHEMA pgboss RENAME TO elsewhere; CREATE SCHEMA pgboss; CREATE TABLE pgboss.job ()")
        [pid] = children_of(worker.pid)
        os.kill(pid, signal.SIGKILL)
        await worker.said("and is started again")
        await eventually(lambda: worker.output.count("is started again") >= 2, within=20)
        sql(database_url, "DROP SCHEMA pgboss CASCADE; ALTER SCHEMA elsewhere RENAME TO pgboss")
        installed.send("pages", {"seconds": 0})

        await eventually(lambda: states(database_url) == {"completed": 1}, within=30)
        assert await worker.stop(signal.SIGTERM) == 0
