"""``pgboss metrics``, and a worker that tells of itself."""

from __future__ import annotations

import re
import signal
from pathlib import Path
from urllib.request import urlopen

import pytest

from pgboss import SyncPgBoss
from support.command_line import CommandLine, RunningProgram
from support.eventually import eventually

MODULE = """
from pgboss import Jobs

jobs = Jobs()

@jobs.job("mail")
async def mail(payload: dict) -> None: ...
"""


def asked(output: str) -> str:
    """What Prometheus is answered at the port that a program has announced."""
    found = re.search(r"Prometheus at port (\d+)", output)
    assert found
    with urlopen(f"http://127.0.0.1:{found[1]}/metrics") as answer:
        text: str = answer.read().decode()
        return text


def test_metrics_are_printed(pgboss: CommandLine, installed: SyncPgBoss) -> None:
    installed.create_queue("mail")

    lines = pgboss.ok("metrics").splitlines()

    assert "pgboss_up 1.0" in lines
    assert 'pgboss_queue_oldest_ready_seconds{queue="mail"} 0.0' in lines


@pytest.mark.slow
async def test_prometheus_is_answered_until_a_signal(
    database_url: str, installed: SyncPgBoss, empty_folder: Path
) -> None:
    async with RunningProgram(database_url, "metrics", "--port", 0, cwd=empty_folder) as program:
        await program.said("Prometheus at port")
        assert "pgboss_up 1.0" in asked(program.output)
        assert await program.stop(signal.SIGTERM) == 0


@pytest.mark.slow
async def test_a_worker_tells_of_itself(database_url: str, installed: SyncPgBoss, empty_folder: Path) -> None:
    (empty_folder / "app.py").write_text(MODULE)
    async with RunningProgram(database_url, "worker", "app:jobs", "--metrics-port", 0, cwd=empty_folder) as worker:
        await worker.said("working queue mail")
        installed.send("mail", {})
        await eventually(
            lambda: 'pgboss_jobs_settled_total{outcome="completed",queue="mail"} 1.0' in asked(worker.output)
        )
        assert 'pgboss_worker_slots{queue="mail"} 5.0' in asked(worker.output)
        assert await worker.stop(signal.SIGTERM) == 0


def test_several_processes_have_no_port(pgboss: CommandLine, empty_folder: Path) -> None:
    (empty_folder / "app.py").write_text(MODULE)

    outcome = pgboss("worker", "app:jobs", "--metrics-port", 0, "--processes", 2)

    assert outcome.code != 0
    assert "--metrics-port is for one process" in outcome.err
