"""Bad input gets an error of ours that says what was wrong, with which value, and what to do; and leaves no trace."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from psycopg.conninfo import make_conninfo

from pgboss import (
    ConfigurationError,
    DatabaseUnavailableError,
    Job,
    NewJob,
    PayloadError,
    PgBoss,
    QueueNotFoundError,
    StoppedError,
    SyncPgBoss,
    ValidationError,
    embedded,
)
from support.eventually import eventually
from support.postgres import sql, sql_value

MIB = 1024 * 1024


def jobs(url: str) -> int:
    count: int = sql_value(url, "SELECT count(*) FROM pgboss.job")
    return count


cycle: list[Any] = []
cycle.append(cycle)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (float("nan"), "NaN and Infinity are not JSON"),
        ({"deep": [float("inf")]}, "NaN and Infinity are not JSON"),
        ("a\x00b", r"U\+0000"),
        ({"a\x00b": 1}, r"U\+0000"),
        ("\ud800", "lone surrogate"),
        ({1, 2}, "set is not a JSON type"),
        (b"bytes", "bytes is not a JSON type"),
        (object(), "object is not a JSON type"),
        (cycle, "refers to itself"),
    ],
)
async def test_data_that_is_not_json_is_refused(boss: PgBoss, database_url: str, data: Any, message: str) -> None:
    await boss.create_queue("jobs")
    with pytest.raises(PayloadError, match=message):
        await boss.send("jobs", data)
    with pytest.raises(PayloadError, match=message):
        await boss.insert("jobs", [{"data": 1}, {"data": data}])
    assert jobs(database_url) == 0


async def test_a_payload_of_ten_megabytes_is_refused_unless_asked_for(boss: PgBoss, database_url: str) -> None:
    large = "x" * (10 * MIB)
    await boss.create_queue("jobs")
    with pytest.raises(PayloadError, match=r"10485762 bytes of JSON; at most 8388608 .* PGBOSS_MAX_PAYLOAD"):
        await boss.send("jobs", large)
    assert jobs(database_url) == 0

    async with PgBoss(database_url, max_payload_bytes=20 * MIB) as generous:
        seen: list[int] = []

        async def handler(job: Job) -> str:
            seen.append(len(job.data))
            return str(job.data)

        await generous.work("jobs", handler)
        await generous.send("jobs", large)
        await eventually(lambda: sql_value(database_url, "SELECT state = 'completed' FROM pgboss.job"), within=15)
    assert seen == [10 * MIB]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"priority": 1.5}, "priority must be an integer"),
        ({"priority": True}, "priority must be an integer .* not True"),
        ({"priority": 2**31}, "priority must be an integer .*not 2147483648"),
        ({"retry_limit": -1}, "retry_limit must be an integer of 0 or more, not -1"),
        ({"retry_delay": -1}, "retry_delay must be"),
        ({"retry_backoff": "yes"}, "retry_backoff must be True or False, not 'yes'"),
        ({"retry_delay_max": 5}, "retry_delay_max .* needs retry_backoff=True"),
        ({"expire_in_seconds": 0}, "expire_in_seconds must be an integer from 1 to 86400, not 0"),
        ({"expire_in_seconds": 86_401}, "expire_in_seconds must be an integer from 1 to 86400, not 86401"),
        ({"retention_seconds": 0}, "retention_seconds must be"),
        ({"delete_after_seconds": -1}, "delete_after_seconds must be"),
        ({"heartbeat_seconds": 9}, "heartbeat_seconds must be an integer of 10 or more, not 9"),
        ({"dead_letter": "no such name!"}, "dead_letter 'no such name!' may hold only"),
        ({"group_tier": "gold"}, "group_tier .* needs a group_id"),
        ({"group_id": ""}, "group_id must not be empty"),
        ({"id": "not a uuid"}, "id must be a UUID, not 'not a uuid'"),
        ({"start_after": datetime(2030, 1, 1)}, "start_after is a datetime without a time zone"),  # noqa: DTZ001
        ({"start_after": "hello"}, "start_after cannot be read"),
        ({"start_after": float("inf")}, "start_after must be at most .* seconds away, not inf"),
        ({"singleton_key": 5}, "singleton_key must be a string, not 5"),
    ],
)
async def test_an_option_out_of_range_is_named(
    boss: PgBoss, database_url: str, options: dict[str, Any], message: str
) -> None:
    await boss.create_queue("jobs")
    with pytest.raises(ValidationError, match=message):
        await boss.send("jobs", None, **options)
    with pytest.raises(ValidationError, match=message):
        await boss.insert("jobs", [{"data": None, **options}])
    assert jobs(database_url) == 0


@pytest.mark.parametrize("name", ["", "with space", "semi;colon", "ünicode", "new\n", 'quo"te', 5, None])
async def test_an_odd_queue_name_is_refused(boss: PgBoss, name: Any) -> None:
    calls: list[Callable[[], Awaitable[Any]]] = [
        lambda: boss.create_queue(name),
        lambda: boss.get_queue(name),
        lambda: boss.update_queue(name, retry_limit=1),
        lambda: boss.delete_queue(name),
        lambda: boss.send(name),
        lambda: boss.fetch(name),
    ]
    for call in calls:
        with pytest.raises(ValidationError, match=r"[Qq]ueue name"):
            await call()


async def test_an_unknown_queue_is_named_with_what_to_do(boss: PgBoss) -> None:
    job = "6f1e8a0c-96fb-4b6e-9a53-3fd3a1b9bb11"
    calls: list[Callable[[], Awaitable[Any]]] = [
        lambda: boss.send("nowhere"),
        lambda: boss.insert("nowhere", [{}]),
        lambda: boss.fetch("nowhere"),
        lambda: boss.find_jobs("nowhere"),
        lambda: boss.complete("nowhere", job),
        lambda: boss.fail("nowhere", job),
        lambda: boss.cancel("nowhere", job),
        lambda: boss.resume("nowhere", job),
        lambda: boss.retry("nowhere", job),
        lambda: boss.touch("nowhere", job),
        lambda: boss.delete_job("nowhere", job),
    ]
    for call in calls:
        with pytest.raises(QueueNotFoundError, match=r"Queue 'nowhere' does not exist\. Create it first"):
            await call()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"policy": "fifo"}, "policy must be one of standard, short, .* not 'fifo'"),
        ({"dead_letter": "jobs"}, "dead_letter must be another queue than 'jobs' itself"),
        ({"notify": "yes"}, "notify must be True or False"),
        ({"heartbeat_seconds": 5}, "heartbeat_seconds must be an integer of 10 or more"),
    ],
)
async def test_queue_options_are_checked(boss: PgBoss, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        await boss.create_queue("jobs", **options)
    assert await boss.get_queues() == []


async def test_an_update_must_change_something_that_can_be_changed(boss: PgBoss) -> None:
    await boss.create_queue("jobs")
    with pytest.raises(ValidationError, match="Nothing to change on queue 'jobs'"):
        await boss.update_queue("jobs")
    for fixed in ({"policy": "short"}, {"partition": True}):
        with pytest.raises(ValidationError, match="cannot be changed after"):
            await boss.update_queue("jobs", **fixed)


@pytest.mark.parametrize(
    ("refs", "message"),
    [
        ([], "At least one job"),
        ("no uuid", "not by 'no uuid'"),
        ([1], "not by 1"),
    ],
)
async def test_jobs_are_named_by_id_or_as_fetched(boss: PgBoss, refs: Any, message: str) -> None:
    await boss.create_queue("jobs")
    with pytest.raises(ValidationError, match=message):
        await boss.complete("jobs", refs)


async def test_ids_and_fetched_jobs_do_not_mix(boss: PgBoss) -> None:
    await boss.create_queue("jobs")
    other = await boss.send("jobs")
    await boss.send("jobs")
    [job] = await boss.fetch("jobs")
    assert other is not None
    with pytest.raises(ValidationError, match="not a mix"):
        await boss.complete("jobs", [job, other])


async def test_a_bulk_insert_is_checked_before_anything_is_sent(boss: PgBoss, database_url: str) -> None:
    await boss.create_queue("jobs")
    same = "6f1e8a0c-96fb-4b6e-9a53-3fd3a1b9bb11"
    with pytest.raises(ValidationError, match="given to more than one"):
        await boss.insert("jobs", [{"id": same}, {"id": same.upper()}])
    with pytest.raises(ValidationError, match="Unknown options of a job to insert: retryLimit"):
        await boss.insert("jobs", [{"data": 1}, {"retryLimit": 3}])
    with pytest.raises(ValidationError, match="must be a NewJob or a mapping"):
        await boss.insert("jobs", [NewJob(1), 5])  # type: ignore[list-item]  # what is being tested
    assert jobs(database_url) == 0


async def test_a_repeated_id_is_found_among_very_many(boss: PgBoss) -> None:
    """In the time that it takes to look at each once; the test's time limit is the judge."""
    await boss.create_queue("jobs")
    ids = [UUID(int=number) for number in range(100_000)]
    with pytest.raises(ValidationError, match=f"The id {ids[-1]} is given to more than one"):
        await boss.insert("jobs", [{"id": id} for id in [*ids, ids[-1]]])


async def test_an_output_that_is_not_json_settles_nothing(boss: PgBoss) -> None:
    await boss.create_queue("jobs")
    await boss.send("jobs")
    [job] = await boss.fetch("jobs")
    for call in (boss.complete, boss.fail):
        with pytest.raises(PayloadError, match="output cannot be stored"):
            await call("jobs", job, {"a": {1}})
    assert [job.state for job in await boss.find_jobs("jobs")] == ["active"]


async def test_calls_before_the_start_and_after_the_stop_say_so(database_url: str) -> None:
    boss = PgBoss(database_url)
    with pytest.raises(StoppedError, match=r"call start\(\) first"):
        await boss.send("jobs")
    await boss.start()
    await boss.stop()
    with pytest.raises(StoppedError, match=r"call start\(\) first"):
        await boss.send("jobs")


@pytest.mark.parametrize(
    ("dsn", "error", "message"),
    [
        ("postgresql://ada:secret@127.0.0.1:1/app", DatabaseUnavailableError, "host 127.0.0.1, port 1.*refused"),
        ("host=nowhere.invalid password=secret", DatabaseUnavailableError, "nowhere.invalid"),
        ("host=/nonexistent dbname=app password=secret", DatabaseUnavailableError, "/nonexistent"),
        ("not a dsn", ConfigurationError, "connection string cannot be read"),
        ("postgresql://[::1/app", ConfigurationError, "connection string cannot be read"),
    ],
)
async def test_a_wrong_dsn_is_explained_without_its_password(dsn: str, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message) as caught:
        await PgBoss(dsn).start()
    assert "secret" not in str(caught.value)
    with pytest.raises(error, match=message), SyncPgBoss(dsn):
        pass


async def test_no_dsn_at_all_says_what_to_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DATABASE_URL", raising=False)
    with pytest.raises(ConfigurationError, match="Set DATABASE_URL"):
        PgBoss()


@pytest.mark.parametrize(
    ("variable", "value"),
    [("PGBOSS_CONCURRENCY", "many"), ("PGBOSS_POOL_SIZE", "0"), ("PGBOSS_MAX_PAYLOAD_BYTES", "-1")],
)
def test_an_unusable_setting_is_named(monkeypatch: pytest.MonkeyPatch, variable: str, value: str) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigurationError, match=f"{variable}='{value}'"):
        PgBoss("postgresql://localhost/app")


@pytest.mark.parametrize("schema", ["1st", "with space", 'quo"te', '"bad.dot"', "x" * 51])
def test_an_unusable_schema_name_is_refused(schema: str) -> None:
    with pytest.raises(ConfigurationError, match="schema name"):
        PgBoss("postgresql://localhost/app", schema=schema)


@pytest.fixture(scope="module")
def password_server() -> Iterator[str]:
    """A DSN without its password: the server asks ada for one, which is analytical."""
    with embedded.throwaway() as server:
        sql(server.dsn, "CREATE ROLE ada LOGIN PASSWORD 'analytical'")
        sql(server.dsn, "CREATE DATABASE app OWNER ada")
        hba = Path(sql_value(server.dsn, "SHOW hba_file"))
        hba.write_text(f"local app ada scram-sha-256\n{hba.read_text()}")
        sql(server.dsn, "SELECT pg_reload_conf()")
        yield make_conninfo(server.dsn, user="ada", dbname="app")


async def test_a_wrong_password_is_said_at_once(password_server: str) -> None:
    async with asyncio.timeout(5):
        with pytest.raises(DatabaseUnavailableError, match=r"user ada.*password authentication failed") as caught:
            await PgBoss(make_conninfo(password_server, password="wrong-word")).start()
    assert "wrong-word" not in str(caught.value)

    async with PgBoss(make_conninfo(password_server, password="analytical")) as boss:
        await boss.create_queue("jobs")
        assert await boss.send("jobs") is not None


async def test_a_database_that_does_not_exist_is_named(database_url: str) -> None:
    with pytest.raises(DatabaseUnavailableError, match='database "nowhere" does not exist'):
        await PgBoss(make_conninfo(database_url, dbname="nowhere")).start()


async def test_start_times_are_the_databases(boss: PgBoss) -> None:
    """A start in the past is due at once, and far futures are kept."""
    await boss.create_queue("jobs")
    await boss.send("jobs", "past", start_after=datetime(1999, 1, 1, tzinfo=UTC))
    await boss.send("jobs", "future", start_after=datetime(9999, 1, 1, tzinfo=UTC))
    assert [job.data for job in await boss.fetch("jobs", batch_size=5)] == ["past"]
