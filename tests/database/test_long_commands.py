"""Long commands behind a pooler in transaction mode: run alone, left to the server, or cancelled."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest

from drivers.callers import parts
from pgboss import SyncPgBoss
from pgboss.drivers.alone import Alone
from pgboss.drivers.asyncpg import AsyncpgDatabase
from pgboss.maintenance import BamRunner
from support.eventually import eventually
from support.pooler import PGBOUNCER, PgBouncer
from support.postgres import sql_value
from support.put_off import Heard, bam_rows, holding_up_builds, put_off, running
from support.upkeep import SCHEMA, database

pytestmark = pytest.mark.skipif(PGBOUNCER is None, reason="there is no PgBouncer on this machine")

BUILD = "CREATE INDEX CONCURRENTLY IF NOT EXISTS built ON pgboss.job_common (created_on)"


@pytest.fixture
def url(database_url: str) -> str:
    with SyncPgBoss(database_url, pool_size=1):
        return database_url


@pytest.fixture
async def pooler(url: str) -> AsyncIterator[PgBouncer]:
    async with PgBouncer(url) as started:
        yield started


@pytest.fixture(params=["psycopg", "asyncpg"])
async def pool(request: pytest.FixtureRequest, pooler: PgBouncer) -> AsyncIterator[Alone]:
    if request.param == "psycopg":
        async with database(pooler.dsn) as opened:
            yield opened
    else:
        known = parts(pooler.dsn, database="database")
        async with asyncpg.create_pool(**known, min_size=1, max_size=3, statement_cache_size=0) as given:
            yield AsyncpgDatabase(pooler.dsn, given)


@pytest.fixture
async def heard() -> AsyncIterator[Heard]:
    async with Heard() as listening:
        yield listening


def runner_of(pool: Alone, heard: Heard) -> BamRunner:
    return BamRunner(pool, SCHEMA, heard.events, interval_seconds=0)


def is_built(url: str) -> bool:
    return bool(sql_value(url, "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('pgboss.built')"))


async def test_a_build_runs_alone(url: str, pool: Alone, heard: Heard) -> None:
    put_off(url, BUILD)
    await runner_of(pool, heard).run_once()
    assert [row["status"] for row in bam_rows(url)] == ["completed"]
    assert is_built(url)


async def test_a_build_is_left_to_the_server(url: str, pool: Alone, heard: Heard) -> None:
    put_off(url, BUILD)
    async with holding_up_builds(url):
        turn = asyncio.create_task(runner_of(pool, heard).run_once())
        await eventually(lambda: running(url, BUILD))
        turn.cancel()
        await asyncio.wait([turn])
        assert turn.cancelled()
        assert [row["status"] for row in bam_rows(url)] == ["in_progress"]
    await eventually(lambda: is_built(url))


async def test_any_other_command_is_cancelled(url: str, pool: Alone, heard: Heard) -> None:
    put_off(url, "SELECT pg_sleep(600)")
    turn = asyncio.create_task(runner_of(pool, heard).run_once())
    await eventually(lambda: running(url, "pg_sleep"))
    turn.cancel()
    await asyncio.wait([turn])
    await eventually(lambda: running(url, "pg_sleep") == 0)
    assert [row["status"] for row in bam_rows(url)] == ["failed"]
