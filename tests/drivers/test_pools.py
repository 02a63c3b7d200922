"""Instances that run on a pool of the caller's: asyncpg's and psycopg's."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import asyncpg
import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from psycopg_pool import AsyncConnectionPool, ConnectionPool

from drivers.callers import parts
from pgboss import (
    ConfigurationError,
    DatabaseError,
    DatabaseUnavailableError,
    Job,
    Jobs,
    PgBoss,
    QueueNotFoundError,
    StoppedError,
    SyncPgBoss,
)
from support.eventually import eventually
from support.postgres import sql, sql_value


@asynccontextmanager
async def asyncpg_pool(url: str, **options: Any) -> AsyncIterator[Any]:
    async with asyncpg.create_pool(
        **parts(url, database="database"), **{"min_size": 1, "max_size": 4, **options}
    ) as pool:
        yield pool


@asynccontextmanager
async def psycopg_pool(url: str) -> AsyncIterator[AsyncConnectionPool[Any]]:
    async with AsyncConnectionPool(url, min_size=1, max_size=4, open=False) as pool:
        yield pool


POOLS = {"asyncpg": asyncpg_pool, "psycopg": psycopg_pool}


@pytest.fixture(params=POOLS)
async def pool(request: pytest.FixtureRequest, database_url: str) -> AsyncIterator[Any]:
    async with POOLS[request.param](database_url) as made:
        yield made


@pytest.fixture
async def boss(pool: Any, database_url: str) -> AsyncIterator[PgBoss]:
    async with PgBoss(database_url, pool=pool) as instance:
        yield instance


async def test_workers(boss: PgBoss) -> None:
    """Sent, worked, retried, completed; and a sleepy one given up with the stop."""
    attempts: list[int] = []

    async def handler(job: Job) -> dict[str, Any]:
        attempts.append(job.retry_count)
        if job.retry_count == 0:
            raise ValueError("not yet ✓")
        return {"doubled": job.data["n"] * 2}

    await boss.create_queue("jobs", retry_limit=1, retry_delay=0, retry_backoff=False)
    await boss.work("jobs", handler)
    job_id = await boss.send("jobs", {"n": 21})

    async def completed() -> bool:
        job = await boss.get_job(job_id or "")
        return job is not None and job.state == "completed"

    await eventually(completed)
    job = await boss.get_job(job_id or "")
    assert attempts == [0, 1]
    assert job is not None
    assert job.output == {"doubled": 42}
    assert type(job.id) is UUID


async def test_a_stop_leaves_no_job_active_and_the_pool_open(boss: PgBoss, pool: Any, database_url: str) -> None:
    begun = asyncio.Event()

    async def handler(job: Job) -> None:
        begun.set()
        await asyncio.Event().wait()

    await boss.create_queue("jobs")
    await boss.work("jobs", handler, concurrency=1)
    await boss.insert("jobs", [{}, {}])
    await begun.wait()
    await boss.stop(timeout=0)

    assert sql_value(database_url, "SELECT count(*) FROM pgboss.job WHERE state = 'active'") == 0
    async with pool.acquire() if isinstance(pool, asyncpg.Pool) else pool.connection() as connection:
        await connection.execute("SELECT 1")
    with pytest.raises(StoppedError if isinstance(pool, AsyncConnectionPool) else QueueNotFoundError):
        await boss.send("nowhere")


async def test_an_instance_can_be_started_again(boss: PgBoss) -> None:
    await boss.stop()
    await boss.start()
    await boss.create_queue("jobs")
    assert await boss.send("jobs") is not None


async def test_connections_come_back_as_they_were(database_url: str) -> None:
    """A pool whose connections are not in autocommit mode, nor left in a transaction by an error."""
    async with AsyncConnectionPool(database_url, min_size=1, max_size=1, open=False) as pool:
        async with PgBoss(database_url, pool=pool, supervise=False) as boss:
            await boss.create_queue("jobs")
            with pytest.raises(QueueNotFoundError):
                await boss.create_queue("other", dead_letter="nowhere")
            assert await boss.send("jobs") is not None
        async with pool.connection() as connection:
            assert connection.autocommit is False
            assert connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
    assert sql_value(database_url, "SELECT count(*) FROM pgboss.job") == 1


def test_a_sync_pool(database_url: str) -> None:
    with ConnectionPool(database_url, min_size=1, max_size=1, open=True) as pool:
        with SyncPgBoss(pool=pool) as boss:
            boss.create_queue("jobs")
            assert boss.send("jobs") is not None
        with pool.connection() as connection:
            assert connection.autocommit is False
    with pytest.raises(StoppedError, match="The pool that was given as pool= is not open"):
        SyncPgBoss(database_url, pool=pool).start()


async def test_a_pool_that_is_not_open(database_url: str) -> None:
    closed = AsyncConnectionPool(database_url, open=False)
    with pytest.raises(StoppedError, match="The pool that was given as pool= is not open"):
        await PgBoss(database_url, pool=closed).start()
    async with asyncpg_pool(database_url) as pool:
        pass
    with pytest.raises(StoppedError, match="The pool that was given as pool= is not open: pool is clos"):
        await PgBoss(database_url, pool=pool).start()


async def test_pools_that_are_refused(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    sync_pool = ConnectionPool(database_url, open=False)
    async_pool = AsyncConnectionPool(database_url, open=False)
    given: Any = sync_pool
    with pytest.raises(ConfigurationError, match=r"not psycopg_pool.pool.ConnectionPool.*goes with SyncPgBoss"):
        PgBoss(database_url, pool=given)
    given = async_pool
    with pytest.raises(ConfigurationError, match=r"not psycopg_pool.pool_async.AsyncConnectionPool.*goes with PgBoss"):
        SyncPgBoss(database_url, pool=given)
    with pytest.raises(ConfigurationError, match="leave it out beside pool="):
        PgBoss(database_url, pool=async_pool, pool_size=3)
    monkeypatch.delenv("DATABASE_URL", raising=False)
    async with asyncpg_pool(database_url) as pool:
        with pytest.raises(ConfigurationError, match="No database is configured"):
            PgBoss(pool=pool)


async def test_many_dead_connections_are_left_at_once(database_url: str) -> None:
    """All connections of the pool lie idle when the server ends them. The next call has no need to try each."""
    dsn = make_conninfo(database_url, application_name="seen")
    count = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'seen'"
    async with PgBoss(dsn, pool_size=8, supervise=False, listen=False) as boss:
        await boss.create_queue("jobs")
        await eventually(lambda: all_used(boss, database_url, count), within=15)
        sql(database_url, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'seen'")
        await eventually(lambda: sql_value(database_url, count) == 0)
        began = time.monotonic()
        assert await boss.send("jobs") is not None
        assert time.monotonic() - began < 4


async def all_used(boss: PgBoss, url: str, count: str) -> bool:
    await asyncio.gather(*(boss.get_queues() for _ in range(40)))
    return bool(sql_value(url, count) >= 8)


async def test_errors_in_our_words(database_url: str) -> None:
    async with asyncpg_pool(database_url, max_size=1) as pool, PgBoss(database_url, pool=pool, supervise=False) as boss:
        await boss.create_queue("jobs")
        sql(database_url, "ALTER TABLE pgboss.queue ADD CONSTRAINT mine CHECK (retry_limit < 100)")
        try:
            with pytest.raises(DatabaseError) as refused:
                await boss.update_queue("jobs", retry_limit=100)
        finally:
            sql(database_url, "ALTER TABLE pgboss.queue DROP CONSTRAINT mine")
        assert (refused.value.sqlstate, refused.value.constraint) == ("23514", "mine")

        async with pool.acquire() as connection:
            pid = connection.get_server_pid()
            sql(database_url, f"SELECT pg_terminate_backend({pid})")
            with pytest.raises(DatabaseUnavailableError):
                await boss.send("jobs", connection=connection)
            with pytest.raises(DatabaseUnavailableError):
                await boss.send("jobs", connection=connection)
        assert await boss.send("jobs") is not None


async def test_codecs_of_the_callers(database_url: str) -> None:
    """Ids and times as text, JSON as objects: what comes and goes is the same."""

    async def set_codecs(connection: Any) -> None:
        import json

        for name, encode, decode in (
            ("uuid", lambda text: text.upper(), lambda text: text.upper()),
            ("timestamptz", lambda text: text[:], str),
            ("jsonb", json.dumps, json.loads),
            ("json", json.dumps, json.loads),
        ):
            await connection.set_type_codec(name, encoder=encode, decoder=decode, schema="pg_catalog", format="text")

    async with (
        asyncpg_pool(database_url, init=set_codecs, record_class=Record) as pool,
        PgBoss(database_url, pool=pool, supervise=False) as boss,
    ):
        await boss.create_queue("jobs")
        job_id = await boss.send("jobs", {"a": "ü"}, start_after=datetime(2026, 1, 1, tzinfo=UTC))
        [job] = await boss.fetch("jobs")
        assert (await boss.complete("jobs", job, {"b": [1]})).settled == (job_id,)
        done = await boss.get_job(job.id)

    assert done is not None
    assert (type(job.id), job.id, job.data, done.output) == (UUID, job_id, {"a": "ü"}, {"b": [1]})
    assert done.start_after == datetime(2026, 1, 1, tzinfo=UTC)


class Record(asyncpg.Record):  # type: ignore[misc]  # asyncpg brings no types
    """A row of the caller's own kind."""

    def __iter__(self) -> Any:
        return iter(self.keys())


async def test_transactional_handlers(pool: Any, database_url: str) -> None:
    """What a handler writes on its connection is there with the completion, or not at all; threads have one too."""
    jobs = Jobs()
    sql(database_url, "CREATE TABLE mine (n int)")

    @jobs.job("coroutine", transactional=True, retry_limit=0)
    async def coroutine(payload: dict[str, int], job: Job, connection: Any) -> None:
        await connection.execute(f"INSERT INTO mine VALUES ({payload['n']})")
        if payload["n"] < 0:
            raise ValueError("not this one")

    @jobs.job("thread", transactional=True)
    def thread(payload: dict[str, int], job: Job, connection: Any) -> None:
        connection.execute(f"INSERT INTO mine VALUES ({payload['n']})")

    async with PgBoss(database_url, pool=pool, jobs=jobs, supervise=False) as boss:
        await boss.send(coroutine, {"n": 1})
        await boss.send(coroutine, {"n": -1})
        await boss.send(thread, {"n": 2})

        def ended() -> bool:
            states = sql(database_url, "SELECT state::text FROM pgboss.job ORDER BY state")
            return [row["state"] for row in states] == ["completed", "completed", "failed"]

        await eventually(ended)
    assert {row["n"] for row in sql(database_url, "SELECT n FROM mine")} == {1, 2}


async def test_a_connection_lent_to_a_thread_comes_back_as_it_was(database_url: str) -> None:
    """The pool's own set-up holds in the thread, and what the thread sets up ends with the loan."""
    noticed: list[str] = []

    async def configure(connection: psycopg.AsyncConnection[Any]) -> None:
        connection.add_notice_handler(lambda notice: noticed.append(notice.message_primary or ""))
        connection.adapters.register_loader("int4", psycopg.types.string.TextLoader)

    def handler(job: Job, connection: psycopg.Connection[Any]) -> list[Any]:
        connection.execute("DO $$ BEGIN RAISE NOTICE 'to nobody'; END $$")
        return list(connection.execute("SELECT 1::int4, pg_backend_pid()::text").fetchone() or ())

    async with (
        AsyncConnectionPool(database_url, min_size=1, max_size=2, configure=configure, open=False) as pool,
        PgBoss(database_url, pool=pool) as boss,
    ):
        await boss.create_queue("jobs")
        job_id = await boss.send("jobs") or ""
        await boss.work("jobs", handler, transactional=True)
        job = await boss.wait_for(job_id)
        assert job.state == "completed"
        pids = []
        async with pool.connection() as one, pool.connection() as other:
            for connection in (one, other):
                await connection.execute("DO $$ BEGIN RAISE NOTICE 'to the pool'; END $$")
                pids.append(connection.info.backend_pid)
                assert not connection.autocommit
        assert noticed == ["to the pool"] * 2
        assert job.value in [["1", str(pid)] for pid in pids]
