"""``pgboss dev`` as a real process, with a PostgreSQL of its own."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import httpx
import pytest

from pgboss import DatabaseUnavailableError, SyncPgBoss
from support.command_line import CommandLine, RunningProgram, run_program
from support.eventually import eventually

pytestmark = [pytest.mark.slow, pytest.mark.timeout(90)]

MODULE = """
import asyncio
from typing import Any
from pgboss import Jobs

jobs = Jobs()

@jobs.job("pages")
async def pages(payload: dict[str, Any]) -> dict[str, Any]:
    print("BEGAN", payload["number"], flush=True)
    await asyncio.sleep(payload.get("seconds", 0))
    return {"read": payload["number"]}
"""


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that everybody may pass through, as PostgreSQL run by root must; pytest's own ones are closed."""
    path = Path(tempfile.mkdtemp(prefix="test-pgboss-dev-"))
    path.chmod(0o755)
    (path / "app.py").write_text(MODULE)
    yield path
    shutil.rmtree(path)


class Dev(RunningProgram):
    """A running ``pgboss dev`` with its data in a folder of the test's."""

    def __init__(self, place: Path, *arguments: object) -> None:
        super().__init__("", "dev", *arguments, cwd=place, env={"PGBOSS_DATA_DIR": str(place / "data")})

    async def database_url(self) -> str:
        """The address that it tells people to use."""
        line = await self.said("export DATABASE_URL=")
        return shlex.split(line)[1].removeprefix("DATABASE_URL=")


async def test_a_database_and_a_worker_in_one_process(place: Path) -> None:
    async with Dev(place, "app:jobs") as dev:
        url = await dev.database_url()
        await dev.said("Stop with Ctrl-C.")
        dashboard = (await dev.said("Dashboard: http://127.0.0.1:")).split()[1]
        async with httpx.AsyncClient(headers={"Accept": "text/html"}) as client:
            assert "pages" in (await client.get(dashboard)).text
        sent = run_program(url, "send", "pages", '{"number": 7}', cwd=place)
        await dev.said("BEGAN 7")
        await eventually(lambda: run_program(url, "jobs", "show", sent.out.strip(), "--json", cwd=place).json["output"])
        with SyncPgBoss(url, pool_size=1) as boss:
            job = boss.get_job(UUID(sent.out.strip()))
            assert job is not None
            assert job.output == {"read": 7}
            running = boss.send("pages", {"number": 8, "seconds": 1})
            await dev.said("BEGAN 8")

        assert await dev.stop(signal.SIGINT) == 0

        assert re.search(r"^PostgreSQL \d+\.\d+ is running; its data are in ", dev.output)
        assert "Working queue pages." in dev.output
        assert dev.output.endswith("Stopped; the data are kept.")
        assert "Traceback" not in dev.output
    with pytest.raises(DatabaseUnavailableError):
        SyncPgBoss(url).start()

    async with Dev(place) as again:
        assert await again.database_url() == url
        await again.said("No jobs are worked")
        with SyncPgBoss(url, migrate=False, pool_size=1) as boss:
            assert running is not None
            job = boss.get_job(running)
            assert job is not None
            assert (job.state, job.output) == ("completed", {"read": 8})
        assert await again.stop(signal.SIGTERM) == 0


async def test_names_keep_databases_apart_and_one_may_be_shared(place: Path) -> None:
    async with Dev(place, "--name", "one") as first, Dev(place, "--name", "two") as other:
        url = await first.database_url()
        assert await other.database_url() != url
        assert await other.stop(signal.SIGINT) == 0
        async with Dev(place, "--name", "one", "--schema", "tasks") as second:
            assert await second.database_url() == url
            await second.said("export PGBOSS_SCHEMA=tasks")
            assert await first.stop(signal.SIGINT) == 0
            with SyncPgBoss(url, schema="tasks", migrate=False, pool_size=1) as boss:
                # The one through which schedules are delivered is pg-boss's own.
                assert [queue.name for queue in boss.get_queues()] == ["__pgboss__send-it"]
            assert await second.stop(signal.SIGINT) == 0


def test_a_database_of_ones_own_is_for_the_worker_command(bare: CommandLine) -> None:
    outcome = bare("--dsn", bare.database_url, "dev")

    assert (outcome.code, outcome.out) == (2, "")
    assert "leave --dsn out, or use `pgboss worker`" in outcome.err


def test_without_a_postgresql_to_run(bare: CommandLine, place: Path) -> None:
    outcome = bare("dev", env={"PGBOSS_DATA_DIR": str(place / "data"), "PGBOSS_POSTGRES_BIN": str(place)})

    assert (outcome.code, outcome.out) == (3, "")
    assert "does not hold the programs postgres and initdb" in outcome.err


def test_a_folder_that_cannot_be_used(bare: CommandLine, empty_folder: Path) -> None:
    (empty_folder / "data").write_text("no folder")

    outcome = bare("dev", env={"PGBOSS_DATA_DIR": str(empty_folder / "data")})

    assert (outcome.code, outcome.out) == (3, "")
    assert str(empty_folder / "data") in outcome.err


def test_definitions_that_cannot_be_loaded_start_nothing(bare: CommandLine, empty_folder: Path) -> None:
    data = empty_folder / "data"

    for arguments in (["nowhere:jobs"], ["--queue", "pages"], ["--name", "../up"]):
        outcome = bare("dev", *arguments, env={"PGBOSS_DATA_DIR": str(data)})
        assert outcome.code in (2, 3)
        assert outcome.err.startswith("Error: ")
    assert not os.path.exists(data)
