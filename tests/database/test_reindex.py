"""Finding and rebuilding bloated indexes: docs/compatibility.md, "Bloated indexes"."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import psycopg
import pytest

from pgboss import ReindexOptions, SyncPgBoss
from pgboss.drivers.alone import Alone
from pgboss.drivers.psycopg import AsyncDatabase
from pgboss.maintenance import ReindexPass
from pgboss.operations.indexes import find_bloated
from support.bloat import drain_a_backlog, file_of, leave_a_leftover, pages_of
from support.boss import BossFactory
from support.eventually import eventually
from support.postgres import sql, sql_value
from support.put_off import Heard, holding_up_builds, running
from support.upkeep import SCHEMA, add_jobs, database

SMALL = ReindexOptions(min_pages=16)
PKEY = "job_common_pkey"


@pytest.fixture
def client(database_url: str) -> SyncPgBoss:
    with SyncPgBoss(database_url, pool_size=1) as opened:
        opened.create_queue("mail")
        return opened


@pytest.fixture
def url(client: SyncPgBoss, database_url: str) -> str:
    """A database whose shared job table has had a backlog."""
    drain_a_backlog(database_url, "mail")
    return database_url


@pytest.fixture
async def pool(database_url: str, client: SyncPgBoss) -> AsyncIterator[AsyncDatabase]:
    async with database(database_url) as opened:
        yield opened


@pytest.fixture
async def heard() -> AsyncIterator[Heard]:
    async with Heard() as listening:
        yield listening


def index_pass(pool: Alone, heard: Heard, reindex: bool | ReindexOptions = SMALL, **options: Any) -> ReindexPass:
    return ReindexPass(pool.run, pool, SCHEMA, heard.events, **({"interval_seconds": 0, "reindex": reindex} | options))


async def warnings(heard: Heard) -> list[dict[str, Any]]:
    await heard.all()
    assert heard.warnings
    assert {warning.type for warning in heard.warnings} <= {"index_bloat"}
    return [dict(warning.data) for warning in heard.warnings]


async def test_a_bloated_index_is_rebuilt(url: str, pool: AsyncDatabase, heard: Heard) -> None:
    before = pages_of(url, PKEY)

    await index_pass(pool, heard).run_once()

    assert before > 16
    assert pages_of(url, PKEY) == 1
    assert (await heard.all()).warnings == []
    assert sql_value(url, "SELECT count(*) FROM pg_index WHERE NOT indisvalid") == 0


async def test_healthy_indexes_are_left_alone(client: SyncPgBoss, database_url: str, pool: AsyncDatabase) -> None:
    # Keys so long that few of them fit on a page: no bloat, as the width of the keys tells.
    long_key = "(SELECT string_agg(md5((n * 100 + i)::text), '') FROM generate_series(1, 40) i)"
    add_jobs(database_url, "mail", 500, singleton_key=long_key, singleton_on="now()")
    sql(database_url, "VACUUM ANALYZE pgboss.job_common")
    sql(database_url, "REINDEX TABLE pgboss.job_common")
    dense = ReindexOptions(min_pages=16, max_entries_per_page=7, min_size_ratio=0)
    assert await pool.run(find_bloated(SCHEMA, dense))

    dense = ReindexOptions(min_pages=16, max_entries_per_page=7)
    assert await pool.run(find_bloated(SCHEMA, dense)) == []


async def test_it_is_the_length_of_the_keys_that_tells(
    client: SyncPgBoss, database_url: str, pool: AsyncDatabase
) -> None:
    """Without statistics of the keys, the same index counts as bloated."""
    long_key = "(SELECT string_agg(md5((n * 100 + i)::text), '') FROM generate_series(1, 40) i)"
    add_jobs(database_url, "mail", 500, singleton_key=long_key, singleton_on="now()")
    sql(database_url, "VACUUM pgboss.job_common")
    sql(database_url, "REINDEX TABLE pgboss.job_common")
    limits = ReindexOptions(min_pages=16, max_entries_per_page=7)

    found = [index.name for index in await pool.run(find_bloated(SCHEMA, limits))]

    assert "job_common_i4" in found


async def test_what_was_never_analysed_is_not_known_to_be_bloated(
    client: SyncPgBoss, database_url: str, pool: AsyncDatabase
) -> None:
    add_jobs(database_url, "mail", 100)
    assert await pool.run(find_bloated(SCHEMA, ReindexOptions(min_pages=0))) == []


async def test_the_turn_is_for_all_instances(url: str, pool: AsyncDatabase, heard: Heard) -> None:
    sql(url, "UPDATE pgboss.version SET reindex_on = now() - interval '59 seconds'")
    duty = index_pass(pool, heard, interval_seconds=60)
    before = file_of(url, PKEY)

    await duty.run_once()
    assert file_of(url, PKEY) == before

    sql(url, "UPDATE pgboss.version SET reindex_on = now() - interval '60 seconds'")
    await asyncio.gather(duty.run_once(), index_pass(pool, heard, interval_seconds=60).run_once())
    assert pages_of(url, PKEY) == 1


def leave_much(url: str) -> None:
    """A backlog large enough for pg-boss's own limits."""
    add_jobs(url, "mail", 30_000)
    sql(url, "DELETE FROM pgboss.job_common")
    sql(url, "VACUUM pgboss.job_common")


async def test_switched_off_it_reports_once_and_leaves_the_turn_to_others(
    url: str, pool: AsyncDatabase, heard: Heard
) -> None:
    duty = index_pass(pool, heard, reindex=False)
    sql(url, "UPDATE pgboss.version SET reindex_on = NULL")
    # Thresholds are pg-boss's own when it is off, and this is a small table.
    await duty.run_once()
    assert (await heard.all()).warnings == []

    leave_much(url)
    await duty.run_once()
    told = await warnings(heard)
    names = [data["name"] for data in told]
    assert PKEY in names
    [of_pkey] = [data for data in told if data["name"] == PKEY]
    assert of_pkey == {
        "name": PKEY,
        "table": "job_common",
        "pages": pages_of(url, PKEY),
        "entries": 0,
        "bytes": pages_of(url, PKEY) * 8192,
        "owned": True,
    }
    assert "rebuilding is off" in heard.warnings[0].message
    assert sql_value(url, "SELECT reindex_on FROM pgboss.version") is None

    await duty.run_once()
    assert len((await heard.all()).warnings) == len(names)

    # An episode ends, and another begins.
    sql(url, f"REINDEX INDEX pgboss.{PKEY}")
    await duty.run_once()
    leave_much(url)
    await duty.run_once()
    again = await warnings(heard)
    assert [data["name"] for data in again[len(names) :]] == [PKEY]


async def test_reports_keep_the_interval_by_themselves(url: str, pool: AsyncDatabase, heard: Heard) -> None:
    duty = index_pass(pool, heard, has_room=False, interval_seconds=1000)

    await duty.run_once()
    first = len(await warnings(heard))
    assert "pool of two connections" in heard.warnings[0].message
    duty._told_of = frozenset()
    await duty.run_once()
    assert len((await heard.all()).warnings) == first


async def test_what_is_too_large_is_reported(url: str, pool: AsyncDatabase, heard: Heard) -> None:
    limits = ReindexOptions(min_pages=16, max_index_bytes=8192)
    before = file_of(url, PKEY)

    await index_pass(pool, heard, limits).run_once()

    assert PKEY in [data["name"] for data in await warnings(heard)]
    assert "larger than max_index_bytes" in heard.warnings[0].message
    assert file_of(url, PKEY) == before


async def test_what_is_not_ours_is_reported(url: str, heard: Heard) -> None:
    sql(url, "CREATE ROLE visitor LOGIN; GRANT USAGE ON SCHEMA pgboss TO visitor;"
             "GRANT SELECT, UPDATE ON ALL TABLES IN SCHEMA pgboss TO visitor")  # fmt: skip
    try:
        async with database(psycopg.conninfo.make_conninfo(url, options="-c role=visitor")) as visitors:
            await index_pass(visitors, heard).run_once()
            told = await warnings(heard)
    finally:
        sql(url, "DROP OWNED BY visitor; DROP ROLE visitor")
    assert {data["owned"] for data in told} == {False}
    assert "our role does not own it" in heard.warnings[0].message


async def test_leftovers_go_first(url: str, pool: AsyncDatabase, heard: Heard) -> None:
    leave_a_leftover(url, f"{PKEY}_ccnew1")
    leave_a_leftover(url, "mine")

    await index_pass(pool, heard).run_once()

    assert sql_value(url, "SELECT to_regclass(%s)", [f"pgboss.{PKEY}_ccnew1"]) is None
    assert sql_value(url, "SELECT to_regclass('pgboss.mine')") is not None
    assert pages_of(url, PKEY) == 1


async def test_leftovers_that_somebody_is_building_stay(url: str, client: SyncPgBoss) -> None:
    leave_a_leftover(url, f"{PKEY}_ccnew")
    with SyncPgBoss(url, pool_size=1) as boss:
        drops = f'DROP INDEX CONCURRENTLY IF EXISTS "pgboss"."{PKEY}_ccnew"'
        assert boss.get_reindex_commands(min_pages=16)[0] == drops
        with psycopg.connect(url) as builder:
            builder.execute("LOCK TABLE pgboss.job_common IN SHARE UPDATE EXCLUSIVE MODE")
            assert drops not in boss.get_reindex_commands(min_pages=16)


async def test_an_instance_that_stops_leaves_the_rebuild_to_the_server(
    url: str, pool: AsyncDatabase, heard: Heard
) -> None:
    async with holding_up_builds(url):
        turn = asyncio.create_task(index_pass(pool, heard).run_once())
        await eventually(lambda: running(url, "REINDEX INDEX CONCURRENTLY"))
        turn.cancel()
        await asyncio.wait([turn])
        assert turn.cancelled()
        assert running(url, "REINDEX INDEX CONCURRENTLY") == 1
    await eventually(lambda: running(url, "REINDEX INDEX CONCURRENTLY") == 0)
    assert sql_value(url, "SELECT count(*) FROM pg_index WHERE NOT indisvalid") == 0
    rebuilt = [name for name in (PKEY, *_names(url)) if pages_of(url, name) == 1]
    assert rebuilt


def _names(url: str) -> list[str]:
    return [row["name"] for row in sql(url, "SELECT indexname AS name FROM pg_indexes WHERE tablename = 'job_common'")]


async def test_connections_that_are_held_in_transactions_end_the_rebuilding(
    url: str, pool: AsyncDatabase, heard: Heard
) -> None:
    class InTransactions:
        """Somebody's pool whose connections are in a transaction at every statement."""

        def alone(self) -> Any:
            return _alone_in_a_transaction(pool)

        async def run(self, operation: Any, connection: object | None = None) -> Any:
            return await pool.run(operation, connection)

    before = file_of(url, PKEY)
    duty = index_pass(InTransactions(), heard)
    await duty.run_once()
    told = len(await warnings(heard))
    sql(url, "UPDATE pgboss.version SET reindex_on = NULL")
    await duty.run_once()

    assert file_of(url, PKEY) == before
    assert len((await heard.all()).warnings) == told
    assert sql_value(url, "SELECT reindex_on FROM pgboss.version") is None, "it leaves the turn to others"


def _alone_in_a_transaction(pool: AsyncDatabase) -> Any:
    from contextlib import asynccontextmanager

    @asynccontextmanager
    async def opened() -> AsyncIterator[Any]:
        async with pool.alone() as lone, lone.session.atomic():
            yield lone

    return opened()


async def test_forced_every_index_is_rebuilt_at_once(url: str, pool: AsyncDatabase, heard: Heard) -> None:
    sql(url, "UPDATE pgboss.version SET reindex_on = now()")
    before = {name: file_of(url, name) for name in _names(url)}

    await index_pass(pool, heard, interval_seconds=60).run(reindex=ReindexOptions(force=True), tables=["job_common"])

    assert not [name for name in before if file_of(url, name) == before[name]]


async def test_a_pass_that_is_asked_for_rebuilds_the_tables_of_its_queues(url: str, make_boss: BossFactory) -> None:
    boss = await make_boss(reindex=False)
    await boss.create_queue("own", partition=True)
    own = sql_value(url, "SELECT table_name FROM pgboss.queue WHERE name = 'own'")
    before = file_of(url, f"{own}_pkey"), file_of(url, PKEY)

    await boss.supervise("own", reindex=ReindexOptions(force=True))

    assert file_of(url, f"{own}_pkey") != before[0]
    assert file_of(url, PKEY) == before[1]


async def test_an_instance_rebuilds_by_itself(url: str, make_boss: BossFactory) -> None:
    await make_boss(supervise=True, reindex=SMALL)
    await eventually(lambda: pages_of(url, PKEY) == 1)


def test_the_commands(url: str, client: SyncPgBoss) -> None:
    with SyncPgBoss(url, pool_size=1) as boss:
        assert boss.get_reindex_commands() == []
        few = boss.get_reindex_commands(min_pages=16)
        every = boss.get_reindex_commands(force=True)
        assert boss.get_reindex_commands(min_pages=16, max_index_bytes=0) == []
        with pytest.raises(ValueError, match="max_entries_per_page must be a number above 0, not 0"):
            boss.get_reindex_commands(max_entries_per_page=0)
    assert f'REINDEX INDEX CONCURRENTLY "pgboss"."{PKEY}"' in few
    assert {*few} < {*every}
    assert len(every) == len(_names(url))
    for command in few:
        sql(url, command)
    assert pages_of(url, PKEY) == 1
