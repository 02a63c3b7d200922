"""No read waits for the database for longer than it may, whatever the route."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator

import psycopg
import pytest

from pgboss import PgBoss
from pgboss.web import WebOptions, app
from support.postgres import sql
from support.web import calling, filled, reads

QUERY_SECONDS = 0.2
GRACE_SECONDS = 5
TABLES = "SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables WHERE schemaname = 'pgboss'"
# What they tell of is the process, or that the database does not answer; events are told when there are any; and the
# times of an expression are in no table.
OTHERS = {"/health", "/ready", "/metrics", "/api/events", "/api/jobs/{id}/events", "/api/schedules/preview"}


@pytest.fixture
async def locked(boss: PgBoss, database_url: str) -> AsyncIterator[None]:
    """Every table is held by somebody who does not let go."""
    await boss.create_queue("mail")
    await boss.pause_queue("mail")
    await boss.schedule("mail", "0 6 * * *")
    async with await psycopg.AsyncConnection.connect(database_url) as holder:
        for table in sql(database_url, TABLES):
            await holder.execute(f"LOCK TABLE {table['name']} IN ACCESS EXCLUSIVE MODE")
        yield
        await holder.rollback()


@pytest.mark.parametrize(("method", "path"), [one for one in reads() if one[1] not in OTHERS])
async def test_a_table_that_somebody_holds(boss: PgBoss, locked: None, method: str, path: str) -> None:
    began = time.monotonic()
    async with calling(app(boss, WebOptions(query_seconds=QUERY_SECONDS))) as client:
        answer = await client.request(method, filled(path), json={})
    assert (answer.status_code, answer.json()["error"]) == (503, "took_too_long"), answer.text
    assert time.monotonic() - began < GRACE_SECONDS
