"""Jobs whose time ran out or whose worker fell silent: failed once, wherever they lie, and nothing else is touched."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from uuid import UUID

import psycopg
import pytest

from pgboss import PgBoss
from pgboss.core.names import Lock
from pgboss.drivers.psycopg import AsyncDatabase
from pgboss.errors import DatabaseError
from pgboss.maintenance import ExpirySweep
from pgboss.maintenance.expiry import LOOK_AGAIN_SECONDS
from pgboss.operations import maintain
from pgboss.sql import fail, locks
from support.eventually import eventually
from support.postgres import sql, sql_value
from support.upkeep import SCHEMA, Watched, add_job, add_jobs, database, job_rows

TIMED_OUT = {"value": {"message": "job timed out"}}
SILENT = {"value": {"message": "job heartbeat timeout"}}

LONG_AGO = "now() - interval '1 hour'"
ACTIVE = {"state": "'active'", "started_on": "now()", "heartbeat_on": "now()"}
# Past its 900 seconds, with one more attempt left.
EXPIRED = ACTIVE | {"started_on": LONG_AGO, "retry_limit": "1"}
# Well within its time, but nobody has heard of it for longer than the 60 seconds it promised.
QUIET = ACTIVE | {"heartbeat_on": "now() - interval '61 seconds'", "heartbeat_seconds": "60", "retry_limit": "1"}


@pytest.fixture
async def pool(database_url: str, boss: PgBoss) -> AsyncIterator[AsyncDatabase]:
    async with database(database_url) as opened:
        yield opened


@pytest.fixture
def sweep(pool: AsyncDatabase) -> ExpirySweep:
    return ExpirySweep(pool.run, SCHEMA)


def the_job(url: str, id: UUID) -> dict[str, Any]:
    return sql(url, "SELECT * FROM pgboss.job WHERE id = %s", [id])[0]


def states(url: str, queue: str) -> dict[str, int]:
    found = sql(url, "SELECT state::text, count(*) AS n FROM pgboss.job WHERE name = %s GROUP BY 1", [queue])
    return {row["state"]: row["n"] for row in found}


@pytest.mark.parametrize("partition", [False, True], ids=["shared table", "own partition"])
@pytest.mark.parametrize(("past", "output"), [(EXPIRED, TIMED_OUT), (QUIET, SILENT)], ids=["timed out", "silent"])
async def test_an_overdue_job_is_retried(
    boss: PgBoss, sweep: ExpirySweep, database_url: str, partition: bool, past: dict[str, str], output: Any
) -> None:
    await boss.create_queue("work", partition=partition)
    before = the_job(database_url, add_job(database_url, "work", data="'{\"a\": 1}'", **past))

    assert await sweep.run_once() is None

    [after] = job_rows(database_url, "work")
    changed = {column for column in after if after[column] != before[column]}
    assert changed == {"state", "output", "heartbeat_on", "start_after"}
    assert (after["state"], after["output"], after["heartbeat_on"]) == ("retry", output, None)


async def test_after_the_last_attempt_the_job_fails_and_a_copy_goes_to_the_dead_letter_queue(
    boss: PgBoss, sweep: ExpirySweep, database_url: str
) -> None:
    await boss.create_queue("dead")
    await boss.create_queue("work", dead_letter="dead")
    id = add_job(database_url, "work", data="'{\"a\": 1}'", dead_letter="'dead'", **EXPIRED | {"retry_count": "1"})

    await sweep.run_once()

    failed = the_job(database_url, id)
    assert (failed["state"], failed["output"]) == ("failed", TIMED_OUT)
    assert failed["completed_on"] is not None
    [copy] = job_rows(database_url, "dead")
    assert (copy["state"], copy["data"], copy["output"]) == ("created", {"a": 1}, None)
    assert (copy["source_name"], copy["source_id"], copy["source_output"]) == ("work", id, TIMED_OUT)


async def test_what_is_not_overdue_is_left_alone(boss: PgBoss, sweep: ExpirySweep, database_url: str) -> None:
    await boss.create_queue("work")
    add_job(database_url, "work", **ACTIVE)
    add_job(database_url, "work", **ACTIVE | {"heartbeat_seconds": "60"})
    # Without heartbeat_seconds nobody promised a heartbeat, however long ago the last one was.
    add_job(database_url, "work", **ACTIVE | {"heartbeat_on": LONG_AGO})
    # Only active jobs run out of time.
    for state in ("created", "retry", "completed", "cancelled", "failed"):
        add_job(database_url, "work", **EXPIRED | {"state": f"'{state}'", "heartbeat_seconds": "1"})
    before = job_rows(database_url, "work")

    await sweep.run_once()

    assert job_rows(database_url, "work") == before


async def test_a_job_that_is_overdue_in_both_ways_fails_once(
    boss: PgBoss, sweep: ExpirySweep, database_url: str
) -> None:
    await boss.create_queue("dead")
    await boss.create_queue("work")
    id = add_job(
        database_url, "work", dead_letter="'dead'", **EXPIRED | QUIET | {"started_on": LONG_AGO, "retry_limit": "0"}
    )

    await sweep.run_once()

    assert the_job(database_url, id)["output"] == TIMED_OUT
    assert len(job_rows(database_url, "dead")) == 1


async def test_queues_that_hold_the_same_id_are_told_apart(boss: PgBoss, sweep: ExpirySweep, database_url: str) -> None:
    await boss.create_queue("one")
    await boss.create_queue("two")
    id = add_job(database_url, "one", **EXPIRED)
    add_job(database_url, "two", **ACTIVE | {"id": f"'{id}'"})
    # Another overdue job there, so that the sweep looks at both queues.
    add_job(database_url, "two", **EXPIRED)

    await sweep.run_once()

    assert states(database_url, "one") == {"retry": 1}
    assert states(database_url, "two") == {"active": 1, "retry": 1}


async def test_a_retry_that_its_policy_forbids_ends_as_failed(
    boss: PgBoss, sweep: ExpirySweep, database_url: str
) -> None:
    await boss.create_queue("work")
    stately = {"policy": "'stately'", "singleton_key": "'k'"}
    waiting = add_job(database_url, "work", state="'retry'", **stately)
    running = add_job(database_url, "work", **EXPIRED | stately)

    await sweep.run_once()

    assert the_job(database_url, waiting)["state"] == "retry"
    assert the_job(database_url, running)["state"] == "failed"


async def test_many_jobs_fail_in_batches_and_are_logged_in_one_line(
    boss: PgBoss, sweep: ExpirySweep, database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    await boss.create_queue("work")
    number = fail.SWEEP_BATCH * 2 + 1
    add_jobs(database_url, "work", number, **EXPIRED | {"retry_limit": "n % 2"})

    with caplog.at_level(logging.INFO, "pgboss.maintenance"):
        await sweep.run_once()

    assert states(database_url, "work") == {"retry": 1001, "failed": 1000}
    [record] = caplog.records
    assert record.levelno == logging.INFO
    assert record.getMessage() == "Queue work: 2001 active jobs ran out of time; 1001 to be retried, 1000 failed"


async def test_idle_queues_cost_one_statement_and_no_line(
    boss: PgBoss, pool: AsyncDatabase, database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(3):
        await boss.create_queue(f"own-{number}", partition=True)
        add_job(database_url, f"own-{number}", **ACTIVE)
    run = Watched(pool.run)

    with caplog.at_level(logging.DEBUG, "pgboss.maintenance"):
        await ExpirySweep(run, SCHEMA).run_once()

    assert run.count == 2, "one operation reads the queues, one looks for overdue jobs"
    assert caplog.records == []


async def test_without_queues_there_is_nothing_to_do(sweep: ExpirySweep) -> None:
    assert await sweep.run_once() is None


async def test_tables_are_looked_at_in_portions(
    boss: PgBoss, pool: AsyncDatabase, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(maintain, "TABLES_A_STATEMENT", 2)
    names = [f"own-{number}" for number in range(5)]
    for name in names:
        await boss.create_queue(name, partition=True)
        add_job(database_url, name, **EXPIRED)
    run = Watched(pool.run)

    await ExpirySweep(run, SCHEMA).run_once()

    assert [states(database_url, name) for name in names] == [{"retry": 1}] * 5
    assert run.count == 1 + 3 + 5, "the queues, three portions, five sweeps"


async def test_two_sweeps_at_once_fail_each_job_once(boss: PgBoss, pool: AsyncDatabase, database_url: str) -> None:
    await boss.create_queue("dead")
    await boss.create_queue("work")
    number = fail.SWEEP_BATCH * 3
    add_jobs(database_url, "work", number, dead_letter="'dead'", **EXPIRED | {"retry_limit": "0"})

    await asyncio.gather(*(ExpirySweep(pool.run, SCHEMA).run_once() for _ in range(3)))

    assert states(database_url, "work") == {"failed": number}
    assert len({row["source_id"] for row in job_rows(database_url, "dead")}) == number
    assert states(database_url, "dead") == {"created": number}


async def test_a_sweep_leaves_the_work_to_whoever_holds_the_lock(
    boss: PgBoss, sweep: ExpirySweep, database_url: str
) -> None:
    await boss.create_queue("work")
    add_job(database_url, "work", **EXPIRED)
    key = SCHEMA.lock_key(sql_value(database_url, "SELECT current_database()"), Lock.expire("job_common"))

    with psycopg.connect(database_url) as holder:
        holder.execute("SELECT pg_advisory_xact_lock(%s)", [key])
        assert await sweep.run_once() == LOOK_AGAIN_SECONDS
        assert states(database_url, "work") == {"active": 1}

    assert await sweep.run_once() is None
    assert states(database_url, "work") == {"retry": 1}


def between(act: Callable[[], Awaitable[object]]) -> Callable[[int], Awaitable[None]]:
    """Act after the sweep has seen overdue jobs and before it fails them."""

    async def before(number: int) -> None:
        if number == 2:
            await act()

    return before


@pytest.fixture
async def seen(boss: PgBoss, database_url: str) -> UUID:
    """A claimed job of the queue ``work`` that is overdue in both ways."""
    await boss.create_queue("work", retry_limit=3, heartbeat_seconds=60)
    await boss.send("work")
    [job] = await boss.fetch("work")
    sql(database_url, f"UPDATE pgboss.job SET started_on = {LONG_AGO}, heartbeat_on = {LONG_AGO}")
    return job.id


async def test_a_job_completed_after_it_was_seen_stays_completed(
    boss: PgBoss, pool: AsyncDatabase, database_url: str, seen: UUID
) -> None:
    run = Watched(pool.run, between(lambda: boss.complete("work", seen, {"done": True})))

    await ExpirySweep(run, SCHEMA).run_once()

    after = the_job(database_url, seen)
    assert (after["state"], after["output"]) == ("completed", {"done": True})


async def test_a_heartbeat_that_comes_after_the_job_was_seen_wins(
    boss: PgBoss, pool: AsyncDatabase, database_url: str, seen: UUID
) -> None:
    sql(database_url, "UPDATE pgboss.job SET started_on = now()")
    run = Watched(pool.run, between(lambda: boss.touch("work", seen)))

    await ExpirySweep(run, SCHEMA).run_once()

    assert run.count == 3, "the queues, the look, one sweep in vain"
    assert the_job(database_url, seen)["state"] == "active"


@pytest.mark.parametrize("ending", ["commit", "rollback"])
async def test_a_job_that_is_being_settled_is_neither_waited_for_nor_failed(
    boss: PgBoss, sweep: ExpirySweep, database_url: str, seen: UUID, ending: str
) -> None:
    async with await psycopg.AsyncConnection.connect(database_url) as caller:
        await boss.complete("work", seen, connection=caller)
        await sweep.run_once()
        await (caller.commit() if ending == "commit" else caller.rollback())
    assert the_job(database_url, seen)["state"] == ("completed" if ending == "commit" else "active")

    await sweep.run_once()
    assert the_job(database_url, seen)["state"] == ("completed" if ending == "commit" else "retry")


async def test_a_late_result_does_not_touch_what_the_sweep_has_failed(
    boss: PgBoss, sweep: ExpirySweep, database_url: str
) -> None:
    await boss.create_queue("work", retry_limit=3)
    await boss.send("work")
    [job] = await boss.fetch("work")
    sql(database_url, f"UPDATE pgboss.job SET started_on = {LONG_AGO}")
    await sweep.run_once()

    settled = await boss.complete("work", job, "late")

    assert settled.settled == ()
    assert the_job(database_url, job.id)["output"] == TIMED_OUT


async def test_a_queue_deleted_after_it_was_seen_does_not_keep_the_others_from_being_swept(
    boss: PgBoss, pool: AsyncDatabase, database_url: str
) -> None:
    for name in ("gone", "work"):
        await boss.create_queue(name, partition=True)
        add_job(database_url, name, **EXPIRED)

    async def before(number: int) -> None:
        if number == 1:
            await boss.delete_queue("gone")

    assert await ExpirySweep(Watched(pool.run, before), SCHEMA).run_once() is None

    assert states(database_url, "work") == {"retry": 1}


async def test_a_locked_table_does_not_keep_the_others_from_being_swept(
    boss: PgBoss, sweep: ExpirySweep, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locks, "WAIT_MILLISECONDS", 50)
    tables = {}
    for name in ("locked", "work"):
        await boss.create_queue(name, partition=True)
        add_job(database_url, name, **EXPIRED)
        tables[name] = sql_value(database_url, "SELECT table_name FROM pgboss.queue WHERE name = %s", [name])

    with psycopg.connect(database_url) as holder:
        holder.execute(f"LOCK TABLE pgboss.{tables['locked']} IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(DatabaseError) as refused:
            await sweep.run_once()
        assert refused.value.sqlstate == "55P03"

    assert states(database_url, "work") == {"retry": 1}
    assert states(database_url, "locked") == {"active": 1}


async def test_a_sweep_that_is_cancelled_undoes_its_batch(boss: PgBoss, sweep: ExpirySweep, database_url: str) -> None:
    await boss.create_queue("work")
    add_job(database_url, "work", **EXPIRED)

    async with await psycopg.AsyncConnection.connect(database_url) as holder:
        await holder.execute("LOCK TABLE pgboss.job_common IN SHARE MODE")
        turn = asyncio.create_task(sweep.run_once())
        waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'pgboss.job_common'::regclass"
        await eventually(lambda: sql_value(database_url, waiting) == 1)
        turn.cancel()
        with pytest.raises(asyncio.CancelledError):
            await turn
        # Not even its wait is left on the server, and the advisory lock is free.
        await eventually(lambda: sql_value(database_url, waiting) == 0)
        assert sql_value(database_url, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == 0

    assert states(database_url, "work") == {"active": 1}
    await sweep.run_once()
    assert states(database_url, "work") == {"retry": 1}
