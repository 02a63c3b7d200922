"""What listeners and the log are told of what goes wrong in the background, and of jobs that fail."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest
from psycopg_pool import AsyncConnectionPool

from pgboss import (
    DatabaseUnavailableError,
    Discard,
    ErrorEvent,
    FlowEvent,
    Job,
    PgBoss,
    PgBossError,
    SchemaMissingError,
    ValidationError,
    WarningEvent,
)
from support.boss import BossFactory
from support.eventually import eventually
from support.postgres import sql


async def nothing(job: Job) -> None: ...


async def test_a_claim_that_fails_is_told_with_its_queue_and_worker(boss: PgBoss) -> None:
    errors: list[ErrorEvent] = []
    boss.on("error", errors.append)
    await boss.create_queue("jobs")
    id = await boss.work("jobs", nothing)
    await eventually(lambda: boss.get_wip_data()[0].last_fetched_on)

    await boss.delete_queue("jobs")
    boss.notify_worker(id)

    error = await eventually(lambda: errors[0] if errors else None)
    assert isinstance(error.error, PgBossError)
    assert (error.queue, error.worker) == ("jobs", id)
    [data] = boss.get_wip_data()
    assert type(data.last_error) is type(error.error)
    assert data.last_error_on is not None


async def test_results_that_cannot_be_written_are_told(boss: PgBoss, database_url: str) -> None:
    errors: list[ErrorEvent] = []
    boss.on("error", errors.append)
    await boss.create_queue("jobs", retry_limit=0)
    sql(
        database_url,
        "ALTER TABLE pgboss.job_common ADD CONSTRAINT refused CHECK (output->>'a' IS DISTINCT FROM 'refused')",
    )
    await boss.send("jobs")

    async def handler(job: Job) -> dict[str, str]:
        return {"a": "refused"}

    await boss.work("jobs", handler)

    error = await eventually(lambda: errors[0] if errors else None)
    assert (error.duty, error.queue) == ("writing results", "jobs")


async def test_not_being_able_to_listen_is_warned_of_once(database_url: str, boss: PgBoss) -> None:
    await boss.create_queue("jobs")
    warnings: list[WarningEvent] = []
    errors: list[ErrorEvent] = []
    async with AsyncConnectionPool(database_url, min_size=1, open=False) as pool:
        deaf = PgBoss("postgresql://127.0.0.1:1/nowhere", pool=pool, supervise=False)
        deaf.on("warning", warnings.append)
        deaf.on("error", errors.append)
        async with deaf:
            await deaf.work("jobs", nothing)
            await eventually(lambda: len([error for error in errors if "listening" in error.duty]) >= 2)
            await deaf.stop(timeout=0)

    [warning] = warnings
    assert warning.type == "listen_notify_unavailable"
    assert warning.data["instance"] == str(deaf.id)
    assert set(warning.data) == {"type", "instance", "error"}


async def test_a_job_that_fails_for_good_is_one_line_with_its_traceback(
    boss: PgBoss, caplog: pytest.LogCaptureFixture
) -> None:
    async def handler(job: Job) -> None:
        raise LookupError("no such invoice") if job.retry_count else Discard("never mind") if job.data else KeyError(1)

    await boss.create_queue("jobs", retry_limit=1)
    id = await boss.send("jobs")
    with caplog.at_level(logging.INFO, "pgboss"):
        await boss.work("jobs", handler)
        await eventually(lambda: is_failed(boss))

    retried, failed = [record for record in caplog.records if getattr(record, "job_id", None) == str(id)]
    assert (retried.levelname, retried.exc_info) == ("WARNING", None)
    assert retried.getMessage() == f"job {id} of queue jobs will be retried: KeyError: 1"
    assert (failed.levelname, failed.getMessage()) == ("ERROR", f"job {id} of queue jobs failed for good")
    assert failed.exc_info
    assert failed.exc_info[0] is LookupError
    fields = [(vars(record)["queue"], vars(record)["attempt"]) for record in (retried, failed)]
    assert fields == [("jobs", 1), ("jobs", 2)]
    assert all(0 <= vars(record)["duration_seconds"] < 5 for record in (retried, failed))


async def is_failed(boss: PgBoss) -> bool:
    return [job.state for job in await boss.find_jobs("jobs")] == ["failed"]


async def test_completed_jobs_are_logged_for_those_who_debug(boss: PgBoss, caplog: pytest.LogCaptureFixture) -> None:
    await boss.create_queue("jobs")
    id = await boss.send("jobs")
    with caplog.at_level(logging.DEBUG, "pgboss.worker"):
        await boss.work("jobs", nothing)
        await eventually(lambda: "is completed" in caplog.text)

    [record] = [record for record in caplog.records if "is completed" in record.getMessage()]
    assert vars(record)["job_id"] == str(id)
    assert "duration_seconds" in vars(record)


async def test_stopped_is_told_before_the_stop_returns(make_boss: BossFactory) -> None:
    boss = await make_boss()
    told: list[object] = []

    @boss.on("stopped")
    async def stopped(payload: None) -> None:
        told.append(payload)

    await boss.stop()
    assert told == [None]
    await boss.stop()
    assert told == [None]


async def test_a_start_is_tried_again_and_warned_of_once(database_url: str, caplog: pytest.LogCaptureFixture) -> None:
    boss = PgBoss(database_url, migrate=False, supervise=False)
    warnings: list[WarningEvent] = []
    told = asyncio.Event()

    @boss.on("warning")
    async def warned(warning: WarningEvent) -> None:
        warnings.append(warning)
        told.set()

    with caplog.at_level(logging.INFO, "pgboss"):
        starting = asyncio.create_task(boss.start(attempts=5))
        await told.wait()
        await eventually(lambda: "attempt 2 of 5" in caplog.text)
        async with PgBoss(database_url, supervise=False):
            pass
        await starting
    await boss.stop()

    [warning] = warnings
    assert warning.type == "start_retry"
    assert (warning.data["type"], warning.data["attempts"]) == ("start_retry", 5)


async def test_a_stop_ends_the_attempts_to_start(database_url: str) -> None:
    boss = PgBoss(database_url, migrate=False)
    told = asyncio.Event()
    boss.on("warning", lambda warning: told.set())
    starting = asyncio.create_task(boss.start(attempts=1000))
    await told.wait()

    await boss.stop()
    with pytest.raises(SchemaMissingError):
        await starting


@pytest.mark.parametrize("attempts", [0, 1.5, True])
async def test_attempts_must_be_a_number_of_them(database_url: str, attempts: Any) -> None:
    with pytest.raises(ValidationError, match="attempts must be an integer of 1 or more"):
        await PgBoss(database_url).start(attempts=attempts)


async def test_the_last_attempt_raises() -> None:
    unreachable = PgBoss("postgresql://127.0.0.1:1/nowhere")

    with pytest.raises(DatabaseUnavailableError):
        await unreachable.start(attempts=2)


async def test_parents_that_were_counted_off_are_told(make_boss: BossFactory) -> None:
    boss = await make_boss(supervise=True)
    told: list[FlowEvent] = []
    boss.on("flow", told.append)
    await boss.create_queue("steps")
    ids = await boss.flow(
        [{"ref": "first", "name": "steps"}, {"ref": "last", "name": "steps", "depends_on": ["first"]}]
    )
    await boss.work("steps", nothing)

    await eventually(lambda: told)
    assert told == [FlowEvent("job_common", 1)]
    assert len(ids) == 2
