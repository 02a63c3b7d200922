"""Schedules in the database: made, read and removed; passes that file, and deliveries that send."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from pgboss import Jobs, PayloadError, PgBoss, QueueNotFoundError, Schedule, ValidationError
from pgboss.core.due import Due, Occurrence, find_due
from pgboss.core.names import SEND_IT_QUEUE, SchemaName
from pgboss.core.queue import QueueCatalog
from pgboss.core.schedule import send_options_of
from pgboss.operations import firing
from support.boss import BossFactory
from support.operations import run_operation
from support.postgres import sql, sql_value

SCHEMA = SchemaName()


@pytest.fixture
async def queue(boss: PgBoss) -> str:
    await boss.create_queue("q")
    await boss.create_queue(SEND_IT_QUEUE)
    return "q"


def look(url: str) -> tuple[firing.Turn, Due]:
    turn, rows = run_operation(url, firing.look(SCHEMA, 1))
    return turn, find_due(rows, turn.now, turn.last_pass)


def fire(url: str, *occurrences: Occurrence) -> int | None:
    turn, _ = look(url)
    return run_operation(url, firing.fire(SCHEMA, 0, turn, Due(occurrences=list(occurrences))))


def occurrence(slot: str = "2026-01-01 10:00:00", *, queue: str = "q", cron: str = "* * * * *") -> Occurrence:
    return Occurrence(queue, "", cron, f"{queue}__", slot)


def deliver(url: str) -> firing.Delivered:
    return run_operation(url, firing.deliver(QueueCatalog(SCHEMA)))


async def test_made_read_and_removed(boss: PgBoss, queue: str) -> None:
    await boss.schedule(queue, "0 6 * * *", {"n": 1}, tz="Europe/Zurich", missed="once", priority=3, group_id="g")
    await boss.schedule(queue, "FREQ=DAILY", key="rule")
    found = await boss.get_schedule(queue)

    assert found is not None
    assert (found.name, found.key, found.kind, found.expression) == ("q", "", "cron", "0 6 * * *")
    assert (found.timezone, found.data, found.missed, found.last_job_id) == ("Europe/Zurich", {"n": 1}, "once", None)
    assert found.options == {"tz": "Europe/Zurich", "missed": "once", "priority": 3, "group": {"id": "g"}}
    rule = await boss.get_schedule(queue, "rule")
    assert rule is not None
    assert (rule.kind, rule.timezone, rule.missed, rule.data) == ("rrule", "UTC", "skip", None)
    assert await boss.unschedule(queue, "rule") is True
    assert await boss.unschedule(queue, "rule") is False
    assert await boss.get_schedules() == [found]


async def test_replacing_keeps_the_day_of_creation(boss: PgBoss, queue: str) -> None:
    await boss.schedule(queue, "0 6 * * *")
    before = await boss.get_schedule(queue)
    await boss.schedule(queue, "0 7 * * *")
    after = await boss.get_schedule(queue)

    assert before is not None
    assert after is not None
    assert after.expression == "0 7 * * *"
    assert (after.created_on, after.updated_on > before.updated_on) == (before.created_on, True)


async def test_pages(boss: PgBoss, queue: str) -> None:
    for key in ("a", "b", "c"):
        await boss.schedule(queue, "* * * * *", key=key)
    first = await boss.get_schedules(limit=2)
    rest = await boss.get_schedules(after=first[-1])

    assert [schedule.key for schedule in first + rest] == ["a", "b", "c"]
    assert await boss.get_schedules(queue, key="b", after=("q", "b")) == []
    assert [schedule.key for schedule in await boss.get_schedules("q", after=("q", "b"))] == ["c"]


def anything(value: Any) -> Any:
    """A value whose type is not held against it."""
    return value


async def test_refusals(boss: PgBoss, queue: str) -> None:
    refused: list[tuple[Any, type[Exception], str]] = [
        (boss.schedule("nowhere", "* * * * *"), QueueNotFoundError, "'nowhere' does not exist"),
        (boss.schedule(queue, "61 * * * *"), ValidationError, "no number from 0 to 59"),
        (boss.schedule(queue, anything(None)), ValidationError, "needs a cron expression"),
        (boss.schedule(queue, "* * * * *", tz="Mars/Olympus"), ValidationError, "IANA name"),
        (boss.schedule(queue, "* * * * *", key="a b"), ValidationError, "key of the schedule 'a b'"),
        (boss.schedule(queue, "* * * * *", missed=anything("twice")), ValidationError, "missed must be one of"),
        (boss.schedule(queue, "* * * * *", priority=anything("high")), ValidationError, "priority must be"),
        (boss.schedule(queue, "* * * * *", id=anything("x")), ValidationError, "cannot give them an id"),
        (boss.schedule(queue, "* * * * *", {1}), PayloadError, "job data"),
        (boss.schedule(queue, "FREQ=DAILY;UNTIL=20200101T000000Z"), ValidationError, "no occurrence left"),
        (boss.get_schedules(key="k"), ValidationError, "name the queue, too"),
        (boss.get_schedules(limit=0), ValidationError, "limit must be"),
        (boss.get_schedules(after=anything("q")), ValidationError, "after must be"),
        (boss.preview_schedule("* * * * *", count=1001), ValidationError, "from 1 to 1000"),
        (boss.preview_schedule("* * * * *", after=datetime(2026, 1, 1)), ValidationError, "time zone"),  # noqa: DTZ001  that is what is refused
    ]
    for call, kind, message in refused:
        with pytest.raises(kind, match=message):
            await call
    assert await boss.get_schedules() == []


async def test_a_schedule_is_part_of_the_callers_transaction(boss: PgBoss, queue: str, database_url: str) -> None:
    async with await psycopg.AsyncConnection.connect(database_url) as connection:
        await boss.schedule(queue, "* * * * *", connection=connection)
        with pytest.raises(QueueNotFoundError):
            await boss.schedule("nowhere", "* * * * *", connection=connection)
        assert len(await boss.get_schedules(connection=connection)) == 1
        await connection.rollback()
    assert await boss.get_schedules() == []


async def test_previews_go_by_the_databases_time(boss: PgBoss) -> None:
    now = datetime.now(UTC)
    coming = await boss.preview_schedule("* * * * * *", count=2)

    assert now < coming[0] < now + timedelta(seconds=10)
    assert coming[1] - coming[0] == timedelta(seconds=1)
    later = await boss.preview_schedule("0 0 1 1 *", tz="Asia/Tokyo", after=datetime(2026, 6, 1, tzinfo=UTC), count=1)
    assert later == [datetime(2026, 12, 31, 15, tzinfo=UTC)]


async def test_a_preview_has_a_second(boss: PgBoss) -> None:
    with pytest.raises(ValidationError, match=r"Only \d+ of 1000 occurrences"):
        await boss.preview_schedule("0 0 29 2 1#5", count=1000)


async def test_an_occurrence_is_filed_once(boss: PgBoss, queue: str, database_url: str) -> None:
    await boss.schedule(queue, "* * * * *", {"n": 1}, priority=2)

    assert fire(database_url, occurrence()) == 1
    assert fire(database_url, occurrence()) == 0
    text = "SELECT data, singleton_key, singleton_on::text AS slot FROM pgboss.job WHERE name = %s"
    [row] = sql(database_url, text, (SEND_IT_QUEUE,))
    data = {"name": "q", "key": "", "data": {"n": 1}, "options": {"priority": 2}, "slot": "2026-01-01 10:00:00"}
    assert row == {"data": data, "singleton_key": "q__", "slot": "2026-01-01 10:00:00"}
    # Also when it has been delivered.
    deliver(database_url)
    assert fire(database_url, occurrence()) == 0


async def test_a_turn_is_taken_by_one(boss: PgBoss, queue: str, database_url: str) -> None:
    """Two instances have looked; one files what it found, and the other finds that somebody was there."""
    await boss.schedule(queue, "* * * * *")
    turn, _ = look(database_url)
    due = Due(occurrences=[occurrence()])

    assert run_operation(database_url, firing.fire(SCHEMA, 0, turn, due)) == 1
    due.occurrences.append(occurrence("2026-01-01 11:00:00"))
    assert run_operation(database_url, firing.fire(SCHEMA, 0, turn, due)) is None
    assert sql_value(database_url, f"SELECT count(*) FROM pgboss.job WHERE name = '{SEND_IT_QUEUE}'") == 1


async def test_a_schedule_that_was_changed_or_removed_sends_nothing(
    boss: PgBoss, queue: str, database_url: str
) -> None:
    await boss.schedule(queue, "0 6 * * *")

    assert fire(database_url, occurrence(cron="* * * * *")) == 0
    await boss.unschedule(queue)
    assert fire(database_url, occurrence(cron="0 6 * * *")) == 0


async def test_without_the_queue_for_deliveries_no_turn_is_lost(boss: PgBoss, database_url: str) -> None:
    await boss.create_queue("q")
    await boss.schedule("q", "* * * * *")

    with pytest.raises(QueueNotFoundError, match="send-it"):
        fire(database_url, occurrence())
    assert sql_value(database_url, "SELECT cron_on FROM pgboss.version") is None


async def test_a_delivery_sends_notes_and_completes(boss: PgBoss, queue: str, database_url: str) -> None:
    await boss.schedule(queue, "* * * * *", {"n": 1}, priority=7, retry_limit=4, start_after=60, group_id="g")
    fire(database_url, occurrence("2026-01-01 10:00:00"), occurrence("2026-01-01 11:00:00"))

    assert deliver(database_url) == firing.Delivered(2)
    jobs = await boss.find_jobs(queue)
    assert [(job.data, job.priority, job.retry_limit, job.group_id) for job in jobs] == [({"n": 1}, 7, 4, "g")] * 2
    assert all(job.start_after - job.created_on == timedelta(seconds=60) for job in jobs)
    schedule = await boss.get_schedule(queue)
    assert schedule is not None
    assert schedule.last_job_id in {job.id for job in jobs}
    states = {job.state for job in await boss.find_jobs(SEND_IT_QUEUE)}
    assert states == {"completed"}
    assert deliver(database_url) == firing.Delivered(0)


async def test_what_cannot_be_sent_keeps_nothing_else(boss: PgBoss, queue: str, database_url: str) -> None:
    await boss.create_queue("strict", policy="key_strict_fifo")
    for name in ("strict", queue):
        await boss.schedule(name, "* * * * *")
    await boss.create_queue("later")
    await boss.schedule("later", "* * * * *", start_after="whenever")
    fire(database_url, occurrence(), occurrence(queue="strict"), occurrence(queue="later"))

    delivered = deliver(database_url)

    assert delivered.taken == 3
    assert sorted((queue, str(error)[:30]) for queue, error in delivered.failures) == [
        ("later", "start_after cannot be read: in"),
        ("strict", "Queue 'strict' has the policy "),
    ]
    assert len(await boss.find_jobs(queue)) == 1
    assert sql_value(database_url, "SELECT count(*) FROM pgboss.job WHERE state < 'completed' AND name ~ 'send'") == 0


async def test_a_queue_that_is_gone_is_a_failure(boss: PgBoss, queue: str, database_url: str) -> None:
    await boss.schedule(queue, "* * * * *")
    fire(database_url, occurrence())
    await boss.delete_queue(queue)

    [(name, error)] = deliver(database_url).failures

    assert (name, type(error)) == ("q", QueueNotFoundError)


async def test_deliveries_share_the_work(boss: PgBoss, queue: str, database_url: str) -> None:
    await boss.schedule(queue, "* * * * *")
    fire(
        database_url, *(occurrence(f"2026-01-01 {hour:02}:{minute:02}:00") for hour in range(4) for minute in range(60))
    )

    async def all_of_it() -> int:
        taken = 0
        while (found := await asyncio.to_thread(deliver, database_url)).taken:
            taken += found.taken
        return taken

    assert sum(await asyncio.gather(*(all_of_it() for _ in range(4)))) == 240
    assert len(await boss.find_jobs(queue)) == 240


async def test_declared_schedules_are_stored_at_the_start(make_boss: BossFactory, database_url: str) -> None:
    jobs = Jobs()

    @jobs.job("report", schedule=[Schedule("0 6 * * *", tz="Europe/Zurich"), Schedule("0 7 * * *", {"n": 1}, key="b")])
    def report(payload: Any) -> None: ...

    boss = await make_boss(jobs=jobs, work=False)
    before = await boss.get_schedules("report")
    await make_boss(jobs=jobs, work=False)
    again = await boss.get_schedules("report")

    assert [(found.key, found.expression, found.data) for found in before] == [
        ("", "0 6 * * *", None),
        ("b", "0 7 * * *", {"n": 1}),
    ]
    # What is as declared is not written again.
    assert again == before
    later = Jobs()
    later.job("report", schedule=Schedule("0 8 * * *"))(report.handler)  # type: ignore[arg-type]  # any handler will do
    await make_boss(jobs=later, work=False)
    assert [found.expression for found in await boss.get_schedules("report")] == ["0 8 * * *", "0 7 * * *"]


async def test_a_declared_rule_may_come_to_its_end(make_boss: BossFactory, caplog: pytest.LogCaptureFixture) -> None:
    jobs = Jobs()

    @jobs.job("report", schedule=Schedule("FREQ=DAILY;UNTIL=20200101T000000Z"))
    def report(payload: Any) -> None: ...

    boss = await make_boss(jobs=jobs, work=False)

    assert await boss.get_schedules() == []
    assert "no occurrence left" in caplog.text


async def test_declared_data_must_fit_the_job(make_boss: BossFactory) -> None:
    jobs = Jobs()

    @jobs.job("report", schedule=Schedule("0 6 * * *", {"n": "many"}))
    def report(payload: dict[str, int]) -> None: ...

    with pytest.raises(PayloadError):
        await make_boss(jobs=jobs, work=False)


def test_options_that_node_stores() -> None:
    stored = {"tz": "UTC", "key": "k", "missed": "once", "db": {}, "retryLimit": 2, "group": {"id": "g", "tier": "t"}}

    options = send_options_of(stored | {"startAfter": "5 minutes", "deadLetter": None})

    assert options.given() == {"retry_limit": 2, "group_id": "g", "group_tier": "t", "start_after": "5 minutes"}
    assert send_options_of(None).given() == {}
