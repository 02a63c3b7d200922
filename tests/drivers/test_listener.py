"""The connection that listens: it runs operations in between, and begins some before anybody is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from pgboss.core.query import Query, Rows, Steps
from pgboss.drivers.psycopg import Ahead, AsyncDatabase, Listener
from pgboss.errors import DatabaseUnavailableError
from support.eventually import eventually
from support.postgres import sql, sql_value

COUNT = Query("SELECT nextval('counted') + $1::int", (0,), is_repeated=True)


def counting() -> Steps[int]:
    rows: Rows = yield COUNT
    return int(rows.scalar())


def counted(url: str) -> int:
    return int(sql_value(url, "SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM counted"))


def is_sent(ahead: Ahead[int]) -> bool:
    return ahead.sent_at is not None


def announce(url: str, payload: str) -> None:
    sql(url, "SELECT pg_notify('news', %s)", [payload])


@pytest.fixture
def heard() -> list[str]:
    return []


@pytest.fixture
async def listener(database_url: str, heard: list[str]) -> AsyncIterator[Listener]:
    sql(database_url, "DROP SEQUENCE IF EXISTS counted")
    sql(database_url, "CREATE SEQUENCE counted")
    database = AsyncDatabase(database_url, pool_size=1)
    made = database.listener("news", heard.append)
    await made.open()
    await made.listen()
    yield made
    await made.close()


async def test_it_hears_while_it_runs_operations(listener: Listener, database_url: str, heard: list[str]) -> None:
    announce(database_url, "one")
    await eventually(lambda: heard == ["one"])
    assert await listener.run(counting()) == 1
    announce(database_url, "two")
    await eventually(lambda: heard == ["one", "two"])


async def test_what_is_announced_in_the_meantime_is_heard(
    listener: Listener, database_url: str, heard: list[str]
) -> None:
    def announcing() -> Steps[Rows]:
        return (yield Query("SELECT pg_notify('news', $1::text)", ("mine",)))

    await listener.run(announcing())
    await eventually(lambda: heard == ["mine"])


async def test_an_operation_begins_before_anybody_runs_it(
    listener: Listener, database_url: str, heard: list[str]
) -> None:
    assert await listener.run(counting()) == 1
    ahead = listener.arm("jobs", counting())
    announce(database_url, "others")
    await eventually(lambda: heard == ["others"])
    assert not is_sent(ahead)
    announce(database_url, "jobs")
    await eventually(lambda: heard == ["others", "jobs"])
    assert is_sent(ahead)
    await eventually(lambda: counted(database_url) == 2)

    # Until then the connection is nobody else's.
    other = counting()
    assert not listener.is_free
    assert not listener.has_sent(other)
    assert listener.has_sent(ahead.operation)
    assert await listener.run(ahead.operation) == 2
    assert await listener.run(other) == 3


async def test_it_begins_once(listener: Listener, database_url: str, heard: list[str]) -> None:
    await listener.run(counting())
    ahead = listener.arm("jobs", counting())
    announce(database_url, "jobs")
    await eventually(lambda: heard == ["jobs"])
    assert await listener.run(ahead.operation) == 2
    announce(database_url, "jobs")
    await eventually(lambda: heard == ["jobs", "jobs"])
    assert counted(database_url) == 2


async def test_what_is_not_prepared_or_disarmed_does_not_begin(
    listener: Listener, database_url: str, heard: list[str]
) -> None:
    ahead = listener.arm("jobs", counting())
    announce(database_url, "jobs")
    await eventually(lambda: heard == ["jobs"])
    assert not is_sent(ahead)
    assert await listener.run(ahead.operation) == 1
    listener.disarm(listener.arm("jobs", counting()))
    announce(database_url, "jobs")
    await eventually(lambda: heard == ["jobs", "jobs"])
    assert counted(database_url) == 1


async def test_a_connection_that_is_lost_is_told_of(listener: Listener, database_url: str) -> None:
    await listener.run(counting())
    descriptor = await eventually(lambda: listener._descriptor)
    process = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%nextval(''counted'') +%' AND "
    sql(database_url, process + "pid <> pg_backend_pid()")
    with pytest.raises(DatabaseUnavailableError):
        await listener.silence()
    assert not listener.is_free
    # libpq has closed the socket. The loop must not take the next one of that number for it.
    assert descriptor not in asyncio.get_running_loop()._selector.get_map()  # type: ignore[attr-defined]
