"""The demo as people run it: a process of its own, its output and its exit code."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from document_pipeline import jobs
from document_pipeline.enqueue import enqueue_test_job
from document_pipeline.settings import EXAMPLES, PipelineSettings
from support.boss import BossFactory
from support.documents import needs_wordllama
from support.eventually import eventually, eventually_sync
from support.postgres import sql, sql_value

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240), needs_wordllama]

COMMAND = [sys.executable, "-m", "document_pipeline"]
README = "pgbouncer-readme.md"


@pytest.fixture
def environment(database_url: str, tmp_path: Path) -> dict[str, str]:
    """Of somebody who has configured a database and nothing else."""
    configured = {name.upper() for name in PipelineSettings.model_fields}
    inherited = {
        name: value for name, value in os.environ.items() if name not in configured and not name.startswith("PGBOSS")
    }
    return {**inherited, "DATABASE_URL": database_url, "PYTHONPATH": str(EXAMPLES), "COLUMNS": "200"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two small documents, one of them broken."""
    path = tmp_path / "documents"
    path.mkdir()
    for name in (README, "broken-truncated-upload.docx"):
        shutil.copy(EXAMPLES / "documents" / name, path)
    return path


def demo(environment: Mapping[str, str], home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments], env=environment, cwd=home, capture_output=True, text=True, check=False
    )


def test_all_documents_go_all_the_way(environment: dict[str, str], tmp_path: Path, database_url: str) -> None:
    ran = demo(environment, tmp_path)

    assert (ran.returncode, ran.stderr) == (0, "")
    for stage in ("document-parse", "generate-embeddings", "analyze-document", "update-graph"):
        assert re.search(rf"{stage} +━+ 13/13", ran.stdout)
    [numbers] = re.findall(r"│ (\d+) +│ (\d+) +│ (\d+) +│ (\d+) ", ran.stdout)
    documents, chunks, vectors, entities = map(int, numbers)
    assert (documents, chunks, entities > 100) == (14, vectors, True)
    assert f"13 documents, {entities} entities" in ran.stdout
    assert "broken-truncated-upload.docx failed as it should, in document-parse" in ran.stdout
    assert "cannot be read as docx: File is not a zip file" in ran.stdout
    assert [f"\n{number}. 0." in ran.stdout for number in (1, 2, 3)] == [True] * 3
    assert "To look further" in ran.stdout
    assert sql(database_url, "SELECT state::text, count(*) AS n FROM pgboss.job GROUP BY 1 ORDER BY 1") == [
        {"state": "completed", "n": 52},
        {"state": "created", "n": 1},
        {"state": "failed", "n": 1},
    ]


@pytest.mark.prove
def test_another_run_replaces_the_last_one_and_can_be_asked(
    environment: dict[str, str], tmp_path: Path, folder: Path, database_url: str
) -> None:
    for _ in range(2):
        assert demo(environment, tmp_path, "--documents", str(folder)).returncode == 0
    asked = demo(environment, tmp_path, "--search", "which library does DNS lookups?")

    assert sql_value(database_url, "SELECT count(*) FROM pipeline.documents") == 2
    assert (asked.returncode, asked.stderr) == (0, "")
    assert "pgbouncer-readme.md › PgBouncer › DNS lookup support" in asked.stdout


def test_asking_before_the_first_run_says_so(environment: dict[str, str], tmp_path: Path) -> None:
    asked = demo(environment, tmp_path, "--search", "anything")

    assert (asked.returncode, asked.stdout) == (1, "There are no documents yet: run the demo first.\n")


@pytest.mark.prove
def test_what_goes_otherwise_than_expected_is_told_and_shows_in_the_exit_code(
    environment: dict[str, str], tmp_path: Path, folder: Path
) -> None:
    (folder / "broken-truncated-upload.docx").rename(folder / "contract.docx")
    shutil.copy(folder / README, folder / "broken-not-really.md")

    ran = demo(environment, tmp_path, "--documents", str(folder))

    assert ran.returncode == 1
    assert "contract.docx failed unexpectedly, in document-parse" in ran.stdout
    assert "broken-not-really.md should have failed and did not." in ran.stdout


def test_an_empty_folder_is_told(environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "nothing").mkdir()

    ran = demo(environment, tmp_path, "--documents", str(tmp_path / "nothing"))

    assert ran.returncode == 1
    assert "holds no document of a known type" in ran.stdout
    assert "Traceback" not in ran.stdout + ran.stderr


def test_a_wrong_address_is_told_in_words(environment: dict[str, str], tmp_path: Path) -> None:
    ran = demo({**environment, "DATABASE_URL": "postgresql://127.0.0.1:1/none"}, tmp_path, "--search", "x")

    assert ran.returncode == 1
    assert ran.stdout.startswith("The database cannot be reached: ")
    assert "Traceback" not in ran.stdout + ran.stderr


def test_ctrl_c_stops_cleanly(environment: dict[str, str], tmp_path: Path, database_url: str) -> None:
    running = "SELECT EXISTS (SELECT FROM pgboss.job WHERE state = 'active')"
    with subprocess.Popen(
        COMMAND, env=environment, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            eventually_sync(
                lambda: (
                    sql_value(database_url, "SELECT to_regclass('pgboss.job') IS NOT NULL")
                    and sql_value(database_url, running)
                ),
                within=60,
            )
            process.send_signal(signal.SIGINT)
            output, errors = process.communicate(timeout=40)
        finally:
            process.kill()

    assert process.returncode == 130
    assert "Stopped." in output
    assert "Traceback" not in output + errors
    assert not sql_value(database_url, running)


@pytest.mark.prove
def test_keep_leaves_the_database_to_look_around_until_ctrl_c(
    environment: dict[str, str], tmp_path: Path, folder: Path
) -> None:
    command = [*COMMAND, "--documents", str(folder), "--keep"]
    with subprocess.Popen(command, env=environment, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            said = [next(line for line in process.stdout if "pgboss jobs list" in line)]
            process.send_signal(signal.SIGINT)
            said += process.stdout
        finally:
            process.kill()

    assert f"DATABASE_URL='{environment['DATABASE_URL']}' pgboss jobs list document-failed" in said[0]
    assert process.returncode == 0
    assert "Stopped" not in "".join(said)


async def test_a_worker_alone_works_until_sigterm(
    environment: dict[str, str], tmp_path: Path, make_boss: BossFactory
) -> None:
    command = [sys.executable, "-m", "document_pipeline.worker"]
    process = await asyncio.create_subprocess_exec(*command, env=environment, cwd=tmp_path, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        assert (await process.stdout.readline()).startswith(b"Working. Embeddings: l2_supercat_256")
        boss = await make_boss()
        id = await enqueue_test_job(boss, jobs.TestJob(message="are you there?"))

        async def output() -> Any:
            job = await boss.get_job(str(id))
            return job and job.output

        assert await eventually(output) == {"message": "are you there?", "delay_ms": 0}
        process.send_signal(signal.SIGTERM)
    except BaseException:
        process.kill()
        raise
    finally:
        code = await process.wait()
    assert code == 0


def test_a_worker_without_a_database_says_what_to_set(environment: dict[str, str], tmp_path: Path) -> None:
    del environment["DATABASE_URL"]
    command = [sys.executable, "-m", "document_pipeline.worker"]

    ran = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert (ran.returncode, ran.stderr) == (1, "Set DATABASE_URL to the PostgreSQL that holds the queue.\n")


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that everybody may pass through, as root's server runs as somebody else."""
    path = Path(tempfile.mkdtemp(prefix="demo-", dir="/tmp"))
    path.chmod(0o755)
    yield path
    # The last client is gone, so the server has stopped: the demo waits for it.
    shutil.rmtree(path)


def test_without_a_database_it_brings_its_own_and_keeps_it(
    environment: dict[str, str], tmp_path: Path, folder: Path, open_folder: Path
) -> None:
    del environment["DATABASE_URL"]
    environment["PGBOSS_DATA_DIR"] = str(open_folder)

    ran = demo(environment, tmp_path, "--documents", str(folder))
    asked = demo(environment, tmp_path, "--search", "which library does DNS lookups?")

    assert (ran.returncode, asked.returncode) == (0, 0)
    assert "DNS lookup support" in asked.stdout
