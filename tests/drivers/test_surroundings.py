"""Servers, connections and processes that are set up in ways of their own: calls work there all the same."""

from __future__ import annotations

import os
import resource
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from uuid import UUID

import psycopg
import pytest
from psycopg.abc import Loader
from psycopg.rows import dict_row
from psycopg.types.string import ByteaBinaryLoader as BytesBinaryLoader
from psycopg.types.string import TextLoader

from drivers.callers import DRIVERS, Driver
from pgboss import Job, JobDetails, PgBoss, QueueNotFoundError
from support.postgres import PostgresServer, fresh_database_name, sql

HIGHEST_OF_SELECT = 1024

SETTINGS = {
    "date-style": "DateStyle = 'SQL, DMY'",
    "interval-style": "IntervalStyle = 'sql_standard'",
    "time-zone": "TimeZone = 'Pacific/Kiritimati'",
    "old-strings": "standard_conforming_strings = off",
    "search-path": "search_path = ''",
    "isolation": "default_transaction_isolation = 'serializable'",
}


# One of each driver: what is between it and the caller makes no difference here.
EACH_DRIVER = ["psycopg-async", "psycopg-sync", "psycopg2", "asyncpg-pool"]
PSYCOPG = ["psycopg-async", "psycopg-sync"]


@pytest.fixture(params=EACH_DRIVER)
async def driver(request: pytest.FixtureRequest, database_url: str) -> AsyncIterator[Driver]:
    async with DRIVERS[request.param](database_url) as made:
        yield made


@pytest.fixture
def database_url(database_url: str, request: pytest.FixtureRequest) -> Iterator[str]:
    """The test's database, with a setting for all its sessions where the test names one."""
    setting = getattr(request, "param", None)
    name = sql(database_url, "SELECT current_database() AS name")[0]["name"]
    if setting:
        sql(database_url, f'ALTER DATABASE "{name}" SET {setting}')
    yield database_url
    sql(database_url, f'ALTER DATABASE "{name}" RESET ALL')


@pytest.fixture
def ascii_url(postgres: PostgresServer) -> Iterator[str]:
    """A database that does not know in which encoding its texts are."""
    name = fresh_database_name("ascii")
    statement = f"CREATE DATABASE \"{name}\" TEMPLATE template0 ENCODING 'SQL_ASCII' LOCALE 'C'"
    sql(postgres.dsn_for("postgres"), statement)
    yield postgres.dsn_for(name)
    postgres.drop_database(name)


async def whole_life(driver: Driver) -> Job:
    """Send a job for later, and one that is claimed, failed, found and completed."""
    later = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)
    await driver.call("create_queue", "jobs", retry_limit=1, retry_delay=0)
    deferred = await driver.call("send", "jobs", "later", start_after=later)
    await driver.call("send", "jobs", {"name": "Zoë"})
    [first] = await driver.call("fetch", "jobs")
    await driver.call("fail", "jobs", first, "first")
    [second] = await driver.call("fetch_details", "jobs")
    assert (second.state, second.retry_count, second.output) == ("active", 1, {"value": "first"})
    assert (await driver.call("get_job", deferred)).start_after == later
    assert (await driver.call("complete", "jobs", second)).affected == 1
    return cast(Job, second)


@pytest.mark.parametrize("database_url", SETTINGS.values(), ids=SETTINGS, indirect=True)
async def test_settings_of_the_server(driver: Driver) -> None:
    job = await whole_life(driver)

    assert job.data == {"name": "Zoë"}


async def test_a_database_without_an_encoding(ascii_url: str) -> None:
    async with PgBoss(ascii_url, supervise=False) as boss:
        await boss.create_queue("jobs")
        await boss.send("jobs", {"name": "Zoë"})
        [job] = await boss.fetch("jobs")

    assert (job.name, job.data) == ("jobs", {"name": "Zoë"})


@pytest.mark.parametrize("driver", PSYCOPG, indirect=True)
@pytest.mark.parametrize("loader", [TextLoader, BytesBinaryLoader])
async def test_habits_of_the_callers_connection(driver: Driver, loader: type[Loader]) -> None:
    """Rows as dictionaries, ids and times as text or bytes, dates the German way."""
    await driver.call("create_queue", "jobs")
    async with driver.connection() as connection:
        connection.row_factory = dict_row
        for kind in ("uuid", "timestamptz", "jsonb"):
            connection.adapters.register_loader(kind, loader)
        await driver.execute(connection, "SET datestyle = 'German'")
        job_id = await driver.call_in(connection, "send", "jobs", {"a": 1})
        [job] = await driver.call_in(connection, "fetch", "jobs")
        await driver.call_in(connection, "complete", "jobs", job)
        await driver.commit(connection)

    assert isinstance(job_id, UUID)
    assert (job.id, job.data, type(job.created_on)) == (job_id, {"a": 1}, datetime)
    assert (await driver.call("get_job", job_id)).state == "completed"


@pytest.mark.skipif(not psycopg.capabilities.has_pipeline(), reason="this libpq has no pipelines")
@pytest.mark.parametrize("driver", PSYCOPG, indirect=True)
async def test_a_pipeline_of_the_callers(driver: Driver) -> None:
    await driver.call("create_queue", "jobs")
    async with driver.connection() as connection, pipeline(connection):
        job_id = await driver.call_in(connection, "send", "jobs")
        [job] = await driver.call_in(connection, "fetch", "jobs")
        await driver.call_in(connection, "create_queue", "more")
        await driver.commit(connection)

    assert job.id == job_id
    assert await driver.call("get_queue", "more") is not None


async def test_a_refusal_of_the_first_statement_leaves_the_transaction_usable(driver: Driver) -> None:
    """The transaction begins with our statement: it must have begun before that one's savepoint."""
    async with driver.connection() as connection:
        with pytest.raises(QueueNotFoundError):
            await driver.call_in(connection, "create_queue", "jobs", dead_letter="nowhere")
        await driver.call_in(connection, "create_queue", "jobs")
        await driver.commit(connection)
    assert await driver.call("get_queue", "jobs") is not None


@pytest.mark.parametrize("start_after", ["9999-12-31T23:59:59Z", "20000 years", "-4000 years"])
async def test_times_beyond_pythons_calendar_can_be_read(driver: Driver, start_after: str) -> None:
    """Such a job must not hide all others from whoever lists them."""
    await driver.call("create_queue", "jobs")
    await driver.call("insert", "jobs", [{"start_after": start_after}, {}])

    found: list[JobDetails] = await driver.call("find_jobs", "jobs")
    assert len(found) == 2
    assert max(job.keep_until.year for job in found) == 9999 or min(job.start_after.year for job in found) == 1


async def test_a_job_whose_backoff_leaves_the_calendar_can_be_failed(driver: Driver, database_url: str) -> None:
    await driver.call("create_queue", "jobs", retry_delay=2**31 - 1, retry_backoff=True, retry_limit=20)
    job_id = await driver.call("send", "jobs")
    sql(database_url, "UPDATE pgboss.job SET retry_count = 15")

    assert (await driver.call("fail", "jobs", job_id)).affected == 1


@pytest.fixture
def many_files() -> Iterator[None]:
    """More open files than select() can count."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 2 * HIGHEST_OF_SELECT:
        pytest.skip("this machine does not let a process have so many files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 2 * HIGHEST_OF_SELECT), hard))
    files = [os.open(os.devnull, os.O_RDONLY) for _ in range(HIGHEST_OF_SELECT)]
    yield
    for file in files:
        with suppress(OSError):
            os.close(file)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.usefixtures("many_files")
async def test_a_process_with_a_thousand_open_files(driver: Driver) -> None:
    await whole_life(driver)


def pipeline(connection: Any) -> Any:
    """The connection's pipeline, as an async context manager for either kind."""
    return connection.pipeline() if isinstance(connection, psycopg.AsyncConnection) else Async(connection.pipeline())


class Async:
    """A context manager as an async one."""

    def __init__(self, plain: Any) -> None:
        self._plain = plain

    async def __aenter__(self) -> Any:
        return self._plain.__enter__()

    async def __aexit__(self, *error: Any) -> Any:
        return self._plain.__exit__(*error)
