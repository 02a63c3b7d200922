"""Slots of time: one job in each, by the database's clock, whoever sends and in whatever transaction."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from pgboss import Jobs, NewJob, PgBoss, QueueNotFoundError, ValidationError
from support.boss import BossFactory
from support.eventually import eventually
from support.postgres import sql, sql_value

LONG = 50_000_000


def set_clock(url: str, instant: str) -> None:
    """Make the clock of the schema stand still."""
    sql(url, f"CREATE OR REPLACE FUNCTION pgboss.job_now() RETURNS timestamptz STABLE AS $$ SELECT '{instant}'::timestamptz $$ LANGUAGE sql")  # fmt: skip  # noqa: E501


def rows(url: str) -> list[dict[str, Any]]:
    return sql(url, "SELECT data, singleton_on, start_after, keep_until FROM pgboss.job ORDER BY singleton_on, data")


@pytest.mark.parametrize(
    ("instant", "seconds", "slot", "debounced_to"),
    [
        ("2030-01-02T12:00:00Z", 60, "2030-01-02T12:00:00", "2030-01-02T12:01:01Z"),
        ("2030-01-02T12:00:00.999Z", 60, "2030-01-02T12:00:00", "2030-01-02T12:01:01.999Z"),
        ("2030-01-02T12:00:59.999Z", 60, "2030-01-02T12:00:00", "2030-01-02T12:01:01.999Z"),
        ("2030-01-02T12:34:56Z", 3600, "2030-01-02T12:00:00", "2030-01-02T13:00:01Z"),
        ("2030-01-02T12:34:56.5Z", 1, "2030-01-02T12:34:56", "2030-01-02T12:34:57.5Z"),
        ("2030-01-02T12:34:59Z", 7, "2030-01-02T12:34:56", "2030-01-02T12:35:04Z"),
        ("1970-01-01T00:00:05Z", 10, "1970-01-01T00:00:00", "1970-01-01T00:00:11Z"),
    ],
)
async def test_slots_lie_side_by_side_since_1970(
    database_url: str, make_boss: BossFactory, instant: str, seconds: int, slot: str, debounced_to: str
) -> None:
    # Slots have no time zone of their own; that of the session must not matter.
    name = psycopg.conninfo.conninfo_to_dict(database_url)["dbname"]
    sql(database_url, f"ALTER DATABASE \"{name}\" SET timezone = 'Asia/Kolkata'")
    boss = await make_boss()
    await boss.create_queue("jobs", retention_seconds=1000)
    set_clock(database_url, instant)
    for data in ("first", "second", "third"):
        await boss.send_debounced("jobs", data, seconds, start_after=timedelta(days=1))

    first, second = rows(database_url)

    now = datetime.fromisoformat(instant)
    assert (first["data"], second["data"]) == ("first", "second")
    assert first["singleton_on"] == datetime.fromisoformat(slot)
    assert second["singleton_on"] == datetime.fromisoformat(slot) + timedelta(seconds=seconds)
    assert first["start_after"] == now + timedelta(days=1)
    assert second["start_after"] == datetime.fromisoformat(debounced_to)
    assert second["keep_until"] == second["start_after"] + timedelta(seconds=1000)


async def test_the_next_slot_takes_a_new_job(boss: PgBoss, database_url: str) -> None:
    await boss.create_queue("jobs")
    for instant, sent in (("12:00:00", True), ("12:00:59", False), ("12:01:00", True), ("12:00:30", False)):
        set_clock(database_url, f"2030-01-02T{instant}Z")
        assert (await boss.send_throttled("jobs", instant, 60) is not None) == sent


async def test_of_many_senders_at_once_one_gets_the_slot(make_boss: BossFactory) -> None:
    bosses = [await make_boss(), await make_boss()]
    await bosses[0].create_queue("jobs")
    sent = await asyncio.gather(*(bosses[n % 2].send_throttled("jobs", n, timedelta(days=500)) for n in range(8)))
    assert len([id for id in sent if id]) == 1
    sent = await asyncio.gather(*(bosses[n % 2].send_debounced("jobs", n, LONG, key="k") for n in range(8)))
    assert len([id for id in sent if id]) == 2


async def test_the_key_may_be_said_either_way(boss: PgBoss) -> None:
    await boss.create_queue("jobs")
    assert await boss.send_throttled("jobs", 1, LONG, singleton_key="k") is not None
    assert await boss.send_throttled("jobs", 2, LONG, key="k") is None
    assert [job.singleton_key for job in await boss.find_jobs("jobs")] == ["k"]


async def test_slots_belong_to_the_callers_transaction(boss: PgBoss, database_url: str) -> None:
    await boss.create_queue("jobs")
    async with await psycopg.AsyncConnection.connect(database_url) as connection:
        assert await boss.send_debounced("jobs", 1, LONG, connection=connection) is not None
        assert await boss.send_debounced("jobs", 2, LONG, connection=connection) is not None
        assert await boss.send_debounced("jobs", 3, LONG, connection=connection) is None
        await connection.rollback()
    assert await boss.find_jobs("jobs") == []
    assert await boss.send_throttled("jobs", 4, LONG) is not None


async def test_a_debounced_job_that_waits_is_announced_to_nobody(boss: PgBoss, database_url: str) -> None:
    await boss.create_queue("jobs", notify=True)
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as listener:
        await listener.execute(f'LISTEN "{boss.schema.channel}"')
        for number in range(3):
            await boss.send_debounced("jobs", number, LONG)
        heard = [note.payload async for note in listener.notifies(timeout=0.2)]
    assert heard == ["jobs"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"singleton_seconds": 0}, "singleton_seconds must be an integer of 1 or more, not 0"),
        ({"singleton_seconds": 1.5}, "singleton_seconds must be an integer of 1 or more, not 1.5"),
        ({"singleton_seconds": timedelta(milliseconds=1500)}, "singleton_seconds must be whole seconds"),
        (
            {"singleton_seconds": 5, "singleton_next_slot": "yes"},
            "singleton_next_slot must be True or False, not 'yes'",
        ),
        ({"singleton_next_slot": True}, r"singleton_next_slot \(True\) needs singleton_seconds"),
    ],
)
async def test_what_makes_no_slot_is_refused(boss: PgBoss, options: dict[str, Any], message: str) -> None:
    await boss.create_queue("jobs")
    with pytest.raises(ValidationError, match=message):
        await boss.send("jobs", None, **options)
    with pytest.raises(ValidationError, match=message):
        await boss.insert("jobs", [options])
    assert await boss.find_jobs("jobs") == []


async def test_a_bulk_insert_does_not_debounce(boss: PgBoss) -> None:
    await boss.create_queue("jobs")
    throttled = {"singleton_seconds": LONG, "singleton_next_slot": False}
    with pytest.raises(ValidationError, match=r"singleton_next_slot \(True\) is for one job at a time"):
        await boss.insert("jobs", [throttled, throttled | {"singleton_next_slot": True}])
    assert await boss.find_jobs("jobs") == []
    assert len(await boss.insert("jobs", [throttled, throttled, NewJob()], return_id=True)) == 2


@pytest.mark.parametrize("partition", [False, True])
@pytest.mark.parametrize("key", [None, ""])
async def test_a_queue_that_demands_keys_says_so_and_spares_the_transaction(
    boss: PgBoss, database_url: str, partition: bool, key: str | None
) -> None:
    await boss.create_queue("jobs", policy="key_strict_fifo", partition=partition)
    message = "Queue 'jobs' has the policy key_strict_fifo: its jobs need a singleton_key"
    async with await psycopg.AsyncConnection.connect(database_url) as connection:
        with pytest.raises(ValidationError, match=message):
            await boss.send("jobs", None, singleton_key=key, connection=connection)
        with pytest.raises(ValidationError, match=message):
            await boss.send_debounced("jobs", None, 60, key=key, connection=connection)
        with pytest.raises(ValidationError, match=message):
            await boss.insert("jobs", [{"singleton_key": "k"}, {"singleton_key": key}], connection=connection)
        assert await boss.send("jobs", "kept", singleton_key="k", connection=connection) is not None
        await connection.commit()
    assert [job.data for job in await boss.find_jobs("jobs")] == ["kept"]


@pytest.mark.parametrize("start_after", ["hello", "2030-01-02 03:04:05 Nowhere/Else", "99999999999999999999"])
async def test_an_unreadable_start_spares_the_callers_transaction(
    boss: PgBoss, database_url: str, start_after: str
) -> None:
    await boss.create_queue("jobs")
    async with await psycopg.AsyncConnection.connect(database_url) as connection:
        await boss.send("jobs", "before", connection=connection)
        with pytest.raises(ValidationError, match="start_after cannot be read"):
            await boss.send("jobs", None, start_after=start_after, connection=connection)
        with pytest.raises(ValidationError, match="start_after cannot be read"):
            await boss.insert("jobs", [{}, {"start_after": start_after}], connection=connection)
        await boss.send("jobs", "after", connection=connection)
        await connection.commit()
    assert {job.data for job in await boss.find_jobs("jobs")} == {"before", "after"}


async def test_a_queue_deleted_at_this_very_moment_is_missed(boss: PgBoss, database_url: str) -> None:
    """Its row is still seen, and gone once the foreign key asks for it."""
    await boss.create_queue("jobs")
    async with await psycopg.AsyncConnection.connect(database_url) as other:
        await other.execute("DELETE FROM pgboss.queue WHERE name = 'jobs'")
        sending = asyncio.create_task(boss.send("jobs"))
        waiting = (
            "SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        )
        await eventually(lambda: sql_value(database_url, waiting))
        await other.commit()
    with pytest.raises(QueueNotFoundError, match="'jobs' does not exist"):
        await sending


async def test_what_was_said_is_what_is_stored(boss: PgBoss, database_url: str) -> None:
    await boss.create_queue("jobs")
    set_clock(database_url, "2030-01-02T12:34:56Z")
    await boss.send_throttled("jobs", {"a": 1}, timedelta(minutes=1), key="k", priority=3)
    [job] = await boss.find_jobs("jobs")
    assert (job.data, job.priority, job.singleton_key) == ({"a": 1}, 3, "k")
    assert job.singleton_on == datetime(2030, 1, 2, 12, 34)  # noqa: DTZ001  stored without a zone
    assert job.start_after == datetime(2030, 1, 2, 12, 34, 56, tzinfo=UTC)


jobs = Jobs()
words = jobs.declare("words", list[str])


async def static_only(boss: PgBoss) -> None:
    """Never called: mypy reads it, and would report an ignore that is not needed."""
    await boss.send_throttled(words, ["a"], 60, key="k")
    await boss.send_debounced("words", {"any": "json"}, timedelta(minutes=1))
    await boss.send_throttled(words, [1], 60)  # type: ignore[misc]
    await boss.send_debounced(words, {"a": 1}, 60)  # type: ignore[misc]
    await boss.send_throttled("words", None, "60")  # type: ignore[call-overload]


async def test_a_definition_encodes_the_data(boss: PgBoss) -> None:
    await boss.create_queue("words")
    assert await boss.send_debounced(words, ["a"], LONG) is not None
    assert await boss.send_throttled(words, ["b"], LONG) is None
    assert [job.data for job in await boss.find_jobs("words")] == [["a"]]
