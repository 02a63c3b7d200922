"""Handlers in processes of their own: what crosses the boundary, and what a killed process costs."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections import Counter
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from pgboss import JobDetails, PgBoss
from support import process_handlers as handlers
from support.alive import is_alive
from support.boss import BossFactory
from support.eventually import eventually
from support.postgres import sql

pytestmark = [pytest.mark.slow, pytest.mark.timeout(60)]

START_SECONDS = 20


async def over(boss: PgBoss, queue: str = "jobs") -> list[JobDetails] | None:
    """The jobs of a queue, oldest first, once all of them are over."""
    found = sorted(await boss.find_jobs(queue), key=lambda job: job.created_on)
    return found if found and all(job.completed_on for job in found) else None


async def done(boss: PgBoss, handler: Any, *data: Any, queue: str = "jobs", **options: Any) -> list[JobDetails]:
    """Have jobs with these data worked in a process, one after the other, and wait for them."""
    await boss.create_queue(queue, retry_limit=0)
    for each in data:
        await boss.send(queue, each)
    await boss.work(queue, handler, executor="process", **({"concurrency": 1} | options))
    return await eventually(lambda: over(boss, queue), within=START_SECONDS)


async def test_a_typed_handler_works_in_a_process_which_is_used_again(make_boss: BossFactory) -> None:
    boss = await make_boss(jobs=[handlers.jobs], work=False)
    for what in ("first", "second"):
        await boss.send(handlers.typed, handlers.Work("", what))
    await boss.work(handlers.typed, concurrency=1)

    first, second = [
        handlers.typed.result_of(job) for job in await eventually(lambda: over(boss, "typed"), within=START_SECONDS)
    ]

    assert first is not None
    assert second is not None
    assert (first.what, second.what) == ("first of typed", "second of typed")
    assert first.pid == second.pid != os.getpid() == first.parent


async def test_batches_are_answered_job_by_job(make_boss: BossFactory) -> None:
    boss = await make_boss(jobs=[handlers.jobs], work=False)
    await boss.insert("batched", [{"data": {"folder": "", "what": what}} for what in "abcd"] + [{"data": {"bad": 1}}])
    await boss.work(handlers.batched)

    jobs = await eventually(lambda: over(boss, "batched"), within=START_SECONDS)

    assert Counter(job.state for job in jobs) == {"completed": 2, "failed": 3}
    messages = {job.output["message"] for job in jobs if job.state == "failed"}
    assert len(messages & {"a", "b", "c", "d"}) == 2
    assert any("batched: folder: field required" in message for message in messages)


async def test_untyped_batches(boss: PgBoss) -> None:
    jobs = await done(boss, handlers.takes_lists, "a", None, batch_size=5)

    assert [job.state for job in jobs] == ["completed", "failed"]
    assert jobs[0].output["value"].startswith("a in ")
    assert jobs[1].output["message"] == "no disposition returned by handler"


@pytest.mark.parametrize(
    ("what", "name", "message"),
    [
        ("chained", "LookupError", "not found"),
        ("unpicklable", "UnpicklableError", "no way back"),
        ("unprintable", "UnprintableError", "<UnprintableError whose text could not be made: RuntimeError>"),
        ("group", "ExceptionGroup", "several (2 sub-exceptions)"),
    ],
)
async def test_errors_are_stored_and_logged_as_if_raised_here(
    boss: PgBoss, caplog: pytest.LogCaptureFixture, what: str, name: str, message: str
) -> None:
    [job] = await done(boss, handlers.raises, what)

    assert (job.state, job.output["name"], job.output["message"]) == ("failed", name, message)
    assert "process_handlers.py" in job.output["stack"]
    assert "pgboss/worker" not in job.output["stack"]
    if what == "chained":
        assert job.output["cause"]["name"] == "ValueError"
    if what == "group":
        assert [inner["name"] for inner in job.output["errors"]] == ["ValueError", "KeyError"]
    record = next(record for record in caplog.records if "failed for good" in record.message)
    assert record.exc_info is not None
    assert record.exc_info[0] is not None
    assert record.exc_info[0].__name__ == name
    assert "in raises" in logging.Formatter().formatException(record.exc_info)


async def test_verdicts_cross_the_boundary(boss: PgBoss) -> None:
    await boss.create_queue("jobs", retry_limit=5)
    await boss.send("jobs", "discard")
    await boss.send("jobs", "snooze")
    await boss.work("jobs", handlers.raises, executor="process")

    async def states() -> list[tuple[Any, ...]] | None:
        found = {job.data: job for job in await boss.find_jobs("jobs")}
        told = [(job.state, job.output, job.retry_count) for job in (found["discard"], found["snooze"])]
        return told if found["discard"].completed_on and found["snooze"].started_on is None else None

    assert await eventually(states, within=START_SECONDS) == [("failed", {"reason": 1}, 0), ("created", None, 0)]


async def test_a_result_that_is_no_json_fails_its_job(boss: PgBoss) -> None:
    first, second, third = await done(boss, handlers.returns, "file", "lambda", "file")

    assert [job.state for job in (first, second, third)] == ["failed"] * 3
    assert "cannot be stored as JSON: TextIOWrapper is not a JSON type" in first.output["message"]
    assert "function is not a JSON type" in second.output["message"]


async def test_system_exit_fails_the_job_and_the_process_stays(boss: PgBoss) -> None:
    await boss.create_queue("pids")
    jobs = await done(boss, handlers.quits, 1, 2)

    assert [job.output["name"] for job in jobs] == ["SystemExit"] * 2


@pytest.mark.parametrize(
    ("handler", "data", "how"),
    [
        (handlers.exits, 7, "ended with exit code 7"),
        (handlers.exits, 0, "ended with exit code 0"),
        (handlers.crashes, None, "was killed by SIGSEGV (signal 11)"),
    ],
)
async def test_a_process_that_ends_costs_its_attempt_and_is_replaced(
    boss: PgBoss, handler: Any, data: Any, how: str
) -> None:
    jobs = await done(boss, handler, data, data)

    assert [job.output["message"] for job in jobs] == [f"the process of the handler {how}"] * 2
    assert [job.output["name"] for job in jobs] == ["HandlerProcessError"] * 2


async def test_a_killed_process_disturbs_nobody_else(boss: PgBoss, tmp_path: Path) -> None:
    killed, spared = tmp_path / "killed", tmp_path / "spared"
    for folder in (killed, spared):
        folder.mkdir()
    await boss.create_queue("jobs", retry_limit=1)
    await boss.send("jobs", {"folder": str(killed)})
    await boss.send("jobs", {"folder": str(spared)})
    await boss.work("jobs", handlers.looks, executor="process", concurrency=2)
    await eventually(lambda: (killed / "began").exists() and (spared / "began").exists(), within=START_SECONDS)
    first = int((killed / "began").read_text())
    (killed / "began").unlink()

    os.kill(first, signal.SIGKILL)

    # The attempt fails, the next one begins in another process, and the other job still runs in its own.
    await eventually((killed / "began").exists, within=START_SECONDS)
    assert int((killed / "began").read_text()) not in (first, int((spared / "began").read_text()))
    assert [job.retry_count for job in await boss.find_jobs("jobs")].count(0) == 1
    assert not (spared / "stopped").exists()


async def test_an_idle_process_that_is_killed_is_replaced(boss: PgBoss, caplog: pytest.LogCaptureFixture) -> None:
    [first] = await done(boss, handlers.pid, None)

    os.kill(first.output["value"], signal.SIGKILL)
    await eventually(lambda: "was killed by SIGKILL (signal 9) while it was idle" in caplog.text)
    second_id = await boss.send("jobs")
    assert second_id is not None
    second = await eventually(lambda: completed(boss, second_id), within=START_SECONDS)

    assert second.output["value"] != first.output["value"]


async def completed(boss: PgBoss, id: UUID) -> JobDetails | None:
    job = await boss.get_job(id, queue="jobs")
    return job if job is not None and job.state == "completed" else None


async def begun(boss: PgBoss, handler: Any, folder: Path, **queue: Any) -> int:
    """Have one job worked in a process, and wait until it has begun; returns the process."""
    await boss.create_queue("jobs", **({"retry_limit": 0} | queue))
    await boss.send("jobs", {"folder": str(folder)})
    await boss.work("jobs", handler, executor="process", concurrency=1)
    await eventually((folder / "began").exists, within=START_SECONDS)
    return int((folder / "began").read_text())


async def test_a_handler_that_looks_ends_by_itself_and_keeps_its_process(boss: PgBoss, tmp_path: Path) -> None:
    pid = await begun(boss, handlers.looks, tmp_path, expire_in_seconds=3)

    await eventually((tmp_path / "stopped").exists, within=10)
    [job] = await eventually(lambda: over(boss))
    assert (job.state, job.output["message"]) == ("failed", "handler execution exceeded 3s")
    await boss.send("jobs", {"folder": str(tmp_path)})
    (tmp_path / "began").unlink()
    await eventually((tmp_path / "began").exists)
    assert int((tmp_path / "began").read_text()) == pid


async def test_one_that_does_not_look_is_interrupted_and_leaves_in_order(boss: PgBoss, tmp_path: Path) -> None:
    pid = await begun(boss, handlers.tidies_up, tmp_path, expire_in_seconds=3)

    await eventually((tmp_path / "tidied").exists, within=10)
    await eventually(lambda: not is_alive(pid))


@pytest.mark.parametrize("handler", [handlers.ignores, handlers.computes])
async def test_one_that_does_not_leave_is_killed_and_its_slot_is_free(
    boss: PgBoss, tmp_path: Path, handler: Any
) -> None:
    pid = await begun(boss, handler, tmp_path, expire_in_seconds=3)
    own = int((tmp_path / "own").read_text()) if (tmp_path / "own").exists() else None
    (tmp_path / "began").unlink()
    await boss.send("jobs", {"folder": str(tmp_path)})

    await eventually((tmp_path / "began").exists, within=START_SECONDS)

    assert not is_alive(pid)
    assert int((tmp_path / "began").read_text()) != pid
    if own is not None:
        await eventually(lambda: not is_alive(own))


async def test_a_job_cancelled_in_the_database_reaches_the_process(
    boss: PgBoss, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pgboss.worker.crew.RECALL_SECONDS", 0.5)
    await begun(boss, handlers.looks, tmp_path)

    sql(database_url, "UPDATE pgboss.job SET state = 'cancelled'")

    await eventually((tmp_path / "stopped").exists)


async def test_sigterm_from_somebody_else_is_ignored(boss: PgBoss, tmp_path: Path) -> None:
    """Whoever stops a whole service sends it to all of its processes; running jobs have their time all the same."""
    pid = await begun(boss, handlers.looks, tmp_path)
    os.kill(pid, signal.SIGTERM)
    os.kill(pid, signal.SIGINT)

    await boss.stop(timeout=0.5)

    assert (tmp_path / "stopped").exists()


@pytest.mark.parametrize("handler", [handlers.looks, handlers.tidies_up, handlers.ignores, handlers.computes])
async def test_a_stop_leaves_no_process(
    make_boss: BossFactory, database_url: str, tmp_path: Path, handler: Any
) -> None:
    boss = await make_boss()
    pid = await begun(boss, handler, tmp_path, retry_limit=1)
    clock = asyncio.get_running_loop().time
    began = clock()

    await boss.stop(timeout=0.5)

    assert clock() - began < 0.5 + 5
    assert not is_alive(pid)
    [row] = sql(database_url, "SELECT state::text, output FROM pgboss.job")
    assert row == {"state": "retry", "output": {"value": "pg-boss shut down while active"}}
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_the_end_of_work_is_the_end_of_its_processes(boss: PgBoss) -> None:
    jobs = await done(boss, handlers.nap, {"seconds": 0.5}, {"seconds": 0.5}, concurrency=2)
    pids = {job.output["value"] for job in jobs}
    assert len(pids) == 2

    await boss.off_work("jobs")

    assert [pid for pid in pids if is_alive(pid)] == []


async def test_records_come_out_here(
    boss: PgBoss, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    logging.getLogger(handlers.logger.name).setLevel(logging.INFO)
    try:
        await done(boss, handlers.logs, "here")
    finally:
        logging.getLogger(handlers.logger.name).setLevel(logging.NOTSET)

    records = [record for record in caplog.records if record.name == handlers.logger.name]
    assert [(record.levelname, record.message) for record in records] == [
        ("INFO", "it says 1"),
        ("ERROR", "it went wrong"),
    ]
    told = vars(records[0])
    assert (told["page"], told["where"], told["nested"]) == (7, "a", {"deep": [1, (2,)]})
    assert records[0].process != os.getpid()
    assert "ValueError: invalid literal" in (records[1].exc_text or "")
    assert capfd.readouterr().out == "printed here\n"


async def test_a_handler_may_fork_and_terminate_what_it_forked(boss: PgBoss) -> None:
    [job] = await done(boss, handlers.forks, None)

    assert job.output == {"value": -signal.SIGTERM}


async def test_a_handler_may_ask_for_all_that_is_stored(boss: PgBoss) -> None:
    [job] = await done(boss, handlers.details, None, include_metadata=True)

    assert job.output == {"value": "active until True"}


async def test_context_variables_begin_anew_with_each_job(boss: PgBoss) -> None:
    handlers.variable.set("of the worker")

    jobs = await done(boss, handlers.changes_variable, 1, 2)

    assert [job.output for job in jobs] == [{"value": "as imported"}] * 2


async def test_jobs_go_back_when_no_process_can_be_started(
    boss: PgBoss, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing is wrong with the jobs; they wait, uncounted, until the handler can be imported again."""
    module = tmp_path / "only_here.py"
    module.write_text("def handler(job):\n    return 'worked'\n")
    monkeypatch.syspath_prepend(tmp_path)
    import only_here  # type: ignore[import-not-found]  # written a moment ago

    module.write_text("raise RuntimeError('not today')\n")
    await boss.create_queue("jobs", retry_limit=0)
    await boss.send("jobs")
    await boss.work("jobs", only_here.handler, executor="process")
    await eventually(
        lambda: "1 jobs of queue jobs went back: its process cannot import it: RuntimeError: not today" in caplog.text,
        within=START_SECONDS,
    )
    module.write_text("def handler(job):\n    return 'worked again'\n")

    [job] = await eventually(lambda: over(boss), within=START_SECONDS)
    assert (job.state, job.output, job.retry_count) == ("completed", {"value": "worked again"}, 0)
