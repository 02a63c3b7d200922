"""Bloated indexes: Node and we find the same ones, say the same of them, and rebuild them in the same turn."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from pgboss import ReindexOptions, SyncPgBoss
from pgboss.drivers.psycopg import AsyncDatabase
from pgboss.maintenance import ReindexPass
from support.bloat import drain_a_backlog, file_of, leave_a_leftover, pages_of
from support.node import NodeBoss, NodeBossFactory
from support.postgres import sql, sql_value
from support.put_off import Heard
from support.upkeep import SCHEMA, add_jobs, database

pytestmark = pytest.mark.node

PKEY = "job_common_pkey"
LIMITS = {"minPages": 16}
DAY = 24 * 60 * 60


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[AsyncDatabase]:
    async with database(database_url) as opened:
        yield opened


@pytest.fixture
async def heard() -> AsyncIterator[Heard]:
    async with Heard() as listening:
        yield listening


@pytest.fixture
async def node(node_boss: NodeBossFactory, database_url: str) -> NodeBoss:
    """Node on a schema whose shared table, and one of a queue's own, have had a backlog."""
    node = await node_boss(reindex=LIMITS, migrate=True)
    await node.call("createQueue", "mail")
    await node.call("createQueue", "own", {"partition": True})
    drain_a_backlog(database_url, "mail")
    own = sql_value(database_url, "SELECT table_name FROM pgboss.queue WHERE name = 'own'")
    drain_a_backlog(database_url, "own", table=own)
    return node


def index_pass(pool: AsyncDatabase, heard: Heard, reindex: bool | ReindexOptions) -> ReindexPass:
    return ReindexPass(pool.run, pool, SCHEMA, heard.events, interval_seconds=DAY, reindex=reindex)


def plainly(commands: list[str]) -> list[str]:
    return [command.replace('"pgboss".', "pgboss.") for command in commands]


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        (LIMITS, {"min_pages": 16}),
        ({}, {}),
        ({"force": True}, {"force": True}),
        ({"minPages": 0, "maxEntriesPerPage": 0.5}, {"min_pages": 0, "max_entries_per_page": 0.5}),
        ({"minPages": 16, "maxIndexBytes": 400_000}, {"min_pages": 16, "max_index_bytes": 400_000}),
    ],
)
async def test_the_same_commands(
    node: NodeBoss, database_url: str, theirs: dict[str, Any], ours: dict[str, Any]
) -> None:
    leave_a_leftover(database_url, f"{PKEY}_ccnew")
    add_jobs(database_url, "mail", 300, singleton_key="repeat('k', n)")
    sql(database_url, "ANALYZE pgboss.job_common")

    with SyncPgBoss(database_url) as boss:
        commands = plainly(boss.get_reindex_commands(**ours))

    expected = await node.call("getReindexCommands", theirs)
    # Indexes of the same size come in any order.
    assert sorted(commands) == sorted(expected)
    assert commands[:1] == expected[:1]


async def test_the_same_size_is_expected_of_an_index(node: NodeBoss, database_url: str) -> None:
    for length in (1, 20, 150):
        add_jobs(database_url, "mail", 300, singleton_key=f"repeat('k', {length}) || n", group_id="'g'")
    sql(database_url, "VACUUM ANALYZE pgboss.job_common")
    answers = set()
    with SyncPgBoss(database_url) as boss:
        for ratio in (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 14, 17, 20, 25, 30, 40, 50):
            commands = sorted(
                plainly(boss.get_reindex_commands(min_pages=0, max_entries_per_page=1000, min_size_ratio=ratio))
            )
            theirs = {"minPages": 0, "maxEntriesPerPage": 1000, "minSizeRatio": ratio}
            assert commands == sorted(await node.call("getReindexCommands", theirs)), ratio
            answers.add(tuple(commands))
    assert len(answers) > 5, "the ratios tell them apart"


async def test_the_same_warnings(node: NodeBoss, database_url: str, pool: AsyncDatabase, heard: Heard) -> None:
    limits = {"minPages": 16, "maxIndexBytes": 8192}
    await node.call("supervise", None, {"reindex": limits})
    sql(database_url, "UPDATE pgboss.version SET reindex_on = NULL")
    await index_pass(pool, heard, ReindexOptions(min_pages=16, max_index_bytes=8192)).run_once()

    theirs = {warning["data"]["name"]: warning["data"] for warning in node.warnings()}
    ours = (await heard.all()).warnings
    assert {warning.data["name"]: dict(warning.data) for warning in ours} == theirs
    assert PKEY in theirs


async def node_pass(node: NodeBoss, _pool: AsyncDatabase, _heard: Heard) -> None:
    await node.call("supervise", None, {"reindex": LIMITS})


async def our_pass(_node: NodeBoss, pool: AsyncDatabase, heard: Heard) -> None:
    await index_pass(pool, heard, ReindexOptions(min_pages=16)).run_once()


@pytest.mark.parametrize(("first", "second"), [(node_pass, our_pass), (our_pass, node_pass)])
async def test_what_one_side_has_rebuilt_the_other_leaves_alone(
    node: NodeBoss,
    database_url: str,
    pool: AsyncDatabase,
    heard: Heard,
    first: Callable[..., Any],
    second: Callable[..., Any],
) -> None:
    before = file_of(database_url, PKEY)
    await first(node, pool, heard)
    rebuilt = file_of(database_url, PKEY)
    assert rebuilt != before
    assert pages_of(database_url, PKEY) == 1

    drain_a_backlog(database_url, "mail")
    await second(node, pool, heard)
    assert file_of(database_url, PKEY) == rebuilt, "the turn of this day was taken"

    sql(database_url, "UPDATE pgboss.version SET reindex_on = now() - interval '1 day'")
    await second(node, pool, heard)
    assert file_of(database_url, PKEY) != rebuilt
    assert (await node.call("detectSchemaDrift"))["ok"]


async def test_at_the_same_time_one_of_them_rebuilds(
    node: NodeBoss, database_url: str, pool: AsyncDatabase, heard: Heard
) -> None:
    sql(database_url, "CREATE TABLE rebuilt (name text)")
    sql(
        database_url,
        "CREATE FUNCTION count_turn() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "INSERT INTO rebuilt SELECT current_setting('application_name') WHERE NEW.reindex_on <> OLD.reindex_on "
        "OR OLD.reindex_on IS NULL AND NEW.reindex_on IS NOT NULL; RETURN NEW; END $$;"
        "CREATE TRIGGER turns AFTER UPDATE ON pgboss.version FOR EACH ROW EXECUTE FUNCTION count_turn()",
    )
    await asyncio.gather(*(each(node, pool, heard) for each in (node_pass, our_pass, our_pass, node_pass)))

    assert sql_value(database_url, "SELECT count(*) FROM rebuilt") == 1
    assert pages_of(database_url, PKEY) == 1
    assert (await heard.all()).warnings == []
    assert node.warnings() == []
