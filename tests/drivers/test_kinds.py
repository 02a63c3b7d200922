"""What is particular to one kind of connection, and which kinds are refused."""

from __future__ import annotations

from contextlib import suppress
from typing import Any
from uuid import UUID

import psycopg2
import pytest
from psycopg2 import extensions, extras
from sqlalchemy import create_engine
from sqlalchemy.ext.asyncio import async_scoped_session, async_sessionmaker, create_async_engine
from sqlalchemy.orm import Session, scoped_session, sessionmaker

from drivers.callers import KINDS, Driver
from pgboss import ConfigurationError, DatabaseError, DatabaseUnavailableError, PgBoss, QueueNotFoundError, SyncPgBoss
from support.postgres import sql, sql_value

SYNC = [name for name, kind in KINDS.items() if kind.is_sync]
ASYNC = [name for name, kind in KINDS.items() if not kind.is_sync and name != "asyncpg-pool"]


@pytest.mark.parametrize("name", SYNC)
async def test_sync_connections_go_with_the_sync_client(database_url: str, name: str) -> None:
    async with PgBoss(database_url, supervise=False) as boss:
        await boss.create_queue("jobs")
        async with KINDS[name](database_url, boss).connection() as connection:
            with pytest.raises(ConfigurationError, match=r"takes psycopg\.AsyncConnection, .* goes with SyncPgBoss\."):
                await boss.send("jobs", connection=connection)


@pytest.mark.parametrize("name", ASYNC)
async def test_async_connections_go_with_the_async_client(database_url: str, name: str) -> None:
    with SyncPgBoss(database_url) as boss:
        boss.create_queue("jobs")
        async with KINDS[name](database_url, boss).connection() as connection:
            with pytest.raises(ConfigurationError, match=r"takes psycopg\.Connection, .* goes with PgBoss\."):
                boss.send("jobs", connection=connection)


def test_sqlalchemy_over_another_database(database_url: str) -> None:
    with (
        SyncPgBoss(database_url) as boss,
        create_engine("sqlite://").connect() as connection,
        pytest.raises(ConfigurationError, match=r"not sqlalchemy.*Connection over sqlite3\.Connection"),
    ):
        boss.send("jobs", connection=connection)


def test_a_session_of_several_databases(database_url: str) -> None:
    with (
        SyncPgBoss(database_url) as boss,
        Session() as session,
        pytest.raises(ConfigurationError, match="does not know which database is meant"),
    ):
        boss.send("jobs", connection=session)


async def test_scoped_sessions(database_url: str) -> None:
    scoped = scoped_session(sessionmaker(create_engine(database_url.replace("postgresql:", "postgresql+psycopg:", 1))))
    with SyncPgBoss(database_url) as boss:
        boss.create_queue("jobs")
        boss.send("jobs", connection=scoped)
        scoped.commit()
        scoped.remove()
    engine = create_async_engine(database_url.replace("postgresql:", "postgresql+asyncpg:", 1))
    async_scoped = async_scoped_session(async_sessionmaker(engine), scopefunc=lambda: 1)
    async with PgBoss(database_url, supervise=False) as boss_of_asyncio:
        await boss_of_asyncio.send("jobs", connection=async_scoped)
        await async_scoped.commit()
        await async_scoped.remove()
    await engine.dispose()
    scoped.get_bind().engine.dispose()
    assert sql_value(database_url, "SELECT count(*) FROM pgboss.job") == 2


def test_a_connection_that_is_lost(database_url: str) -> None:
    engine = create_engine(database_url.replace("postgresql:", "postgresql+psycopg2:", 1))
    with SyncPgBoss(database_url) as boss, engine.connect() as connection:
        boss.create_queue("jobs")
        pid = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar()
        sql(database_url, f"SELECT pg_terminate_backend({pid})")
        with pytest.raises(DatabaseUnavailableError):
            boss.send("jobs", connection=connection)
        connection.invalidate()
    engine.dispose()


async def test_savepoints_of_sqlalchemys(database_url: str) -> None:
    """What was sent in a nested transaction goes with it."""
    with SyncPgBoss(database_url) as boss:
        boss.create_queue("jobs")
        async with KINDS["sqlalchemy-session-psycopg2"](database_url, boss).connection() as session:
            boss.send("jobs", "kept", connection=session)
            with session.begin_nested() as nested:
                boss.send("jobs", "lost", connection=session)
                nested.rollback()
            session.commit()
    assert [row["data"] for row in sql(database_url, "SELECT data FROM pgboss.job")] == ["kept"]


async def in_django(driver: Driver, connection: Any) -> None:
    from django.db import transaction

    await driver.call("create_queue", "jobs")
    with transaction.atomic(using="default"):
        driver.boss.send("jobs", "kept", connection=connection)
        with pytest.raises(DatabaseError):
            driver.boss.update_queue("jobs", retry_limit=100, connection=connection)
        # Caught, and the block goes on as if nothing had happened.
        driver.boss.send("jobs", "kept too", connection=connection)
        with suppress(KeyError), transaction.atomic(using="default"):
            driver.boss.send("jobs", "lost", connection=connection)
            raise KeyError
        transaction.set_rollback(True, using="default")
        with pytest.raises(DatabaseError, match="atomic"):
            driver.boss.send("jobs", connection=connection)
        transaction.set_rollback(False, using="default")


async def test_atomic_blocks_of_djangos(database_url: str) -> None:
    sql(database_url, "ALTER TABLE pgboss.queue ADD CONSTRAINT mine CHECK (retry_limit < 100)")
    try:
        with SyncPgBoss(database_url) as boss:
            driver = KINDS["django"](database_url, boss)
            async with driver.connection(autocommit=True) as connection:
                await in_django(driver, connection)
    finally:
        sql(database_url, "ALTER TABLE pgboss.queue DROP CONSTRAINT mine")
    assert {row["data"] for row in sql(database_url, "SELECT data FROM pgboss.job")} == {"kept", "kept too"}


async def test_djangos_own_stand_in(database_url: str) -> None:
    """``django.db.connection`` stands for the connection of whichever thread asks."""
    from django.db import connection

    with SyncPgBoss(database_url) as boss:
        driver = KINDS["django"](database_url, boss)
        async with driver.connection(autocommit=True):
            boss.create_queue("jobs", connection=connection)
            with pytest.raises(QueueNotFoundError):
                boss.send("nowhere", connection=connection)
            job_id = boss.send("jobs", connection=connection)
    assert type(job_id) is UUID


def test_habits_of_psycopg2(database_url: str) -> None:
    """Rows as dictionaries, ids and times and numbers as text, dates the German way, and converters of one's own."""
    connection = psycopg2.connect(database_url, cursor_factory=extras.RealDictCursor)
    text = extensions.new_type((2950, 1184, 23, 20, 16, 25), "text", lambda value, _cursor: f"<{value}>")
    extensions.register_type(text, connection)
    try:
        with SyncPgBoss(database_url) as boss:
            with connection.cursor() as cursor:
                cursor.execute("SET datestyle = 'German'")
            boss.create_queue("jobs", connection=connection)
            job_id = boss.send("jobs", {"a": 1}, connection=connection)
            with pytest.raises(QueueNotFoundError):
                boss.create_queue("more", dead_letter="nowhere", connection=connection)
            [job] = boss.fetch("jobs", connection=connection)
            assert boss.complete("jobs", job, connection=connection).settled == (job_id,)
            with connection.cursor() as cursor:
                cursor.execute("SHOW datestyle")
                assert cursor.fetchone() == {"DateStyle": "<German, DMY>"}
            connection.commit()
            done = boss.get_job(job.id)
    finally:
        connection.close()
    assert done is not None
    assert (type(job.id), job.retry_count, job.created_on) == (UUID, 0, done.created_on)
