"""Room to work is found again whatever took it away: nothing may put a worker to sleep for good, or let it hoard."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from select import select
from typing import Any
from uuid import UUID

import psycopg
import pytest

from pgboss import Job, PgBoss
from pgboss.core.names import SchemaName
from pgboss.drivers.psycopg import Ahead, Listener
from support.ahead import is_ready
from support.boss import BossFactory, is_listening
from support.eventually import eventually
from support.postgres import sql

BACKLOG_LIMIT = 4000


def states(url: str) -> Counter[str]:
    return Counter(row["state"] for row in sql(url, "SELECT state::text FROM pgboss.job"))


async def test_a_lost_lease_frees_its_slot(make_boss: BossFactory, database_url: str) -> None:
    """Nobody announces the next job: the worker itself must know that it has room again."""
    begun: list[object] = []

    async def handler(job: Job) -> None:
        begun.append(job.data)
        if job.data == "lost":
            await asyncio.sleep(60)

    boss = await make_boss(listen=False)
    await boss.create_queue("jobs")
    await boss.insert("jobs", [{"data": "lost", "priority": 1}, {"data": "next"}])
    sql(database_url, "UPDATE pgboss.job SET heartbeat_seconds = 1")
    await boss.work("jobs", handler, concurrency=1)
    await eventually(lambda: begun)
    sql(database_url, "UPDATE pgboss.job SET state = 'cancelled' WHERE priority = 1")

    await eventually(lambda: begun == ["lost", "next"])


async def test_a_handler_that_cancels_itself_fails_its_job(boss: PgBoss, database_url: str) -> None:
    async def handler(job: Job) -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await asyncio.sleep(60)

    await boss.create_queue("jobs", retry_limit=0)
    await boss.send("jobs")
    await boss.work("jobs", handler, concurrency=1)

    await eventually(lambda: states(database_url) == {"failed": 1})


async def test_jobs_that_slow_ones_keep_waiting_go_to_whoever_has_room(
    make_boss: BossFactory, database_url: str
) -> None:
    """A worker of quick jobs claims ahead; then two slow ones take its slots."""
    busy, release = asyncio.Event(), asyncio.Event()
    elsewhere: list[object] = []

    async def handler(job: Job) -> None:
        if job.data == "slow":
            busy.set()
            await release.wait()

    async def other_handler(job: Job) -> None:
        elsewhere.append(job.id)

    boss, other = await make_boss(), await make_boss()
    await boss.create_queue("jobs")
    quick, slow, behind = ([{"data": data, "priority": n}] for n, data in ((2, "quick"), (1, "slow"), (0, "behind")))
    await boss.insert("jobs", [*quick * 200, *slow * 2, *behind * 300])
    await boss.work("jobs", handler, concurrency=2)
    await busy.wait()
    assert states(database_url)["active"] > 2
    await other.work("jobs", other_handler, concurrency=2)

    await eventually(lambda: states(database_url) == {"completed": 500, "active": 2})
    assert elsewhere
    release.set()


@pytest.mark.slow
async def test_a_queue_is_worked_again_when_the_results_of_another_have_been_written(
    make_boss: BossFactory, database_url: str
) -> None:
    """Too many unwritten results keep every worker from claiming, those of other queues too."""
    worked: Counter[str] = Counter()
    begun: list[Job] = []
    held = asyncio.Event()

    async def handler(job: Job) -> None:
        begun.append(job)
        await held.wait()
        worked[job.name] += 1

    boss = await make_boss(listen=False)
    await boss.create_queue("many", notify=False)
    await boss.create_queue("few", notify=False)
    await boss.insert("many", [{}] * (BACKLOG_LIMIT + 500))
    await boss.send("few")
    async with await psycopg.AsyncConnection.connect(database_url) as blocker:
        await boss.work("many", handler, concurrency=100)
        await eventually(lambda: begun)
        # Whatever statement settles this job waits, and all results after it.
        await blocker.execute("SELECT FROM pgboss.job WHERE id = %s FOR UPDATE", [begun[0].id])
        held.set()
        await eventually(lambda: worked["many"] >= BACKLOG_LIMIT, within=20)
        await boss.work("few", handler)
        await blocker.rollback()

        await eventually(lambda: worked["few"])


async def test_a_notification_during_an_empty_claim_is_not_forgotten(make_boss: BossFactory, database_url: str) -> None:
    """The claim cannot see a job that is younger than itself; the next one must."""
    done = asyncio.Event()

    async def handler(job: Job) -> None:
        done.set()

    boss = await make_boss(polling_interval_seconds=60)
    await boss.create_queue("jobs")
    await boss.send("jobs", start_after=3600)  # something for the claim to look at
    await boss.work("jobs", handler)
    await eventually(lambda: is_listening(boss))
    make_claims_slow(database_url)
    notify(database_url)
    await eventually(lambda: is_claiming_slowly(database_url))
    sql(database_url, "INSERT INTO pgboss.job (name) VALUES ('jobs')")
    notify(database_url)

    async with asyncio.timeout(5):
        await done.wait()


def make_claims_slow(url: str) -> None:
    """Have each claim that finds a job to look at take 0.3 s, which changes nothing about what it sees."""
    sql(
        url,
        "CREATE OR REPLACE FUNCTION pgboss.job_now() RETURNS timestamptz LANGUAGE plpgsql STABLE AS "
        "$$ BEGIN PERFORM pg_sleep(0.3); RETURN now(); END $$",
    )


def is_claiming_slowly(url: str) -> bool:
    return bool(
        sql(url, "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'")
    )


CLAIMS = """
    SELECT pid FROM pg_stat_activity
     WHERE wait_event_type = 'Lock' AND datname = current_database() AND query LIKE '%WITH next AS MATERIALIZED%'
"""


async def nothing(job: Job) -> None:
    return None


async def arm(boss: PgBoss, url: str, handler: Callable[[Job], Awaitable[None]] = nothing) -> UUID:
    """Have a worker asleep whose next claim will begin with the notification; returns its id."""
    await boss.create_queue("jobs")
    worker = await boss.work("jobs", handler, concurrency=5)
    await eventually(lambda: is_listening(boss))
    # Some jobs go all the way: then it is known what the next claim will be, and it is prepared.
    while not is_ready(armed(boss)):
        await work_one(boss, url)
    sql(url, "DELETE FROM pgboss.job")
    return worker


async def begin_ahead(boss: PgBoss, url: str, blocker: psycopg.AsyncConnection[Any]) -> int:
    """Have a worker asleep, and its next claim begun by a notification; returns the process that it waits in."""
    await arm(boss, url)
    return await begin_claim(url, blocker)


async def begin_claim(url: str, blocker: psycopg.AsyncConnection[Any]) -> int:
    """Have a notification make a worker claim; returns the process in which the claim waits for the blocker."""
    await blocker.execute("LOCK TABLE pgboss.job_common IN ACCESS EXCLUSIVE MODE")
    notify(url)
    [claim] = await eventually(lambda: sql(url, CLAIMS))
    return int(claim["pid"])


async def work_one(boss: PgBoss, url: str) -> None:
    await boss.send("jobs")
    await eventually(lambda: states(url).keys() == {"completed"})
    await asyncio.sleep(0)


def armed(boss: PgBoss) -> Ahead[Any] | None:
    listener = listener_of(boss)
    return listener._armed.get("jobs") if listener else None


def sent(boss: PgBoss) -> Ahead[Any]:
    listener = listener_of(boss)
    assert listener is not None
    assert listener._sent is not None
    return listener._sent


def listener_of(boss: PgBoss) -> Listener | None:
    hearing = boss._crew and boss._crew._hearing
    return hearing._listener if hearing else None


async def test_a_claim_that_has_begun_is_seen_to_its_end(make_boss: BossFactory, database_url: str) -> None:
    """What it has claimed goes back, although its worker is over by then."""
    boss = await make_boss(polling_interval_seconds=60)
    async with await psycopg.AsyncConnection.connect(database_url) as blocker:
        await begin_ahead(boss, database_url, blocker)
        leaving = asyncio.create_task(boss.off_work("jobs"))
        await blocker.execute("INSERT INTO pgboss.job (name) VALUES ('jobs')")
        await blocker.commit()
        await leaving
    assert states(database_url) == {"created": 1}


async def test_a_claim_that_has_begun_is_cancelled_by_a_hurried_stop(make_boss: BossFactory, database_url: str) -> None:
    """The server would carry it out, and nobody would know of its jobs."""
    boss = await make_boss(polling_interval_seconds=60)
    async with await psycopg.AsyncConnection.connect(database_url) as blocker:
        await begin_ahead(boss, database_url, blocker)
        await blocker.execute("INSERT INTO pgboss.job (name) VALUES ('jobs')")
        await boss.stop(timeout=0)
        await eventually(lambda: not sql(database_url, CLAIMS))
        await blocker.commit()
    assert states(database_url) == {"created": 1}


async def test_what_a_claim_brings_during_a_hurried_stop_goes_back(make_boss: BossFactory, database_url: str) -> None:
    """Its worker waits for it no longer."""
    held = asyncio.Event()

    async def handler(job: Job) -> None:
        if job.data == "held":
            held.set()
            await asyncio.sleep(60)

    boss = await make_boss(polling_interval_seconds=60)
    await arm(boss, database_url, handler)
    await boss.send("jobs", "held", retry_limit=0)
    await held.wait()
    while not is_ready(armed(boss)):
        await boss.send("jobs", "other")
        await eventually(lambda: states(database_url) == {"active": 1, "completed": 1})
        sql(database_url, "DELETE FROM pgboss.job WHERE state = 'completed'")
    async with await psycopg.AsyncConnection.connect(database_url) as blocker:
        await begin_claim(database_url, blocker)
        claim, crew = sent(boss), boss._crew
        assert crew is not None
        await blocker.execute("INSERT INTO pgboss.job (name) VALUES ('jobs')")
        stopping = asyncio.create_task(boss.stop(timeout=0))
        # The handler is failed when nobody waits for claims any more; that cannot be written before the table is free.
        await eventually(lambda: crew.settler_backlog)
        assert claim.is_under_way
        await blocker.commit()
        await stopping
    assert states(database_url) == {"created": 1, "failed": 1}


async def test_a_claim_whose_connection_is_lost_is_made_anew(make_boss: BossFactory, database_url: str) -> None:
    boss = await make_boss(polling_interval_seconds=60)
    async with await psycopg.AsyncConnection.connect(database_url) as blocker:
        process = await begin_ahead(boss, database_url, blocker)
        await blocker.execute("INSERT INTO pgboss.job (name) VALUES ('jobs')")
        sql(database_url, "SELECT pg_terminate_backend(%s)", [process])
        await eventually(lambda: process not in {row["pid"] for row in sql(database_url, CLAIMS)})
        await blocker.commit()
        await eventually(lambda: states(database_url) == {"completed": 1})


async def test_a_slow_claim_holds_back_the_notifications_of_others_once(
    make_boss: BossFactory, database_url: str
) -> None:
    """While a claim runs on the connection that listens, nothing is heard: later claims leave it alone."""
    boss = await make_boss(polling_interval_seconds=60)
    async with await psycopg.AsyncConnection.connect(database_url) as blocker:
        slow = await begin_ahead(boss, database_url, blocker)
        await blocker.execute("SELECT pg_sleep(0.3)")
        await blocker.commit()
        await work_one(boss, database_url)
        assert armed(boss) is None
        assert await begin_claim(database_url, blocker) != slow
        await blocker.commit()


async def test_a_claim_that_has_begun_does_not_stand_for_one_that_somebody_asked_for_later(
    make_boss: BossFactory, database_url: str
) -> None:
    """The job of whoever asked may be too young for the claim that was sent the moment before."""
    boss = await make_boss(polling_interval_seconds=60)
    worker = await arm(boss, database_url)
    sql(database_url, "INSERT INTO pgboss.job (name, start_after) VALUES ('jobs', now() + interval '1 hour')")
    make_claims_slow(database_url)
    listener, loop = listener_of(boss), asyncio.get_running_loop()
    assert listener is not None
    descriptor = await eventually(lambda: listener._descriptor)
    notify(database_url)
    assert armed(boss)
    select([descriptor], [], [], 5)
    # The loop reads the notification in its next round, after this, and the worker wakes up in the one after that.
    loop.call_soon(loop.call_soon, boss.notify_worker, worker)
    await eventually(lambda: is_claiming_slowly(database_url))
    sql(database_url, "INSERT INTO pgboss.job (name) VALUES ('jobs')")
    await eventually(lambda: states(database_url) == {"created": 1, "completed": 1})


def notify(url: str) -> None:
    sql(url, "SELECT pg_notify(%s, 'jobs')", [SchemaName().channel])
