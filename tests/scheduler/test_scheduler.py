"""An instance that takes part in firing schedules: from the schedule to the handler, and what it tells."""

from __future__ import annotations

from typing import Any

import pytest

from pgboss import ErrorEvent, Job, PgBoss, WarningEvent
from pgboss.core.names import SEND_IT_QUEUE, SchemaName
from pgboss.scheduler.cron_pass import CronPass
from pgboss.scheduler.skew import SkewWatch
from support.boss import BossFactory
from support.eventually import eventually
from support.heard import HeardEvents
from support.postgres import sql, sql_value
from support.upkeep import database

SCHEMA = SchemaName()
ALWAYS_DUE = "* * * * * *"


def move_clock(url: str, by: str) -> None:
    """Let the database say another time, as Node's test clock does."""
    sql(
        url,
        "CREATE OR REPLACE FUNCTION pgboss.job_now() RETURNS timestamptz LANGUAGE sql STABLE "
        f"AS $$ SELECT pg_catalog.now() + interval '{by}' $$",
    )


async def test_from_the_schedule_to_the_handler(make_boss: BossFactory) -> None:
    worked = list[Job]()
    boss = await make_boss(schedule=True, cron_monitor_interval_seconds=1, cron_worker_interval_seconds=1)
    await boss.create_queue("q")
    await boss.work("q", worked.append)

    await boss.schedule("q", ALWAYS_DUE, {"n": 1})

    await eventually(lambda: worked, within=10)
    schedule = await boss.get_schedule("q")
    assert schedule is not None
    assert schedule.last_job_id in {job.id for job in worked}
    assert worked[0].data == {"n": 1}


async def test_the_queue_for_deliveries_is_nodes(make_boss: BossFactory) -> None:
    boss = await make_boss(schedule=True)
    queue = await boss.get_queue(SEND_IT_QUEUE)

    assert queue is not None
    assert (queue.policy, queue.retry_limit, queue.expire_in_seconds, queue.heartbeat_seconds, queue.notify) == (
        "standard",
        2,
        900,
        None,
        False,
    )


async def test_an_instance_that_does_not_schedule(make_boss: BossFactory) -> None:
    boss = await make_boss(schedule=False)

    assert await boss.get_queue(SEND_IT_QUEUE) is None
    assert boss._scheduler is None


async def test_a_schema_of_a_later_version_is_left_to_others(make_boss: BossFactory, database_url: str) -> None:
    await make_boss()
    sql(database_url, "UPDATE pgboss.version SET version = version + 1")

    boss = await make_boss(schedule=True)

    assert boss._scheduler is None
    assert await boss.get_queue(SEND_IT_QUEUE) is None


async def test_what_cannot_be_sent_is_an_error_event(make_boss: BossFactory) -> None:
    errors = list[ErrorEvent]()
    boss = await make_boss(schedule=True, cron_monitor_interval_seconds=1)
    boss.on("error", errors.append)
    await boss.create_queue("strict", policy="key_strict_fifo")

    await boss.schedule("strict", ALWAYS_DUE)

    [error, *_] = await eventually(lambda: errors, within=10)
    assert (error.queue, error.duty) == ("strict", "the delivery of schedules")
    assert "key_strict_fifo" in str(error.error)


async def passes(url: str, boss: PgBoss, number: int) -> list[WarningEvent]:
    events = HeardEvents()
    async with database(url) as pool:
        cron_pass = CronPass(pool.run, SCHEMA, events, interval_seconds=1, on_filed=lambda: None)
        for _ in range(number):
            sql(url, "UPDATE pgboss.version SET cron_on = cron_on - interval '5 seconds'")
            await cron_pass.run_once()
    return events.warnings


async def test_a_broken_schedule_is_told_once_until_it_is_changed(
    boss: PgBoss, database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    await boss.create_queue("q")
    await boss.create_queue(SEND_IT_QUEUE)
    await boss.schedule("q", "* * * * *", key="fine")
    await boss.schedule("q", "* * * * *", key="k")
    sql(database_url, "UPDATE pgboss.schedule SET cron = '99 * * * *' WHERE key = 'k'")

    [warning] = await passes(database_url, boss, 3)

    assert warning.type == "invalid_schedule"
    assert warning.data == {"queue": "q", "key": "k", "cron": "99 * * * *", "timezone": "UTC"}
    assert "'99'" in warning.message
    # It kept no other from being fired.
    assert sql_value(database_url, f"SELECT count(*) FROM pgboss.job WHERE name = '{SEND_IT_QUEUE}'") >= 1


async def test_turns_come_at_the_interval_and_no_sooner(boss: PgBoss, database_url: str) -> None:
    events = HeardEvents()
    await boss.create_queue(SEND_IT_QUEUE)
    async with database(database_url) as pool:
        first = CronPass(pool.run, SCHEMA, events, interval_seconds=30, on_filed=lambda: None)
        second = CronPass(pool.run, SCHEMA, events, interval_seconds=30, on_filed=lambda: None)
        waits = [await first.run_once(), await second.run_once()]

    assert waits[0] is not None
    assert waits[1] is not None
    assert 25 < waits[0] <= 30
    # Whoever is not up comes a beat after the one who is.
    assert waits[0] < waits[1] < 31.1


@pytest.mark.parametrize(("moved", "direction"), [("5 minutes", "slower"), ("-5 minutes", "faster")])
async def test_clocks_that_are_apart_are_told(boss: PgBoss, database_url: str, moved: str, direction: str) -> None:
    events = HeardEvents()
    async with database(database_url) as pool:
        watch = SkewWatch(pool.run, SCHEMA, events)
        await watch.run_once()
        assert events.warnings == []
        move_clock(database_url, moved)
        await watch.run_once()

    [warning] = events.warnings
    assert warning.type == "clock_skew"
    assert warning.data["direction"] == direction
    assert 299 < warning.data["seconds"] < 330


async def test_what_was_missed_is_sent_after_the_gap(boss: PgBoss, database_url: str) -> None:
    """Two days pass in which no instance is up."""
    await boss.create_queue("q")
    await boss.create_queue(SEND_IT_QUEUE)
    await boss.schedule("q", "0 */6 * * *", missed="once")
    await boss.schedule("q", "0 */6 * * *", key="skips")
    await passes(database_url, boss, 1)
    sql(database_url, f"DELETE FROM pgboss.job WHERE name = '{SEND_IT_QUEUE}'")
    move_clock(database_url, "2 days 90 seconds")

    await passes(database_url, boss, 1)

    text = "SELECT data ->> 'key' AS key FROM pgboss.job WHERE name = %s"
    found: list[Any] = sql(database_url, text, (SEND_IT_QUEUE,))
    assert [row["key"] for row in found if row["key"] == ""] == [""]


async def test_a_stop_is_quick(make_boss: BossFactory) -> None:
    boss = await make_boss(schedule=True)
    scheduler = boss._scheduler
    assert scheduler is not None

    await boss.stop()

    assert all(task.done() for task in scheduler._tasks)
    await boss.start()
    assert boss._scheduler is not scheduler
