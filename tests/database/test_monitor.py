"""Counting and recording: each turn by one instance, nothing lost when it is cut short, and room for vacuum."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from pgboss import PgBoss, WarningEvent
from pgboss.core.instance_options import InstanceOptions
from pgboss.drivers.psycopg import AsyncDatabase
from pgboss.drivers.runner import Run
from pgboss.errors import DatabaseError
from pgboss.maintenance import Monitor, Pruning
from pgboss.operations import monitor as operations
from support.boss import BossFactory
from support.eventually import eventually
from support.operations import run_operation
from support.postgres import sql, sql_value
from support.upkeep import SCHEMA, Watched, add_jobs, database, queue_row

OPTIONS = InstanceOptions(persist_queue_stats=True, persist_warnings=True, monitor_interval_seconds=60)


@pytest.fixture
async def pool(database_url: str, boss: PgBoss) -> AsyncIterator[AsyncDatabase]:
    await boss.create_queue("mail")
    await boss.create_queue("own", partition=True)
    async with database(database_url) as opened:
        yield opened


@pytest.fixture
def warned() -> list[WarningEvent]:
    return []


def a_monitor(run: Run, warned: list[WarningEvent], options: InstanceOptions = OPTIONS) -> Monitor:
    return Monitor(run, SCHEMA, options, warned.append)


def due(url: str) -> None:
    """Make every queue's turn come now."""
    sql(url, "UPDATE pgboss.queue SET monitor_claim_on = now() - interval '2 minutes'")


def snapshots(url: str, queue: str = "mail") -> list[dict[str, Any]]:
    return sql(url, "SELECT * FROM pgboss.queue_stats WHERE name = %s ORDER BY captured_on", [queue])


async def test_a_turn_comes_once_in_an_interval(
    pool: AsyncDatabase, warned: list[WarningEvent], database_url: str
) -> None:
    one, other = (a_monitor(pool.run, warned) for _ in range(2))
    await asyncio.gather(one.run_once(), other.run_once())
    await one.run_once()
    assert len(snapshots(database_url)) == len(snapshots(database_url, "own")) == 1

    due(database_url)
    await other.run_once(["own"])

    assert (len(snapshots(database_url)), len(snapshots(database_url, "own"))) == (1, 2)


async def test_a_turn_cut_short_is_handed_back(
    pool: AsyncDatabase, warned: list[WarningEvent], database_url: str
) -> None:
    async def cut(number: int) -> None:
        if sql_value(database_url, "SELECT count(*) FROM pgboss.queue WHERE monitor_claim_on IS NOT NULL"):
            raise asyncio.CancelledError

    cancelled_once = Watched(pool.run, cut)
    with pytest.raises(asyncio.CancelledError):
        await a_monitor(once(cancelled_once, pool.run), warned).run_once()

    assert sql_value(database_url, "SELECT count(monitor_claim_on) FROM pgboss.queue") == 0
    await a_monitor(pool.run, warned).run_once()
    assert sql_value(database_url, "SELECT count(monitor_on) FROM pgboss.queue") == 2


def once(first: Run, then: Run) -> Run:
    """Runs operations by ``first`` until it raises, and by ``then`` afterwards."""
    runs = [first]

    async def run(operation: Any) -> Any:
        try:
            return await runs[0](operation)
        except asyncio.CancelledError:
            runs[0] = then
            raise

    return run


async def test_a_table_that_cannot_be_counted_keeps_no_other_from_it(
    pool: AsyncDatabase, warned: list[WarningEvent], database_url: str
) -> None:
    table = queue_row(database_url, "own")["table_name"]
    sql(database_url, f"ALTER TABLE pgboss.{table} RENAME TO elsewhere")
    # Like a queue that was deleted a moment ago.
    await a_monitor(pool.run, warned).run_once()
    assert queue_row(database_url, "mail")["monitor_on"] is not None

    sql(database_url, f"CREATE VIEW pgboss.{table} AS SELECT 1 AS name")
    due(database_url)
    before = queue_row(database_url, "mail")["monitor_on"]
    with pytest.raises(DatabaseError):
        await a_monitor(pool.run, warned).run_once()
    assert queue_row(database_url, "mail")["monitor_on"] > before
    # What was not counted is due again.
    assert queue_row(database_url, "own")["monitor_claim_on"] is None


async def test_days_are_those_of_utc_whatever_the_session_says(
    pool: AsyncDatabase, warned: list[WarningEvent], database_url: str
) -> None:
    sql(
        database_url,
        "DO $$ BEGIN "
        "EXECUTE format('ALTER DATABASE %I SET TimeZone = ''Pacific/Auckland''', current_database()); END $$",
    )
    for name in partitions(database_url):
        sql(database_url, f"DROP TABLE pgboss.{name}")
    async with database(database_url) as elsewhere:
        await a_monitor(elsewhere.run, warned).run_once()

    today = sql_value(database_url, "SELECT (now() AT TIME ZONE 'UTC')::date")
    names = [f"queue_stats_{day:%Y%m%d}" for day in (today, today + timedelta(days=1))]
    assert partitions(database_url) == names
    bounds = sql_value(
        database_url,
        f"SET TimeZone = 'UTC'; SELECT pg_get_expr(relpartbound, oid) FROM pg_class WHERE relname = '{names[0]}'",
    )
    assert f"('{today} 00:00:00+00')" in bounds
    assert len(snapshots(database_url)) == 1


def partitions(url: str) -> list[str]:
    rows = sql(
        url,
        "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid "
        "WHERE i.inhparent = 'pgboss.queue_stats'::regclass ORDER BY 1",
    )
    return [row["relname"] for row in rows]


async def test_old_days_go_whole_and_other_tables_stay(pool: AsyncDatabase, database_url: str) -> None:
    kept = partitions(database_url)
    sql(
        database_url,
        """
        CREATE TABLE pgboss.queue_stats_20200101 PARTITION OF pgboss.queue_stats
           FOR VALUES FROM ('2020-01-01 00:00:00+00') TO ('2020-01-02 00:00:00+00');
        CREATE TABLE pgboss.queue_stats_mine PARTITION OF pgboss.queue_stats
           FOR VALUES FROM ('2020-01-02 00:00:00+00') TO ('2020-01-03 00:00:00+00');
        """,
    )
    await Pruning(pool.run, SCHEMA, InstanceOptions()).run_once()
    assert "queue_stats_20200101" in partitions(database_url)

    await Pruning(pool.run, SCHEMA, OPTIONS).run_once()

    assert partitions(database_url) == [*kept, "queue_stats_mine"]


async def test_without_partitions_old_snapshots_go_in_batches(
    pool: AsyncDatabase, warned: list[WarningEvent], database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pgboss.sql.queue_stats.WALK_BATCH", 3)
    sql(
        database_url,
        """
        CREATE TABLE pgboss.plain (LIKE pgboss.queue_stats INCLUDING DEFAULTS);
        DROP TABLE pgboss.queue_stats;
        ALTER TABLE pgboss.plain RENAME TO queue_stats;
        INSERT INTO pgboss.queue_stats (name, captured_on)
        SELECT 'mail', now() - n * interval '1 day' FROM generate_series(1, 20) n;
        """,
    )
    await a_monitor(pool.run, warned).run_once()
    await Pruning(pool.run, SCHEMA, OPTIONS).run_once()

    left = [row["captured_on"] for row in snapshots(database_url)]
    # Seven days are kept; the seventh is a moment older than that.
    assert len(left) == 6 + 1
    assert left[-1] > left[-2] + timedelta(hours=23)


async def test_old_warnings_go_in_batches(
    pool: AsyncDatabase, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pgboss.sql.warnings.WALK_BATCH", 3)
    monkeypatch.setattr("pgboss.operations.warnings.WALK_BATCH", 3)
    sql(
        database_url,
        "INSERT INTO pgboss.warning (type, message, created_on) "
        "SELECT 'slow_query', n::text, now() - n * interval '100 days' FROM generate_series(1, 9) n",
    )
    await Pruning(pool.run, SCHEMA, InstanceOptions()).run_once()
    assert sql_value(database_url, "SELECT count(*) FROM pgboss.warning") == 9

    await Pruning(pool.run, SCHEMA, OPTIONS).run_once()

    assert [row["message"] for row in sql(database_url, "SELECT message FROM pgboss.warning ORDER BY 1")] == list("123")


async def test_jobs_committed_late_raise_the_snapshot_of_their_time(
    pool: AsyncDatabase, warned: list[WarningEvent], database_url: str
) -> None:
    watch = a_monitor(pool.run, warned)
    await watch.run_once()
    long_ago = "now() - interval '5 minutes'"
    sql(
        database_url,
        f"UPDATE pgboss.queue SET delta_on = {long_ago}; UPDATE pgboss.queue_stats SET delta_on = {long_ago}",
    )
    add_jobs(database_url, "mail", 2, created_on="now() - interval '3 minutes'")
    due(database_url)
    await watch.run_once()
    assert [row["created_delta"] for row in snapshots(database_url)] == [0, 2]

    add_jobs(database_url, "mail", 1, created_on="now() - interval '2 minutes'")
    add_jobs(
        database_url,
        "mail",
        1,
        created_on="now() - interval '9 minutes'",
        state="'failed'",
        started_on="now() - interval '4 minutes'",
        completed_on="now() - interval '4 minutes'",
    )
    due(database_url)
    await watch.run_once()

    raised = [(row["created_delta"], row["completed_delta"], row["failed_delta"]) for row in snapshots(database_url)]
    # The first window counted nothing on purpose, and is not made up for.
    assert raised == [(0, 0, 0), (3, 0, 1), (0, 0, 0)]
    # What is deleted afterwards lowers nothing.
    sql(database_url, "DELETE FROM pgboss.job")
    due(database_url)
    await watch.run_once()
    assert [row["created_delta"] for row in snapshots(database_url)] == [0, 3, 0, 0]


@pytest.mark.parametrize(("pinned", "seconds"), [(6.0, None), (6.5, 120), (130.0, 130), (5000.0, 600)], ids=str)
async def test_counting_that_held_back_vacuum_stops_for_a_while(
    pool: AsyncDatabase, database_url: str, pinned: float, seconds: float | None
) -> None:
    assert sql_value(database_url, "SHOW autovacuum_naptime") == "1min"

    backoff = run_operation(database_url, operations.back_off(SCHEMA, pinned))

    assert (backoff and round(backoff.backoff_seconds)) == seconds


async def test_while_it_is_held_off_turns_come_without_counts(
    pool: AsyncDatabase, warned: list[WarningEvent], database_url: str
) -> None:
    watch = a_monitor(pool.run, warned)
    run_operation(database_url, operations.back_off(SCHEMA, 700.0))
    # A shorter one does not cut the longer one short.
    backoff = run_operation(database_url, operations.back_off(SCHEMA, 7.0))
    assert backoff is not None
    assert 590 < backoff.backoff_seconds <= 600

    await watch.run_once()

    row = queue_row(database_url, "mail")
    assert (row["monitor_on"], snapshots(database_url)) == (None, [])
    assert row["monitor_claim_on"] is not None


async def test_a_long_count_is_told_of_unless_vacuum_is_nobodys_business(
    pool: AsyncDatabase, warned: list[WarningEvent], database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A stopwatch that shows seven seconds more than it took.
    monkeypatch.setattr("pgboss.sql.monitor.PINNED_SECONDS", "7 + 0.0::float8")
    quiet = InstanceOptions(monitor_vacuum=False)
    await a_monitor(pool.run, warned, quiet).run_once()
    assert warned == []

    due(database_url)
    await a_monitor(pool.run, warned).run_once()

    [told] = warned
    # Two tables, so two counts, a pass.
    assert (told.type, told.data["elapsedSeconds"], told.data["naptimeSeconds"]) == ("monitor_backoff", 14, 60)
    assert told.data.keys() == {"elapsedSeconds", "naptimeSeconds", "backoffSeconds", "backoffUntil"}
    assert sql_value(database_url, "SELECT monitor_backoff_on FROM pgboss.version") == told.data["backoffUntil"]


async def test_a_stop_waits_for_no_count(make_boss: BossFactory, database_url: str) -> None:
    boss = await make_boss(supervise=True)
    await boss.create_queue("mail")
    await boss.stop(timeout=0)
    sql(database_url, "UPDATE pgboss.queue SET monitor_claim_on = NULL, monitor_on = NULL")
    with psycopg.connect(database_url) as busy:
        busy.execute("LOCK TABLE pgboss.job_common IN ACCESS EXCLUSIVE MODE")
        await boss.start()
        await eventually(
            lambda: sql_value(database_url, "SELECT count(*) FROM pgboss.queue WHERE monitor_claim_on IS NOT NULL")
        )
        begun = time.monotonic()
        await boss.stop(timeout=0)
        took = time.monotonic() - begun

    assert took < 4
    assert queue_row(database_url, "mail")["monitor_claim_on"] is None
