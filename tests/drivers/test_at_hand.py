"""Our own async pool: the connections used last are the ones used next."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from pgboss.drivers.psycopg import AsyncDatabase, pools
from pgboss.operations.work import backend
from support.eventually import eventually
from support.postgres import sql


async def several(database: AsyncDatabase) -> None:
    """Have the pool open all of its connections."""
    async with database.transaction(), database.transaction(), database.transaction(), database.transaction():
        pass


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[AsyncDatabase]:
    opened = AsyncDatabase(database_url, pool_size=4)
    await opened.open()
    try:
        await several(opened)
        yield opened
    finally:
        await opened.close()


async def test_the_connection_that_was_used_last_is_used_again(database: AsyncDatabase) -> None:
    first = await database.run(backend())

    assert {await database.run(backend()) for _ in range(10)} == {first}


async def test_it_goes_back_to_the_pool_after_its_time(
    database: AsyncDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pools, "AT_HAND_SECONDS", 0.0)
    await several(database)

    # The pool hands out the one that has rested longest.
    assert len({await database.run(backend()) for _ in range(8)}) > 1


async def test_whoever_waits_for_one_gets_it(database: AsyncDatabase) -> None:
    found = await asyncio.gather(*(database.run(backend()) for _ in range(40)))

    assert len(found) == 40
    assert len(set(found)) <= 4


async def test_one_that_was_ended_is_not_used(database: AsyncDatabase, database_url: str) -> None:
    first = await database.run(backend())
    pid = int(first.split()[0])
    sql(database_url, "SELECT pg_terminate_backend(%s)", [pid])

    await eventually(lambda: not sql(database_url, "SELECT FROM pg_stat_activity WHERE pid = %s", [pid]))
    assert await database.run(backend()) != first


async def test_those_at_hand_count_as_available(database: AsyncDatabase) -> None:
    await database.run(backend())

    counts = database.pool_counts()

    assert counts is not None
    assert counts.idle == counts.total == 4


async def test_none_is_left_behind(database: AsyncDatabase, database_url: str) -> None:
    await database.run(backend())
    await database.close()

    await eventually(
        lambda: (
            not sql(
                database_url,
                "SELECT FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()",
            )
        )
    )
