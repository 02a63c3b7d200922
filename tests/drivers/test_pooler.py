"""A real PgBouncer between us and the server, where the machine has one."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from typing import Any, LiteralString

import asyncpg
import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from drivers.callers import parts
from pgboss import Job, PgBoss, SyncPgBoss
from pgboss.client import Client
from pgboss.drivers.psycopg import listener
from pgboss.worker import hearing
from support.boss import is_listening
from support.eventually import eventually
from support.pooler import PGBOUNCER, PgBouncer
from support.postgres import sql

pytestmark = pytest.mark.skipif(PGBOUNCER is None, reason="there is no PgBouncer on this machine")

SENDERS = 8
SENT_BY_EACH = 10


@pytest.fixture
async def pooler(database_url: str) -> AsyncIterator[PgBouncer]:
    """The test's database behind a pooler in transaction mode with two server connections."""
    async with PgBouncer(database_url) as started:
        yield started


async def send_and_work(url: str, *, express: bool = False, **options: Any) -> None:
    worked: list[Any] = []

    async def handler(job: Job) -> None:
        worked.append(job.data)

    async def send(boss: PgBoss) -> None:
        for number in range(SENT_BY_EACH):
            await boss.send("jobs", number)

    async with PgBoss(url, **options) as boss:
        await boss.create_queue("jobs")
        await boss.work("jobs", handler, express=express)
        await asyncio.gather(*(send(boss) for _ in range(SENDERS)))
        await eventually(lambda: len(worked) == SENDERS * SENT_BY_EACH, within=15)


async def test_our_own_pool(pooler: PgBouncer) -> None:
    await send_and_work(pooler.dsn)


async def test_express_workers(pooler: PgBouncer) -> None:
    """Their transactions hold both of its server connections for a while, and everything else waits for one."""
    await send_and_work(pooler.dsn, express=True)


async def test_a_pool_of_asyncpgs_without_a_cache_of_statements(pooler: PgBouncer) -> None:
    known = parts(pooler.dsn, database="database")
    async with asyncpg.create_pool(**known, min_size=4, max_size=4, statement_cache_size=0) as pool:
        await send_and_work(pooler.dsn, pool=pool)


NO_NOTIFICATIONS = "a pooler in transaction mode shares out these connections"
# Far beyond the patience of these tests: what is found sooner has been heard of.
NEVER_SECONDS = 600


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING and r.name.startswith("pgboss")]


def is_connected(url: str, condition: str = "true") -> bool:
    """Whether the server sees a connection of the program ``seen``, as the pooler passes the name on."""
    return bool(sql(url, f"SELECT pid FROM pg_stat_activity WHERE application_name = 'seen' AND {condition}"))


async def left_behind(dsn: str, what: LiteralString) -> int:
    """How much of it there is at most on one of the server connections that the pooler lends out."""
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True, prepare_threshold=None) as connection:
        counts = [await connection.execute(f"SELECT count(*) FROM {what}") for _ in range(6)]
        return max([int((await count.fetchone() or (0,))[0]) for count in counts])


@pytest.mark.parametrize("driver", ["psycopg", "asyncpg"])
async def test_a_pooler_in_transaction_mode_is_found_out_and_told_of_once(
    pooler: PgBouncer, database_url: str, driver: str, caplog: pytest.LogCaptureFixture
) -> None:
    """It gets no LISTEN, which would stay on a server connection that others use; jobs are found by polling."""
    async with AsyncExitStack() as stack:
        pool = None
        if driver == "asyncpg":
            known = parts(pooler.dsn, database="database")
            pool = await stack.enter_async_context(
                asyncpg.create_pool(**known, min_size=1, max_size=4, statement_cache_size=0)
            )
        await send_and_work(pooler.dsn, pool=pool)
    assert [warning for warning in warnings(caplog) if NO_NOTIFICATIONS in warning] == warnings(caplog)
    assert len(warnings(caplog)) == 1
    # What a LISTEN leaves behind lives as long as the server connection, which the pooler keeps.
    assert await left_behind(pooler.dsn, "pg_listening_channels()") == 0


async def test_one_that_was_not_found_out_at_first_is_found_out_later(
    pooler: PgBouncer, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While others keep it busy, two connections may not be seen to share a process. The listener goes on asking."""
    monkeypatch.setattr(hearing, "ROUNDS", 0)
    monkeypatch.setattr(listener, "PROBE_SECONDS", 0.05)

    async with PgBoss(pooler.dsn, supervise=False) as boss:
        await boss.create_queue("jobs")
        await boss.work("jobs", nothing)
        others = [await psycopg.AsyncConnection.connect(pooler.dsn) for _ in range(2)]
        try:
            # One after the other they hold a server connection, so that the listener is served by the other one.
            for number in range(20):
                if warnings(caplog):
                    break
                holder, free = others[number % 2], others[1 - number % 2]
                await holder.execute("SELECT 1")
                await free.rollback()
                with suppress(AssertionError):
                    await eventually(lambda: warnings(caplog), within=0.5)
        finally:
            for other in others:
                await other.close()
    assert len(warnings(caplog)) == 1
    assert NO_NOTIFICATIONS in warnings(caplog)[0]


async def nothing(job: Job) -> None:
    return None


async def test_who_says_that_it_is_there_is_not_warned(pooler: PgBouncer, caplog: pytest.LogCaptureFixture) -> None:
    await send_and_work(pooler.dsn, pooler="transaction")
    assert warnings(caplog) == []
    assert await left_behind(pooler.dsn, "pg_prepared_statements") == 0


async def test_the_environment_says_it_too(
    pooler: PgBouncer, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGBOSS_POOLER", "transaction")
    await send_and_work(pooler.dsn)
    assert warnings(caplog) == []

    await asyncio.to_thread(send_in_thread, pooler.dsn, "others")
    assert await left_behind(pooler.dsn, "pg_prepared_statements") == 0


def send_in_thread(url: str, name: str) -> None:
    with SyncPgBoss(url) as boss:
        boss.create_queue(name)
        for _ in range(5):
            boss.send(name)


@pytest.mark.parametrize(
    ("mode", "said", "is_kept"),
    [("transaction", "auto", False), ("session", "auto", False), ("session", "session", True)],
)
async def test_nothing_is_prepared_until_a_connection_is_known_to_be_direct(
    database_url: str, mode: str, said: str, is_kept: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither by those who never listen, and so never find out which kind of pooler it is."""
    monkeypatch.setenv("PGBOSS_POOLER", said)
    # Nothing of a session is wiped away when it ends, so that it can be seen what it has left behind.
    async with PgBouncer(database_url, pool_mode=mode, default_pool_size=10, server_reset_query="") as pooler:
        async with Client(pooler.dsn) as client:
            await client.create_queue("jobs")
            for _ in range(5):
                await client.send("jobs")
        await asyncio.to_thread(send_in_thread, pooler.dsn, "others")
        assert bool(await left_behind(pooler.dsn, "pg_prepared_statements")) is is_kept


async def test_nothing_more_is_prepared_once_it_is_found_out(pooler: PgBouncer) -> None:
    async with PgBoss(pooler.dsn, supervise=False) as boss:
        # As if this pooler told true numbers, and its connections had been taken for direct ones.
        boss._database.heed("session")
        found: list[object] = []
        boss.on("warning", found.append)
        await boss.create_queue("jobs")
        await boss.send("jobs")
        assert await left_behind(pooler.dsn, "pg_prepared_statements") > 0
        await boss.work("jobs", nothing)
        await eventually(lambda: found)
        before = await left_behind(pooler.dsn, "pg_prepared_statements")
        for _ in range(10):
            await boss.send("jobs", {"n": 1})
            await boss.send("jobs", priority=1)
        assert await left_behind(pooler.dsn, "pg_prepared_statements") == before


@pytest.mark.parametrize("mode", ["auto", "session"])
@pytest.mark.parametrize("place", ["a pooler in session mode", "no pooler"])
async def test_where_a_connection_is_ours_alone_notifications_get_through(
    database_url: str, place: str, mode: Any, caplog: pytest.LogCaptureFixture
) -> None:
    worked = asyncio.Event()

    async def handler(job: Job) -> None:
        worked.set()

    async with AsyncExitStack() as stack:
        url = database_url
        if place != "no pooler":
            settings = {"pool_mode": "session", "default_pool_size": 10}
            url = (await stack.enter_async_context(PgBouncer(database_url, **settings))).dsn
        boss = await stack.enter_async_context(
            PgBoss(
                make_conninfo(url, application_name="seen"),
                supervise=False,
                pooler=mode,
                polling_interval_seconds=NEVER_SECONDS,
            )
        )
        await boss.create_queue("jobs")
        await boss.work("jobs", handler)
        await eventually(lambda: is_listening(boss), within=10)
        await boss.send("jobs")
        async with asyncio.timeout(5):
            await worked.wait()
    assert warnings(caplog) == []


async def test_one_server_connection_is_enough(database_url: str) -> None:
    """Nothing of ours waits for a second connection while it holds the first."""
    async with PgBouncer(database_url, default_pool_size=1) as pooler:
        await send_and_work(pooler.dsn)


async def test_a_pooler_that_closes_idle_connections(database_url: str) -> None:
    """Those of clients and those to the server, after a second."""
    worked: list[Job] = []
    async with (
        PgBouncer(database_url, server_idle_timeout=1, client_idle_timeout=1) as pooler,
        PgBoss(f"{pooler.dsn}?application_name=seen", supervise=False, polling_interval_seconds=NEVER_SECONDS) as boss,
    ):
        await boss.create_queue("jobs")
        await boss.send("jobs")
        await eventually(lambda: not is_connected(database_url), within=15)
        await boss.work("jobs", worked.append)
        await eventually(lambda: worked)
        assert await boss.send("jobs") is not None


@pytest.mark.slow
async def test_a_pooler_that_lets_nobody_wait(database_url: str, caplog: pytest.LogCaptureFixture) -> None:
    """Its only server connection is taken for longer than ``query_wait_timeout``; then work goes on."""
    worked: list[Job] = []
    async with (
        PgBouncer(database_url, default_pool_size=1, query_wait_timeout=1) as pooler,
        PgBoss(pooler.dsn, supervise=False, pooler="transaction") as boss,
    ):
        await boss.create_queue("jobs", heartbeat_seconds=10)
        await boss.work("jobs", worked.append)
        async with await psycopg.AsyncConnection.connect(pooler.dsn) as greedy:
            await greedy.execute("SELECT 1")
            await eventually(lambda: any("cannot be reached" in text for text in warnings(caplog)), within=8)
        await boss.send("jobs")
        await eventually(lambda: worked, within=8)


@pytest.mark.slow
async def test_a_pooler_that_is_restarted(database_url: str) -> None:
    worked: list[Job] = []
    async with PgBouncer(database_url) as pooler, PgBoss(pooler.dsn, supervise=False) as boss:
        await boss.create_queue("jobs", heartbeat_seconds=10)
        await boss.work("jobs", worked.append)
        await boss.send("jobs")
        await eventually(lambda: worked)
        await pooler.stop()
        await asyncio.sleep(2)  # it is away; that is what is being tested
        await pooler.start()
        began = time.monotonic()
        await boss.send("jobs")
        await eventually(lambda: len(worked) == 2)
        assert time.monotonic() - began < 5
