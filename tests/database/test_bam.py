"""Running the commands that migrations have put off: docs/compatibility.md, "Index builds in the background"."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from itertools import pairwise
from typing import Any

import asyncpg
import psycopg
import pytest

from drivers.callers import parts
from pgboss import PgBoss, SyncPgBoss
from pgboss.core.bam import index_built_by, outlives_client
from pgboss.core.names import Lock
from pgboss.drivers.alone import Alone
from pgboss.drivers.asyncpg import AsyncpgDatabase
from pgboss.drivers.psycopg import AsyncDatabase, Database
from pgboss.maintenance import BamRunner
from pgboss.operations import bam
from support.boss import BossFactory
from support.eventually import eventually
from support.postgres import sql, sql_value
from support.put_off import Heard, bam_rows, holding_up_builds, put_off, running
from support.upkeep import SCHEMA, database

BUILD = "CREATE INDEX CONCURRENTLY IF NOT EXISTS built ON pgboss.job_common (created_on)"


@pytest.fixture
def url(database_url: str) -> str:
    """A database with pg-boss in it, and nobody at work."""
    with SyncPgBoss(database_url):
        return database_url


@pytest.fixture
async def heard() -> AsyncIterator[Heard]:
    async with Heard() as listening:
        yield listening


@pytest.fixture
async def pool(url: str) -> AsyncIterator[AsyncDatabase]:
    async with database(url) as opened:
        yield opened


def runner_of(pool: Alone, heard: Heard) -> BamRunner:
    return BamRunner(pool, SCHEMA, heard.events, interval_seconds=0)


def validity(url: str, index: str) -> bool | None:
    found: bool | None = sql_value(
        url,
        "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('pgboss.' || quote_ident(%s))",
        [index],
    )
    return found


def statuses(url: str) -> list[str]:
    return [row["status"] for row in bam_rows(url)]


async def test_what_waits_is_run_in_order_and_told(url: str, pool: AsyncDatabase, heard: Heard) -> None:
    for number in range(3):
        put_off(url, f"CREATE INDEX CONCURRENTLY built_{number} ON pgboss.job_common (created_on)", name=f"b{number}")
    put_off(url, "DROP INDEX CONCURRENTLY pgboss.built_0", name="dropping", queue="mail")

    await runner_of(pool, heard).run_once()

    assert await heard.statuses() == ["in_progress", "completed"] * 4
    assert [event.name for event in heard.bam[::2]] == ["b0", "b1", "b2", "dropping"]
    assert heard.bam[-1].queue == "mail"
    rows = bam_rows(url)
    assert [row["status"] for row in rows] == ["completed"] * 4
    assert all(a["completed_on"] <= b["started_on"] for a, b in pairwise(rows))
    assert [validity(url, f"built_{number}") for number in range(3)] == [None, True, True]
    assert (await heard.all()).errors == []


async def test_a_turn_is_for_all_instances(url: str, pool: AsyncDatabase, heard: Heard) -> None:
    put_off(url, BUILD)
    sql(url, "UPDATE pgboss.version SET bam_on = now() - interval '59 seconds'")
    runner = BamRunner(pool, SCHEMA, heard.events, interval_seconds=60)

    await runner.run_once()
    assert statuses(url) == ["pending"]

    sql(url, "UPDATE pgboss.version SET bam_on = now() - interval '60 seconds'")
    await runner.run_once()
    assert statuses(url) == ["completed"]


async def test_what_fails_is_written_and_told_and_waits_for_the_next_turn(
    url: str, pool: AsyncDatabase, heard: Heard
) -> None:
    failing = put_off(url, "SELECT 1 / 0", name="failing", table="warning")
    put_off(url, "SELECT 1", name="behind it", table="warning")
    put_off(url, "SELECT 1", name="of another version", table="warning", version=45)
    put_off(url, "SELECT 1", name="elsewhere")
    runner = runner_of(pool, heard)

    await runner.run_once()

    assert statuses(url) == ["failed", "pending", "completed", "completed"]
    [row] = sql(url, "SELECT * FROM pgboss.bam WHERE id = %s", [failing])
    assert row["error"] == "error: division by zero"
    assert row["completed_on"] >= row["started_on"]
    assert (await heard.statuses())[:2] == ["in_progress", "failed"]
    assert heard.bam[1].error == "error: division by zero"
    [told] = heard.errors
    assert "division by zero" in str(told.error)

    await runner.run_once()
    assert statuses(url) == ["failed", "pending", "completed", "completed"]
    assert len((await heard.all()).errors) == 2

    sql(url, "UPDATE pgboss.bam SET command = 'SELECT 1' WHERE id = %s", [failing])
    await runner.run_once()
    assert statuses(url) == ["completed"] * 4
    assert [row["error"] for row in bam_rows(url)] == [None] * 4


async def test_one_command_in_progress_keeps_all_others_waiting(url: str, pool: AsyncDatabase, heard: Heard) -> None:
    put_off(url, "SELECT 1", status="in_progress", started_on="now", table="queue")
    put_off(url, BUILD)

    await runner_of(pool, heard).run_once()

    assert statuses(url) == ["in_progress", "pending"]


@pytest.mark.parametrize(("minutes", "is_locked", "status"), [(4, False, "in_progress"), (6, True, "in_progress")])
async def test_a_command_is_not_forsaken_too_early(
    url: str, pool: AsyncDatabase, heard: Heard, minutes: int, is_locked: bool, status: str
) -> None:
    put_off(url, BUILD, status="in_progress")
    sql(url, f"UPDATE pgboss.bam SET started_on = now() - interval '{minutes} minutes'")
    with psycopg.connect(url) as builder:
        if is_locked:
            builder.execute("LOCK TABLE pgboss.job_common IN SHARE UPDATE EXCLUSIVE MODE")
        await runner_of(pool, heard).run_once()

    assert statuses(url) == [status]


async def test_a_forsaken_command_is_taken_over(url: str, pool: AsyncDatabase, heard: Heard) -> None:
    put_off(url, BUILD, status="in_progress")
    sql(url, "UPDATE pgboss.bam SET started_on = now() - interval '6 minutes'")

    await runner_of(pool, heard).run_once()

    assert statuses(url) == ["completed"]
    assert validity(url, "built") is True


async def test_an_index_that_is_there_is_not_built_again(url: str, pool: AsyncDatabase, heard: Heard) -> None:
    sql(url, BUILD)
    before = sql_value(url, "SELECT 'pgboss.built'::regclass::oid")
    put_off(url, BUILD.replace("IF NOT EXISTS ", ""), status="failed", error="lost", completed_on="now")

    await runner_of(pool, heard).run_once()

    assert statuses(url) == ["completed"]
    assert bam_rows(url)[0]["error"] is None
    assert sql_value(url, "SELECT 'pgboss.built'::regclass::oid") == before


def leave_half_an_index(url: str) -> None:
    """An index that is invalid, as a build leaves it that has failed."""
    sql(url, "CREATE TABLE pgboss.twice AS SELECT 1 AS n UNION ALL SELECT 1")
    with pytest.raises(psycopg.errors.UniqueViolation):
        sql(url, "CREATE UNIQUE INDEX CONCURRENTLY built ON pgboss.twice (n)")
    sql(url, "DELETE FROM pgboss.twice")
    assert validity(url, "built") is False


async def test_half_an_index_is_dropped_and_built_anew(url: str, pool: AsyncDatabase, heard: Heard) -> None:
    leave_half_an_index(url)
    command = "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS built ON pgboss.twice (n)"
    put_off(url, command, table="twice", status="failed")

    await runner_of(pool, heard).run_once()

    assert statuses(url) == ["completed"]
    assert validity(url, "built") is True


async def test_an_index_that_is_still_invalid_fails_its_command(url: str, pool: AsyncDatabase, heard: Heard) -> None:
    leave_half_an_index(url)
    command = "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS built ON pgboss.twice (n)"
    put_off(url, command, table="twice")
    runner = runner_of(pool, heard)

    await runner.run_once()
    [row] = bam_rows(url)
    assert (row["status"], row["error"]) == ("failed", "Error: The index built is still invalid after its build.")

    await runner.run_once()
    assert statuses(url) == ["completed"]
    assert validity(url, "built") is True


# The times in the rows are those at which a transaction began, which may then have waited for its turn.
NOTE_CHANGES = """
    CREATE TABLE public.bam_changes (status text, at timestamptz DEFAULT clock_timestamp());
    CREATE FUNCTION public.note_change() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN INSERT INTO public.bam_changes (status) VALUES (NEW.status); RETURN NEW; END $$;
    CREATE TRIGGER note_change BEFORE UPDATE ON pgboss.bam FOR EACH ROW EXECUTE FUNCTION public.note_change();
"""


async def test_several_instances_run_one_command_at_a_time(url: str, heard: Heard) -> None:
    for number in range(6):
        put_off(url, f"CREATE INDEX CONCURRENTLY built_{number} ON pgboss.job_common (created_on)")
    sql(url, NOTE_CHANGES)
    async with database(url) as first, database(url) as second:
        runners = [runner_of(pool, heard) for pool in (first, first, second)]
        while {*statuses(url)} != {"completed"}:
            await asyncio.gather(*(runner.run_once() for runner in runners))

    changes = [row["status"] for row in sql(url, "SELECT status FROM public.bam_changes ORDER BY at")]
    assert changes == ["in_progress", "completed"] * 6
    assert len(await heard.statuses()) == 12


async def test_the_claim_waits_for_another_one(url: str, pool: AsyncDatabase) -> None:
    put_off(url, BUILD)
    key = SCHEMA.lock_key(sql_value(url, "SELECT current_database()"), Lock.BAM_CLAIM)
    with psycopg.connect(url) as other:
        other.execute("SELECT pg_advisory_xact_lock(%s)", [key])
        claiming = asyncio.create_task(pool.run(bam.claim(SCHEMA)))
        await eventually(lambda: running(url, "pg_advisory_xact_lock"))
        assert not claiming.done()
        other.execute("UPDATE pgboss.bam SET status = 'in_progress', started_on = now()")
    assert await claiming is None


@pytest.fixture(params=["psycopg", "asyncpg"])
async def any_pool(request: pytest.FixtureRequest, url: str) -> AsyncIterator[Alone]:
    if request.param == "psycopg":
        async with database(url) as opened:
            yield opened
    else:
        async with asyncpg.create_pool(**parts(url, database="database"), min_size=1, max_size=3) as given:
            yield AsyncpgDatabase(url, given)


async def test_a_build_that_is_left_goes_on_and_is_found_by_the_next(url: str, any_pool: Alone, heard: Heard) -> None:
    put_off(url, BUILD)
    async with holding_up_builds(url):
        turn = asyncio.create_task(runner_of(any_pool, heard).run_once())
        await eventually(lambda: running(url, BUILD))
        turn.cancel()
        await asyncio.wait([turn])

        assert turn.cancelled()
        assert running(url, BUILD) == 1
        assert statuses(url) == ["in_progress"]
        sql(url, "UPDATE pgboss.bam SET started_on = now() - interval '6 minutes'")
        await runner_of(any_pool, heard).run_once()
        assert statuses(url) == ["in_progress"], "the build still holds its lock"

    await eventually(lambda: validity(url, "built"))
    await eventually(lambda: running(url, BUILD) == 0)
    await runner_of(any_pool, heard).run_once()
    assert statuses(url) == ["completed"]
    assert await heard.statuses() == ["in_progress", "in_progress", "completed"]
    assert (await heard.all()).errors == []


async def test_any_other_command_is_cancelled(url: str, any_pool: Alone, heard: Heard) -> None:
    put_off(url, "SELECT pg_sleep(600)")
    turn = asyncio.create_task(runner_of(any_pool, heard).run_once())
    await eventually(lambda: running(url, "pg_sleep"))
    turn.cancel()
    await asyncio.wait([turn])

    assert turn.cancelled()
    await eventually(lambda: running(url, "pg_sleep") == 0)
    [row] = bam_rows(url)
    assert (row["status"], row["error"]) == ("failed", "Error: the instance that ran it was stopped.")
    assert (await heard.all()).errors == []


async def test_a_command_that_was_not_begun_goes_back(url: str, heard: Heard) -> None:
    put_off(url, BUILD)
    async with database(url, pool_size=1) as small, OneConnection(small) as busy:
        claim = await busy.claim()
        command = asyncio.create_task(busy.attend(claim, heard))
        await eventually(lambda: heard.bam)
        command.cancel()
        busy.free()
        await asyncio.wait([command])
    assert statuses(url) == ["pending"]
    assert bam_rows(url)[0]["started_on"] is None


async def test_a_backend_that_is_killed_fails_its_command(url: str, pool: AsyncDatabase, heard: Heard) -> None:
    put_off(url, "SELECT pg_sleep(600)")
    turn = asyncio.create_task(runner_of(pool, heard).run_once())
    await eventually(lambda: running(url, "pg_sleep"))
    sql(
        url,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE query LIKE '%pg_sleep%' AND pid <> pg_backend_pid()",
    )
    await turn

    [row] = bam_rows(url)
    assert row["status"] == "failed"
    assert len((await heard.all()).errors) == 1


async def test_an_instance_runs_what_waits_and_is_left_when_it_stops(
    url: str, make_boss: BossFactory, heard: Heard
) -> None:
    first = put_off(url, BUILD)
    boss: PgBoss = await make_boss()
    boss.on("bam", heard.bam.append)
    await eventually(lambda: statuses(url) == ["completed"])
    await boss.stop()

    put_off(url, "SELECT pg_sleep(600)")
    sql(url, "UPDATE pgboss.version SET bam_on = NULL")
    await boss.start()
    await eventually(lambda: running(url, "pg_sleep"))
    await boss.stop(timeout=0)
    assert statuses(url) == ["completed", "failed"]
    assert first == bam_rows(url)[0]["id"]


async def test_a_stop_gives_a_command_its_time(url: str, make_boss: BossFactory) -> None:
    boss = await make_boss()
    await boss.stop()
    put_off(url, BUILD)
    sql(url, "UPDATE pgboss.version SET bam_on = NULL")
    async with holding_up_builds(url):
        await boss.start()
        await eventually(lambda: running(url, BUILD))
        stopping = asyncio.create_task(boss.stop(timeout=30))
        await eventually(lambda: boss._builds is None)
    await stopping
    assert statuses(url) == ["completed"]


async def test_without_leave_to_migrate_nothing_is_run(url: str, make_boss: BossFactory) -> None:
    put_off(url, BUILD)
    boss = await make_boss(migrate=False)
    await boss.stop()
    assert statuses(url) == ["pending"]
    assert sql_value(url, "SELECT bam_on FROM pgboss.version") is None


def test_running_what_waits_without_asyncio(url: str) -> None:
    put_off(url, "SELECT 1 / 0", table="warning")
    put_off(url, BUILD)
    alone = Database(url, pool_size=1)
    alone.open()
    try:
        outcomes = []
        while (outcome := alone.run(bam.run_next(SCHEMA, pending_only=True))) is not None:
            outcomes.append(outcome)
    finally:
        alone.close()
    assert [outcome.error is None for outcome in outcomes] == [False, True]
    assert statuses(url) == ["failed", "completed"]


@pytest.mark.parametrize(
    ("command", "index"),
    [
        ("CREATE INDEX CONCURRENTLY built ON s.t (a)", "built"),
        ("\n  create unique index concurrently if not exists Built_1 on s.t (a)", "built_1"),
        ('CREATE INDEX CONCURRENTLY "Of ""mine""" ON s.t (a)', 'Of "mine"'),
        ("CREATE INDEX CONCURRENTLY ON s.t (a)", None),
        ("CREATE INDEX built ON s.t (a)", None),
        ("DROP INDEX CONCURRENTLY built", None),
        ("ALTER TABLE t ADD a int", None),
    ],
)
def test_which_index_a_command_builds(command: str, index: str | None) -> None:
    assert index_built_by(command) == index


@pytest.mark.parametrize(
    ("command", "does"),
    [
        ("/* pgboss bam x */\nCREATE INDEX CONCURRENTLY built ON s.t (a)", True),
        ("\n drop  index concurrently if exists built", True),
        ("REINDEX INDEX CONCURRENTLY built", True),
        ("CREATE INDEX built ON s.t (a)", False),
        ("SELECT 'CREATE INDEX CONCURRENTLY'", False),
    ],
)
def test_what_outlives_its_client(command: str, does: bool) -> None:
    assert outlives_client(command) is does


class OneConnection:
    """A pool of one connection that is taken, so that a command cannot begin."""

    def __init__(self, pool: AsyncDatabase) -> None:
        self._pool = pool
        self._free = asyncio.Event()
        self._holder: asyncio.Task[None] | None = None

    async def __aenter__(self) -> OneConnection:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.free()
        if self._holder is not None:
            await self._holder

    async def claim(self) -> Any:
        claim = await self._pool.run(bam.claim(SCHEMA))
        taken = asyncio.Event()

        async def hold() -> None:
            async with self._pool.alone():
                taken.set()
                await self._free.wait()

        self._holder = asyncio.create_task(hold())
        await taken.wait()
        return claim

    async def attend(self, claim: Any, heard: Heard) -> None:
        await runner_of(self._pool, heard)._attend(claim)

    def free(self) -> None:
        self._free.set()
