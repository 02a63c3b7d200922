"""The connection that listens: it runs operations in between, and begins some before anybody is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import psycopg
import pytest

from pgboss.core.query import Query, Rows, Steps
from pgboss.drivers.psycopg import Ahead, AsyncDatabase, Listener
from pgboss.errors import DatabaseError, DatabaseUnavailableError
from support.ahead import is_ready
from support.eventually import eventually
from support.postgres import sql, sql_value

COUNT = Query("SELECT nextval('counted') + $1::int", (0,), is_repeated=True)


def counting() -> Steps[int]:
    rows: Rows = yield COUNT
    return int(rows.scalar())


def counted(url: str) -> int:
    return int(sql_value(url, "SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM counted"))


def waiting() -> Steps[int]:
    rows = yield Query("SELECT count(*) FROM waited_for WHERE $1::bool", (True,), is_repeated=True)
    return int(rows.scalar())


def announce(url: str, payload: str) -> None:
    sql(url, "SELECT pg_notify('news', %s)", [payload])


@pytest.fixture
def heard() -> list[str]:
    return []


@pytest.fixture
async def listener(database_url: str, heard: list[str]) -> AsyncIterator[Listener]:
    sql(database_url, "DROP SEQUENCE IF EXISTS counted")
    sql(database_url, "CREATE SEQUENCE counted")
    sql(database_url, "CREATE TABLE IF NOT EXISTS waited_for ()")
    database = AsyncDatabase(database_url, pool_size=1)
    made = database.listener("news", heard.append)
    await made.open()
    await made.listen()
    yield made
    await made.close()


@asynccontextmanager
async def begun(
    listener: Listener, url: str
) -> AsyncIterator[tuple[Ahead[int], psycopg.AsyncConnection[tuple[Any, ...]]]]:
    """An operation that has begun by itself, and the connection for whose commit it waits."""
    # On a busy machine the first run may be slow, and then the statement is prepared anew by the next.
    while not is_ready(listener.arm("nothing", waiting())):
        await listener.run(waiting())
    async with await psycopg.AsyncConnection.connect(url) as blocker:
        await blocker.execute("LOCK TABLE waited_for")
        ahead = listener.arm("jobs", waiting())
        announce(url, "jobs")
        await eventually(lambda: ahead.is_under_way)
        yield ahead, blocker


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


async def test_an_operation_runs_by_itself(listener: Listener, database_url: str, heard: list[str]) -> None:
    over: list[Ahead[int]] = []
    await listener.run(counting())
    ahead = listener.arm("jobs", counting(), on_over=over.append)
    announce(database_url, "others")
    await eventually(lambda: heard == ["others"])
    assert ahead.sent_at is None
    announce(database_url, "jobs")
    await eventually(lambda: over == [ahead])
    assert heard == ["others", "jobs"]
    assert (ahead.value, ahead.rest) == (2, None)
    # Once, and the connection is free again.
    announce(database_url, "jobs")
    await eventually(lambda: heard == ["others", "jobs", "jobs"])
    assert await listener.run(counting()) == 3


async def test_until_it_is_answered_the_connection_is_nobody_elses(
    listener: Listener, database_url: str, heard: list[str]
) -> None:
    async with begun(listener, database_url) as (ahead, blocker):
        assert not listener.is_free
        # Nor does another one begin.
        other = listener.arm("others", counting())
        announce(database_url, "others")
        await blocker.commit()
        await eventually(lambda: heard == ["jobs", "others"])
    assert ahead.over_at
    assert other.sent_at is None
    assert listener.is_free


async def test_what_is_announced_while_it_runs_is_heard_after_its_end(
    listener: Listener, database_url: str, heard: list[str]
) -> None:
    def announcing() -> Steps[int]:
        yield Query("SELECT pg_notify('news', $1::text)", ("mine",), is_repeated=True)
        return len(heard)

    await listener.run(announcing())
    await eventually(lambda: heard == ["mine"])
    ahead = listener.arm("jobs", announcing())
    announce(database_url, "jobs")
    await eventually(lambda: heard == ["mine", "jobs", "mine"])
    assert ahead.value == 2


async def test_what_takes_more_than_a_statement_leaves_the_rest(listener: Listener, database_url: str) -> None:
    def twice() -> Steps[int]:
        yield COUNT
        rows = yield COUNT
        return int(rows.scalar())

    await listener.run(counting())
    ahead = listener.arm("jobs", twice())
    announce(database_url, "jobs")
    await eventually(lambda: ahead.over_at)
    assert counted(database_url) == 2
    assert ahead.rest is not None
    assert await listener.run(ahead.rest) == 3


async def test_one_that_fails_leaves_all_of_it(listener: Listener, database_url: str) -> None:
    await listener.run(counting())
    ahead = listener.arm("jobs", counting())
    sql(database_url, "ALTER SEQUENCE counted RENAME TO hidden")
    announce(database_url, "jobs")
    await eventually(lambda: ahead.over_at)
    sql(database_url, "ALTER SEQUENCE hidden RENAME TO counted")
    assert ahead.rest is not None
    assert await listener.run(ahead.rest) == 2


async def test_an_error_in_the_operation_is_for_whoever_runs_the_rest(listener: Listener, database_url: str) -> None:
    def failing() -> Steps[int]:
        yield COUNT
        raise ValueError("no number")

    await listener.run(counting())
    ahead = listener.arm("jobs", failing())
    announce(database_url, "jobs")
    await eventually(lambda: ahead.over_at)
    assert ahead.rest is not None
    with pytest.raises(ValueError, match="no number"):
        await listener.run(ahead.rest)


async def test_what_is_not_prepared_unwanted_or_disarmed_does_not_begin(
    listener: Listener, database_url: str, heard: list[str]
) -> None:
    ahead = [listener.arm("jobs", counting())]
    announce(database_url, "jobs")
    await eventually(lambda: heard == ["jobs"])
    await listener.run(counting())
    ahead.append(listener.arm("jobs", counting(), may_begin=lambda: False))
    announce(database_url, "jobs")
    await eventually(lambda: heard == ["jobs", "jobs"])
    ahead.append(listener.arm("jobs", counting()))
    listener.disarm(ahead[-1])
    announce(database_url, "jobs")
    await eventually(lambda: heard == ["jobs", "jobs", "jobs"])
    assert counted(database_url) == 1
    assert {each.sent_at for each in ahead} == {None}


@pytest.mark.slow
async def test_one_that_is_not_answered_in_time_is_cancelled(
    listener: Listener, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And its connection is closed, as wherever a request to cancel is on its way."""
    monkeypatch.setattr("pgboss.drivers.psycopg.listener.ANSWER_SECONDS", 0.2)
    async with begun(listener, database_url) as (ahead, _):
        await eventually(lambda: ahead.over_at)
        assert ahead.rest is not None
        with pytest.raises(DatabaseUnavailableError):
            await listener.silence()


@pytest.mark.slow
async def test_none_begins_on_a_connection_that_is_about_to_be_closed(
    listener: Listener, database_url: str, heard: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pgboss.drivers.psycopg.listener.ANSWER_SECONDS", 0.2)
    while not is_ready(listener.arm("others", counting())):
        await listener.run(counting())
    other = listener._armed["others"]
    async with begun(listener, database_url) as (ahead, _):
        await eventually(lambda: ahead.over_at)
        announce(database_url, "others")
        await eventually(lambda: heard == ["jobs", "others"])
        assert other.sent_at is None
        assert not listener.is_free


async def test_one_whose_answer_cannot_be_read_is_not_run_again(listener: Listener, database_url: str) -> None:
    """It was carried out."""

    kept = Query("SELECT nextval('counted'), $1::timestamptz", ("infinity",), is_repeated=True)

    def unreadable() -> Steps[Rows]:
        return (yield kept)

    with pytest.raises(DatabaseError):
        await listener.run(unreadable())
    before = counted(database_url)
    ahead = listener.arm("jobs", unreadable())
    announce(database_url, "jobs")
    await eventually(lambda: ahead.over_at)
    assert counted(database_url) == before + 1
    assert ahead.rest is not None
    with pytest.raises(DatabaseError):
        await listener.run(ahead.rest)
    assert counted(database_url) == before + 1


async def test_others_are_told_whatever_comes_of_an_operation(
    listener: Listener, database_url: str, heard: list[str]
) -> None:
    def announcing() -> Steps[Rows]:
        return (yield Query("SELECT pg_notify('news', $1::text)", ("mine",), is_repeated=True))

    def over(ahead: Ahead[Rows]) -> None:
        raise ValueError("cannot be helped")

    said: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: said.append(str(context["exception"])))
    while not is_ready(listener.arm("nothing", announcing())):
        await listener.run(announcing())
    await eventually(lambda: "mine" in heard)
    heard.clear()
    listener.arm("jobs", announcing(), on_over=over)
    announce(database_url, "jobs")
    await eventually(lambda: heard == ["jobs", "mine"])
    assert said == ["cannot be helped"]


async def test_one_whose_connection_is_closed_is_over(listener: Listener, database_url: str) -> None:
    async with begun(listener, database_url) as (ahead, _):
        await listener.close()
    assert ahead.over_at
    assert ahead.rest is not None


async def test_a_connection_that_is_lost_is_told_of(listener: Listener, database_url: str) -> None:
    await listener.run(counting())
    descriptor = await eventually(lambda: listener._descriptor)
    process = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%nextval(''counted'') +%' AND "
    sql(database_url, process + "pid <> pg_backend_pid()")
    with pytest.raises(DatabaseUnavailableError):
        await listener.silence()
    assert not listener.is_free
    # libpq has closed the socket. The loop must not take the next one of that number for it.
    assert not asyncio.get_running_loop().remove_reader(descriptor)
