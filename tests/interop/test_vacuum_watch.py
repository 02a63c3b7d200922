"""Warnings of dead rows: Node and we give the same ones, with the same data, at the same looks."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from pgboss import embedded
from pgboss.drivers.psycopg import AsyncDatabase
from pgboss.maintenance import VacuumWatch
from support.horizon import SERVER_SETTINGS, holding, make_dead_rows, vacuum
from support.node import NodeBoss, NodeBossFactory
from support.postgres import PostgresServer, Template, sql, templates
from support.put_off import Heard
from support.upkeep import SCHEMA, database

pytestmark = pytest.mark.node

# What each side says in its own words.
WORDS = {"holder", "holderClass"}
# What passes between two looks: seconds, and the transactions of the other side.
PASSING = {
    "vacuumAgeSeconds": 3,
    "holderTransactionSeconds": 3,
    "oldestTransactionSeconds": 3,
    "transactions": 50,
}


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    with embedded.throwaway(settings=SERVER_SETTINGS) as server:
        yield server


@pytest.fixture(scope="module")
def template(postgres: PostgresServer) -> Iterator[Template]:
    yield from templates(postgres)


@pytest.fixture
async def node(node_boss: NodeBossFactory, database_url: str) -> NodeBoss:
    node = await node_boss()
    await node.call("createQueue", "mail")
    make_dead_rows(database_url)
    vacuum(database_url)
    return node


@pytest.fixture
async def heard() -> AsyncIterator[Heard]:
    async with Heard() as listening:
        yield listening


@pytest.fixture
async def pool(database_url: str, node: NodeBoss) -> AsyncIterator[AsyncDatabase]:
    async with database(database_url) as opened:
        yield opened


class Both:
    """One look each, and what has been said."""

    def __init__(self, node: NodeBoss, pool: AsyncDatabase, heard: Heard) -> None:
        self._node = node
        self._watch = VacuumWatch(pool.run, SCHEMA, heard.events)
        self._heard = heard

    async def look(self, number: int) -> None:
        """Look, after which each side has warned so often."""
        await self._watch.run_once()
        await self._node.call("supervise")
        assert (len((await self._heard.all()).warnings), len(self._node.warnings())) == (number, number)

    def last(self) -> tuple[dict[str, Any], dict[str, Any]]:
        return dict(self._heard.warnings[-1].data), self._node.warnings()[-1]["data"]


def assert_same(ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    assert set(ours) == set(theirs)
    for key, value in ours.items():
        if key in PASSING and value is not None:
            assert abs(value - theirs[key]) <= PASSING[key], key
        elif key not in WORDS:
            assert value == theirs[key], key


@pytest.mark.parametrize("how", ["backends", "slotsCatalog", "prepared"])
async def test_the_same_holder(node: NodeBoss, database_url: str, pool: AsyncDatabase, heard: Heard, how: str) -> None:
    both = Both(node, pool, heard)
    for episode in (1, 2):
        with holding(database_url, how, application_name="reports"):
            make_dead_rows(database_url)
            await both.look(episode - 1)
            vacuum(database_url)
            await both.look(episode)
            ours, theirs = both.last()
            assert ours["source"] == how
            assert_same(ours, theirs)
            vacuum(database_url)
            await both.look(episode)
        vacuum(database_url)
        await both.look(episode)


async def test_autovacuum_is_off(node: NodeBoss, database_url: str, pool: AsyncDatabase, heard: Heard) -> None:
    both = Both(node, pool, heard)
    sql(database_url, "ALTER TABLE pgboss.job_common SET (autovacuum_enabled = off)")
    make_dead_rows(database_url)
    await both.look(0)
    await both.look(0)
    make_dead_rows(database_url)
    await both.look(1)
    assert_same(*both.last())
    make_dead_rows(database_url)
    await both.look(1)


async def test_a_tables_own_budget(node: NodeBoss, database_url: str, pool: AsyncDatabase, heard: Heard) -> None:
    both = Both(node, pool, heard)
    settings = "autovacuum_vacuum_threshold = 7, autovacuum_vacuum_scale_factor = 0.5"
    sql(database_url, f"ALTER TABLE pgboss.job_common SET ({settings})")
    with holding(database_url, "backends"):
        make_dead_rows(database_url)
        await both.look(0)
        vacuum(database_url)
        await both.look(1)
        ours, theirs = both.last()
        assert ours["budget"] == 7
        assert_same(ours, theirs)
