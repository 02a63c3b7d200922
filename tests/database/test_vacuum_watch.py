"""Warning of dead rows that stay: docs/compatibility.md, "Dead rows". On a server that can keep them in every way."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from pgboss import SyncPgBoss, embedded
from pgboss.core.vacuum import DeadRows, VacuumHistory
from pgboss.drivers.psycopg import AsyncDatabase
from pgboss.maintenance import VacuumWatch
from support.boss import BossFactory
from support.eventually import eventually
from support.horizon import BUDGET, SERVER_SETTINGS, holding, make_dead_rows, vacuum
from support.postgres import PostgresServer, Template, sql, templates
from support.put_off import Heard
from support.upkeep import SCHEMA, database


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    with embedded.throwaway(settings=SERVER_SETTINGS) as server:
        yield server


@pytest.fixture(scope="module")
def template(postgres: PostgresServer) -> Iterator[Template]:
    yield from templates(postgres)


@pytest.fixture
def url(database_url: str) -> str:
    with SyncPgBoss(database_url, pool_size=1) as client:
        client.create_queue("mail")
    make_dead_rows(database_url)
    vacuum(database_url)
    return database_url


@pytest.fixture
async def pool(url: str) -> AsyncIterator[AsyncDatabase]:
    async with database(url) as opened:
        yield opened


@pytest.fixture
async def heard() -> AsyncIterator[Heard]:
    async with Heard() as listening:
        yield listening


async def told(heard: Heard, number: int = 1) -> list[Any]:
    assert len((await heard.all()).warnings) == number
    return heard.warnings


async def look_twice(url: str, watch: VacuumWatch) -> None:
    """Once with dead rows, and once more after a vacuum that could not remove them."""
    vacuum(url)
    await watch.run_once()
    vacuum(url)
    await watch.run_once()


@pytest.mark.parametrize("how", ["backends", "slotsCatalog", "prepared"])
async def test_whoever_holds_the_horizon_back_is_named(url: str, pool: AsyncDatabase, heard: Heard, how: str) -> None:
    watch = VacuumWatch(pool.run, SCHEMA, heard.events)
    with holding(url, how) as pid:
        make_dead_rows(url)
        await look_twice(url, watch)
        [warning] = await told(heard)

    data = dict(warning.data)
    assert warning.type == "xmin_horizon"
    assert data["source"] == how
    assert data["transactions"] >= 1
    assert (data["table"], data["tables"]) == ("job_common", ["job_common"])
    assert data["deadTuples"] > data["budget"] == BUDGET
    assert data["unreadableSources"] == []
    assert data["holderPid"] == pid
    assert (data["self"] is None) == (how != "backends")


async def test_a_backend_is_described(url: str, pool: AsyncDatabase, heard: Heard) -> None:
    watch = VacuumWatch(pool.run, SCHEMA, heard.events)
    with holding(url, "backends", application_name="reports"):
        make_dead_rows(url)
        await look_twice(url, watch)
        [warning] = await told(heard)
    data = warning.data
    assert data["holderApplicationName"] == "reports"
    assert data["holderState"] == "idle in transaction"
    assert data["holderUserName"] == "postgres"
    assert data["self"] is False
    assert data["holderTransactionSeconds"] >= 0
    assert "of another application (pid" in data["holder"]
    assert f"{data['holder']} holds the transaction horizon back" in warning.message


@pytest.mark.parametrize(("name", "is_ours"), [("pgboss:0123", True), ("pgboss", True), ("pgbossy", False)])
async def test_it_says_whether_pg_boss_itself_is_it(
    url: str, pool: AsyncDatabase, heard: Heard, name: str, is_ours: bool
) -> None:
    watch = VacuumWatch(pool.run, SCHEMA, heard.events)
    with holding(url, "backends", application_name=name):
        make_dead_rows(url)
        await look_twice(url, watch)
        [warning] = await told(heard)
    assert warning.data["self"] is is_ours


async def test_it_warns_once_until_all_is_well_again(url: str, pool: AsyncDatabase, heard: Heard) -> None:
    watch = VacuumWatch(pool.run, SCHEMA, heard.events)
    with holding(url, "backends"):
        make_dead_rows(url)
        await look_twice(url, watch)
        await look_twice(url, watch)
        await told(heard)
    vacuum(url)
    await watch.run_once()
    with holding(url, "backends"):
        make_dead_rows(url)
        await look_twice(url, watch)
    await told(heard, 2)


async def test_without_a_vacuum_in_between_nothing_has_shown(url: str, pool: AsyncDatabase, heard: Heard) -> None:
    watch = VacuumWatch(pool.run, SCHEMA, heard.events)
    with holding(url, "backends"):
        make_dead_rows(url)
        await watch.run_once()
        await watch.run_once()
    assert (await heard.all()).warnings == []


async def test_without_a_holder_nothing_is_said(url: str, pool: AsyncDatabase, heard: Heard) -> None:
    watch = VacuumWatch(pool.run, SCHEMA, heard.events)
    with holding(url, "backends"):
        make_dead_rows(url)
        vacuum(url)
        await watch.run_once()
        vacuum(url)
    await watch.run_once()
    assert (await heard.all()).warnings == []


async def test_who_came_after_the_vacuum_is_not_the_one(url: str, pool: AsyncDatabase, heard: Heard) -> None:
    watch = VacuumWatch(pool.run, SCHEMA, heard.events)
    with holding(url, "backends"):
        make_dead_rows(url)
        vacuum(url)
        await watch.run_once()
        vacuum(url)
    with holding(url, "backends"):
        await watch.run_once()
    assert (await heard.all()).warnings == []


async def test_autovacuum_that_is_off_is_named(url: str, pool: AsyncDatabase, heard: Heard) -> None:
    sql(url, "ALTER TABLE pgboss.job_common SET (autovacuum_enabled = false)")
    watch = VacuumWatch(pool.run, SCHEMA, heard.events)
    make_dead_rows(url)
    await watch.run_once()
    assert (await heard.all()).warnings == []
    make_dead_rows(url)
    await watch.run_once()
    [warning] = await told(heard)
    assert warning.type == "autovacuum_disabled"
    assert set(warning.data) == {"table", "tables", "liveTuples", "deadTuples", "budget", "vacuumAgeSeconds"}
    assert warning.data["vacuumAgeSeconds"] >= 0

    make_dead_rows(url)
    await watch.run_once()
    await told(heard)


async def test_a_role_that_sees_less_counts_what_it_cannot_see(url: str, heard: Heard) -> None:
    sql(
        url,
        "CREATE ROLE visitor; GRANT USAGE ON SCHEMA pgboss TO visitor;"
        "GRANT SELECT ON ALL TABLES IN SCHEMA pgboss TO visitor",
    )
    try:
        async with as_visitor(url) as visitors:
            watch = VacuumWatch(visitors.run, SCHEMA, heard.events)
            with holding(url, "backends"):
                make_dead_rows(url)
                await look_twice(url, watch)
                [warning] = await told(heard)
            assert warning.data["opaqueBackends"] == 1
            assert warning.data["holderTransactionSeconds"] is None
            assert "our role may not see" in warning.message

            sql(url, "REVOKE SELECT ON pg_stat_replication, pg_prepared_xacts FROM PUBLIC")
            watch = VacuumWatch(visitors.run, SCHEMA, heard.events)
            with holding(url, "backends"):
                make_dead_rows(url)
                await look_twice(url, watch)
                [_, warning] = await told(heard, 2)
            assert warning.data["source"] == "backends"
            assert warning.data["unreadableSources"] == ["standbys", "prepared"]

            sql(url, "REVOKE SELECT ON pg_stat_activity, pg_replication_slots FROM PUBLIC")
            watch = VacuumWatch(visitors.run, SCHEMA, heard.events, instance="me")
            with holding(url, "backends"):
                make_dead_rows(url)
                await look_twice(url, watch)
                await look_twice(url, watch)
                [_, _, warning] = await told(heard, 3)
            assert warning.type == "xmin_horizon"
            assert {**warning.data, "error": None} == {"type": "xmin_horizon", "instance": "me", "error": None}
            assert "permission denied" in warning.data["error"]
    finally:
        sql(url, "DROP OWNED BY visitor; DROP ROLE visitor")


@asynccontextmanager
async def as_visitor(url: str) -> AsyncIterator[AsyncDatabase]:
    async with database(psycopg.conninfo.make_conninfo(url, options="-c role=visitor")) as opened:
        yield opened


async def test_an_instance_watches(url: str, make_boss: BossFactory) -> None:
    warnings: list[Any] = []
    boss = await make_boss(supervise=True, supervise_interval_seconds=1)
    boss.on("warning", warnings.append)

    def vacuumed() -> list[Any]:
        vacuum(url)
        return warnings

    with holding(url, "backends"):
        make_dead_rows(url)
        await eventually(vacuumed, within=15)
    assert [warning.type for warning in warnings] == ["xmin_horizon"]


NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


def seen(name: str, dead: int, minutes: int | None, *, is_vacuumed: bool = True) -> DeadRows:
    vacuumed_on = None if minutes is None else NOON + timedelta(minutes=minutes)
    return DeadRows(name, 100, dead, vacuumed_on, None, 50, 0.2, is_vacuumed)


def test_the_budget_is_the_servers() -> None:
    assert seen("a", 0, None).budget == 70
    history = VacuumHistory()
    assert history.judge([seen("a", 70, 0)]).is_within_budget
    assert not history.judge([seen("a", 71, 0)]).is_within_budget


@pytest.mark.parametrize(
    ("before", "after", "is_stuck"),
    [
        (seen("a", 80, 0), seen("a", 80, 1), True),
        (seen("a", 80, None), seen("a", 81, 1), True),
        (seen("a", 80, 0), seen("a", 79, 1), False),
        (seen("a", 80, 0), seen("a", 99, 0), False),
        (seen("a", 70, 0), seen("a", 99, 1), False),
        (seen("b", 80, 0), seen("a", 80, 1), False),
        (seen("a", 80, 0, is_vacuumed=False), seen("a", 80, 1, is_vacuumed=False), False),
    ],
)
def test_it_takes_a_vacuum_between_two_looks(before: DeadRows, after: DeadRows, is_stuck: bool) -> None:
    history = VacuumHistory()
    assert history.judge([before]).stuck == []
    assert history.judge([after]).stuck == ([after] if is_stuck else [])


@pytest.mark.parametrize(
    ("before", "after", "grows"),
    [
        (seen("a", 80, None, is_vacuumed=False), seen("a", 81, None, is_vacuumed=False), True),
        (seen("a", 80, 0, is_vacuumed=False), seen("a", 81, 0, is_vacuumed=False), True),
        (seen("a", 80, 0, is_vacuumed=False), seen("a", 80, 0, is_vacuumed=False), False),
        (seen("a", 80, 0, is_vacuumed=False), seen("a", 81, 1, is_vacuumed=False), False),
        (seen("a", 80, 0), seen("a", 81, 0), False),
    ],
)
def test_it_takes_growth_without_a_vacuum(before: DeadRows, after: DeadRows, grows: bool) -> None:
    history = VacuumHistory()
    assert history.judge([before]).unvacuumed == []
    assert history.judge([after]).unvacuumed == ([after] if grows else [])


def test_each_warning_has_its_own_end() -> None:
    history = VacuumHistory()
    judgement = history.judge([seen("a", 80, 0), seen("b", 10, 0, is_vacuumed=False)])
    assert (judgement.is_within_budget, judgement.is_within_budget_without) == (False, True)
    judgement = history.judge([seen("a", 10, 0), seen("b", 80, 0, is_vacuumed=False)])
    assert (judgement.is_within_budget, judgement.is_within_budget_without) == (True, False)
