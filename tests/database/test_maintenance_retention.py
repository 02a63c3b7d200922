"""Old jobs go, once an interval and by one instance a queue, and a turn that is cut short is taken up again."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from typing import Any
from uuid import UUID

import psycopg
import pytest

from pgboss import PgBoss
from pgboss.core.names import Lock
from pgboss.drivers.psycopg import AsyncDatabase
from pgboss.errors import DatabaseError, StoppedError
from pgboss.maintenance import RetentionPass
from pgboss.sql import locks
from pgboss.sql import maintain as statements
from support.eventually import eventually
from support.postgres import sql, sql_value
from support.upkeep import SCHEMA, Watched, add_job, add_jobs, database, job_rows, queue_row

LONG_AGO = "now() - interval '8 days'"
# Finished longer ago than its seven days.
OLD = {"state": "'completed'", "completed_on": LONG_AGO}
RECENT = {"state": "'completed'", "completed_on": "now() - interval '1 day'"}


@pytest.fixture
async def pool(database_url: str, boss: PgBoss) -> AsyncIterator[AsyncDatabase]:
    async with database(database_url) as opened:
        yield opened


@pytest.fixture
def retention(pool: AsyncDatabase) -> RetentionPass:
    return RetentionPass(pool.run, SCHEMA)


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statements, "WALK_BATCH", 3)


def claimed_on(url: str, queue: str) -> Any:
    return queue_row(url, queue)["maintain_on"]


def count(url: str, queue: str) -> int:
    return len(job_rows(url, queue))


@pytest.mark.parametrize("partition", [False, True], ids=["shared table", "own partition"])
async def test_old_jobs_go_and_all_others_stay(
    boss: PgBoss, retention: RetentionPass, database_url: str, partition: bool
) -> None:
    await boss.create_queue("work", partition=partition)
    past = "now() - interval '1 second'"
    for state in ("completed", "cancelled", "failed"):
        add_job(database_url, "work", **OLD | {"state": f"'{state}'"})
    for state in ("created", "retry"):
        add_job(database_url, "work", state=f"'{state}'", keep_until=past)
    add_job(database_url, "work", keep_until=past, blocked="true")
    stays = {
        add_job(database_url, "work", **RECENT),
        add_job(database_url, "work", **RECENT, keep_until=past),
        add_job(database_url, "work", **OLD, deletion_seconds="0"),
        add_job(database_url, "work", **OLD, deletion_seconds="30 * 86400"),
        add_job(database_url, "work"),
        add_job(database_url, "work", state="'retry'", start_after=LONG_AGO),
        # An active job never goes, however old its row looks.
        add_job(database_url, "work", state="'active'", started_on=LONG_AGO, keep_until=past),
        add_job(database_url, "work", **OLD | {"state": "'active'"}, keep_until=past),
    }

    await retention.run_once()

    assert {row["id"] for row in job_rows(database_url, "work")} == stays


async def test_a_queue_has_its_turn_once_in_an_interval(
    boss: PgBoss, retention: RetentionPass, database_url: str
) -> None:
    await boss.create_queue("work")
    await retention.run_once()
    stamp = claimed_on(database_url, "work")
    assert stamp is not None

    add_job(database_url, "work", **OLD)
    await retention.run_once()
    assert (claimed_on(database_url, "work"), count(database_url, "work")) == (stamp, 1)

    sql(database_url, "UPDATE pgboss.queue SET maintain_on = now() - interval '1 day'")
    await retention.run_once()
    assert count(database_url, "work") == 0


async def test_the_interval_can_be_chosen(boss: PgBoss, pool: AsyncDatabase, database_url: str) -> None:
    await boss.create_queue("work")
    add_job(database_url, "work", **OLD)
    sql(database_url, "UPDATE pgboss.queue SET maintain_on = now() - interval '30 seconds'")

    await RetentionPass(pool.run, SCHEMA, maintenance_interval_seconds=60).run_once()
    assert count(database_url, "work") == 1
    await RetentionPass(pool.run, SCHEMA, maintenance_interval_seconds=30).run_once()
    assert count(database_url, "work") == 0


async def test_a_pass_visits_each_queue_once_however_short_the_interval(
    boss: PgBoss, pool: AsyncDatabase, database_url: str
) -> None:
    for name in ("a", "b"):
        await boss.create_queue(name)
        add_job(database_url, name, **OLD)
    # With an interval of nothing, every queue is due again as soon as it has had its turn.
    await RetentionPass(pool.run, SCHEMA, maintenance_interval_seconds=0).run_once()
    assert [count(database_url, name) for name in ("a", "b")] == [0, 0]


async def test_a_queue_that_somebody_is_claiming_is_skipped(
    boss: PgBoss, retention: RetentionPass, database_url: str
) -> None:
    for name in ("a", "b"):
        await boss.create_queue(name)
        add_job(database_url, name, **OLD)

    with psycopg.connect(database_url) as holder:
        holder.execute("SELECT 1 FROM pgboss.queue WHERE name = 'a' FOR NO KEY UPDATE")
        await retention.run_once()
    assert [count(database_url, name) for name in ("a", "b")] == [1, 0]
    assert claimed_on(database_url, "a") is None


async def test_passes_at_once_share_the_queues(boss: PgBoss, pool: AsyncDatabase, database_url: str) -> None:
    names = [f"work-{number}" for number in range(6)]
    for name in names:
        await boss.create_queue(name)
        add_jobs(database_url, name, 5, **OLD)
    runs = [Watched(pool.run) for _ in range(3)]

    await asyncio.gather(*(RetentionPass(run, SCHEMA).run_once() for run in runs))

    assert [count(database_url, name) for name in names] == [0] * 6
    # A turn takes four operations after its claim; every pass ends with a claim in vain.
    assert sum(run.count for run in runs) == 6 * 5 + 3


@pytest.mark.usefixtures("small_batches")
async def test_the_walk_covers_every_key(
    boss: PgBoss, pool: AsyncDatabase, database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    await boss.create_queue("work")
    await boss.create_queue("other")
    for edge in ("00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff"):
        add_job(database_url, "work", **OLD, id=f"'{edge}'")
    add_jobs(database_url, "work", 8, **OLD)
    add_jobs(database_url, "work", 5, **RECENT)
    add_jobs(database_url, "other", 4, **RECENT)
    run = Watched(pool.run)

    with caplog.at_level(logging.INFO, "pgboss.maintenance"):
        await RetentionPass(run, SCHEMA).run_once()

    assert [count(database_url, name) for name in ("work", "other")] == [5, 4]
    assert [record.getMessage() for record in caplog.records] == ["Queue work: 10 old jobs removed"]
    assert queue_row(database_url, "work")["retained_count"] == 5
    # 15 keys are five full batches and the look that finds no more; 4 are one and the rest. Then counts and two walks.
    assert run.count == 3 + (6 + 3) + (2 + 3)


async def test_the_counts_of_what_stays_are_written(boss: PgBoss, retention: RetentionPass, database_url: str) -> None:
    await boss.create_queue("work")
    sql(
        database_url, "UPDATE pgboss.queue SET queued_count = 20, active_count = 5, failed_count = 1, total_count = 999"
    )
    add_jobs(database_url, "work", 3, **OLD)
    add_jobs(database_url, "work", 4, **RECENT)
    add_jobs(database_url, "work", 2, **RECENT | {"state": "'cancelled'"})
    add_jobs(database_url, "work", 1, **RECENT | {"state": "'failed'"})
    # Finished a moment ago: other transactions of that moment may not have committed yet, so the monitor counts it.
    add_jobs(database_url, "work", 1, **RECENT | {"completed_on": "now()"})

    await retention.run_once()

    queue = queue_row(database_url, "work")
    assert queue["retained_count"] == 6
    assert (queue["maintain_on"] - queue["retained_on"]).total_seconds() == 10
    assert queue["total_count"] == 20 + 5 + 1 + 6 + 1


async def test_nothing_removed_is_nothing_logged(
    boss: PgBoss, retention: RetentionPass, caplog: pytest.LogCaptureFixture
) -> None:
    await boss.create_queue("work")
    with caplog.at_level(logging.DEBUG, "pgboss.maintenance"):
        await retention.run_once()
    assert caplog.records == []


async def test_a_row_that_somebody_holds_is_left_for_the_next_pass(
    boss: PgBoss, retention: RetentionPass, database_url: str
) -> None:
    await boss.create_queue("work")
    held = add_job(database_url, "work", **OLD | {"state": "'failed'"})
    add_job(database_url, "work", **OLD)

    async with await psycopg.AsyncConnection.connect(database_url) as caller:
        await boss.retry("work", held, connection=caller)
        await retention.run_once()
        await caller.commit()

    [left] = job_rows(database_url, "work")
    assert (left["id"], left["state"]) == (held, "retry")


@pytest.mark.parametrize("lock", [Lock.deletion, Lock.dependencies])
async def test_batches_wait_for_whoever_removes_rows_of_the_same_table(
    boss: PgBoss, retention: RetentionPass, database_url: str, lock: Callable[[str], str]
) -> None:
    await boss.create_queue("work")
    add_job(database_url, "work", **OLD)
    key = SCHEMA.lock_key(sql_value(database_url, "SELECT current_database()"), lock("job_common"))

    async with await psycopg.AsyncConnection.connect(database_url) as holder:
        await holder.execute("SELECT pg_advisory_xact_lock(%s)", [key])
        turn = asyncio.create_task(retention.run_once())
        waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        await eventually(lambda: sql_value(database_url, waiting) == 1)
    await turn

    assert count(database_url, "work") == 0


@pytest.mark.usefixtures("small_batches")
async def test_a_pass_that_is_cancelled_keeps_what_it_removed_and_hands_the_queue_back(
    boss: PgBoss, pool: AsyncDatabase, retention: RetentionPass, database_url: str
) -> None:
    await boss.create_queue("work")
    sql(database_url, "UPDATE pgboss.queue SET retained_count = 100, retained_on = now(), total_count = 200")
    add_jobs(database_url, "work", 7, **OLD)
    turn: asyncio.Task[float | None]

    async def before(number: int) -> None:
        if number == 3:
            turn.cancel()

    turn = asyncio.create_task(RetentionPass(Watched(pool.run, before), SCHEMA).run_once())
    with pytest.raises(asyncio.CancelledError):
        await turn

    queue = queue_row(database_url, "work")
    assert queue["maintain_on"] is None
    assert (queue["retained_count"], queue["total_count"]) == (94, 194), "two batches of three are gone"
    assert count(database_url, "work") == 1

    await retention.run_once()
    assert (count(database_url, "work"), queue_row(database_url, "work")["retained_count"]) == (0, 0)


async def test_a_pass_that_is_cancelled_within_a_batch_undoes_it(
    boss: PgBoss, retention: RetentionPass, database_url: str
) -> None:
    await boss.create_queue("work")
    add_jobs(database_url, "work", 3, **OLD)

    async with await psycopg.AsyncConnection.connect(database_url) as holder:
        await holder.execute("LOCK TABLE pgboss.job_common IN SHARE MODE")
        turn = asyncio.create_task(retention.run_once())
        waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'pgboss.job_common'::regclass"
        await eventually(lambda: sql_value(database_url, waiting) == 1)
        turn.cancel()
        with pytest.raises(asyncio.CancelledError):
            await turn

    assert (count(database_url, "work"), claimed_on(database_url, "work")) == (3, None)


async def test_a_claim_that_somebody_else_has_made_since_is_not_handed_back(
    boss: PgBoss, pool: AsyncDatabase, database_url: str
) -> None:
    await boss.create_queue("work")
    [theirs] = sql(database_url, "SELECT now() + interval '1 second' AS stamp")
    turn: asyncio.Task[float | None]

    async def before(number: int) -> None:
        if number == 1:
            sql(database_url, "UPDATE pgboss.queue SET maintain_on = %s", [theirs["stamp"]])
            turn.cancel()

    turn = asyncio.create_task(RetentionPass(Watched(pool.run, before), SCHEMA).run_once())
    with pytest.raises(asyncio.CancelledError):
        await turn

    assert claimed_on(database_url, "work") == theirs["stamp"]


async def test_a_queue_that_cannot_be_maintained_does_not_keep_the_others_from_it(
    boss: PgBoss, retention: RetentionPass, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locks, "WAIT_MILLISECONDS", 50)
    for name in ("a", "b"):
        await boss.create_queue(name, partition=True)
        add_job(database_url, name, **OLD)

    with psycopg.connect(database_url) as holder:
        holder.execute(f"LOCK TABLE pgboss.{queue_row(database_url, 'a')['table_name']} IN SHARE MODE")
        with pytest.raises(DatabaseError) as refused:
            await retention.run_once()
        assert refused.value.sqlstate == "55P03"

    assert [count(database_url, name) for name in ("a", "b")] == [1, 0]
    assert claimed_on(database_url, "a") is None, "handed back, so that it is due at once"
    assert claimed_on(database_url, "b") is not None


async def test_a_queue_deleted_during_its_turn_is_passed_over(
    boss: PgBoss, pool: AsyncDatabase, database_url: str
) -> None:
    for name in ("gone", "work"):
        await boss.create_queue(name, partition=True)
        add_job(database_url, name, **OLD)

    async def before(number: int) -> None:
        if number == 1:
            await boss.delete_queue("gone")

    assert await RetentionPass(Watched(pool.run, before), SCHEMA).run_once() is None
    assert count(database_url, "work") == 0


async def test_a_queue_that_cannot_be_handed_back_is_named_in_the_log(
    boss: PgBoss, pool: AsyncDatabase, database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    await boss.create_queue("work")

    async def before(number: int) -> None:
        if number == 1:
            await pool.close()

    with pytest.raises(StoppedError):
        await RetentionPass(Watched(pool.run, before), SCHEMA).run_once()

    [record] = caplog.records
    assert record.levelno == logging.WARNING
    assert record.getMessage().startswith("The upkeep of queue work was cut short; its next turn comes in 86400 s")


def depend(url: str, child: tuple[str, UUID], parent: tuple[str, UUID]) -> None:
    sql(url, "INSERT INTO pgboss.job_dependency VALUES (%s, %s, %s, %s)", [*child, *parent])


@pytest.mark.usefixtures("small_batches")
async def test_dependencies_of_jobs_that_are_gone_go_too(
    boss: PgBoss, retention: RetentionPass, database_url: str
) -> None:
    await boss.create_queue("one")
    await boss.create_queue("two", partition=True)
    alive = {name: add_job(database_url, name) for name in ("one", "two")}
    # Both jobs of these go in this very pass.
    old = {name: add_job(database_url, name, **OLD) for name in ("one", "two")}
    depend(database_url, ("one", alive["one"]), ("two", alive["two"]))
    depend(database_url, ("one", old["one"]), ("two", alive["two"]))
    depend(database_url, ("one", alive["one"]), ("two", old["two"]))
    # A child with more parents than a batch holds, all of them gone, and parents with children likewise.
    for number in range(1, 8):
        depend(database_url, ("one", alive["one"]), ("two", UUID(int=number)))
        depend(database_url, ("one", UUID(int=number)), ("two", alive["two"]))

    await retention.run_once()

    left = sql(database_url, "SELECT child_id, parent_id FROM pgboss.job_dependency")
    assert left == [{"child_id": alive["one"], "parent_id": alive["two"]}]
