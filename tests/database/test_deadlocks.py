"""Jobs that two take in different orders: what PostgreSQL breaks off runs again, or its caller is told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import psycopg
import pytest

from pgboss import DatabaseError, PgBoss, SyncPgBoss
from support.eventually import eventually
from support.postgres import sql, sql_value

pytestmark = pytest.mark.slow

WAITS = "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"


async def in_deadlock(url: str, complete: Callable[[list[Any]], Coroutine[Any, Any, Any]]) -> Any:
    """Complete all claimed jobs, of which somebody takes first one from the middle and then the others."""
    ids = [row["id"] for row in sql(url, "SELECT id FROM pgboss.job ORDER BY id")]
    async with await psycopg.AsyncConnection.connect(url) as other:
        # So that it is never the one that is broken off.
        await other.execute("SET deadlock_timeout = '1 min'")
        take = "SELECT FROM pgboss.job WHERE id = ANY(%s) FOR UPDATE"
        await other.execute(take, ([ids[len(ids) // 2]],))
        completing: asyncio.Task[Any] = asyncio.create_task(complete(ids))
        await eventually(lambda: sql(url, WAITS))
        await other.execute(take, (ids,))
        await other.rollback()
        return await completing


def deadlocks(url: str) -> int:
    return int(sql_value(url, "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"))


async def claim(boss: PgBoss) -> None:
    await boss.create_queue("jobs")
    await boss.insert("jobs", [{} for _ in range(21)])
    assert len(await boss.fetch("jobs", batch_size=21)) == 21


async def test_a_statement_by_itself_runs_again(boss: PgBoss, database_url: str) -> None:
    await claim(boss)
    result = await in_deadlock(database_url, lambda ids: boss.complete("jobs", ids))
    assert result.affected == 21
    await eventually(lambda: deadlocks(database_url) > 0)


async def test_so_it_does_without_async(boss: PgBoss, database_url: str) -> None:
    await claim(boss)
    with SyncPgBoss(database_url) as sync:
        result = await in_deadlock(database_url, lambda ids: asyncio.to_thread(sync.complete, "jobs", ids))
    assert result.affected == 21
    await eventually(lambda: deadlocks(database_url) > 0)


async def test_a_transaction_of_the_callers_has_ended_with_it(boss: PgBoss, database_url: str) -> None:
    """It cannot go on, so that the caller hears why, and not what came of trying again."""
    await claim(boss)

    async def complete(ids: list[Any]) -> None:
        async with await psycopg.AsyncConnection.connect(database_url) as mine:
            await boss.complete("jobs", ids, connection=mine)

    with pytest.raises(DatabaseError, match="deadlock") as caught:
        await in_deadlock(database_url, complete)
    assert caught.value.sqlstate == "40P01"
    assert sql_value(database_url, "SELECT count(*) FROM pgboss.job WHERE state = 'active'") == 21
