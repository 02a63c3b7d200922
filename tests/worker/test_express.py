"""Express: jobs stay locked while they are worked, and come out as if they had been leased."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from pgboss import ConfigurationError, Discard, Job, PgBoss, Snooze, ValidationError
from support.boss import BossFactory
from support.eventually import eventually
from support.postgres import sql, sql_value
from support.worker_process import WorkerProcess

APP = Path(__file__).with_name("express_app.py")
ACTIVE = "SELECT count(*)::int FROM pgboss.job WHERE state = 'active'"
STATES = "SELECT state::text, count(*)::int AS number FROM pgboss.job GROUP BY state"


def states(url: str) -> dict[str, int]:
    return {row["state"]: row["number"] for row in sql(url, STATES)}


async def all_are(url: str, state: str, number: int) -> None:
    await eventually(lambda: states(url) == {state: number}, within=10)


def normalised(url: str, queue: str) -> list[dict[str, Any]]:
    """The rows of a queue in the order in which they were sent, times as what can be compared of them."""
    rows = sql(
        url,
        """
        SELECT j.*, j.started_on - j.created_on BETWEEN interval '0' AND interval '5 s' AS started,
               j.completed_on - j.started_on BETWEEN interval '0' AND interval '5 s' AS ended,
               j.heartbeat_on = j.started_on AS beaten, j.start_after - j.created_on AS put_off,
               j.keep_until - j.start_after AS kept, j.data->>'n' AS n
          FROM pgboss.job j WHERE j.name = %s ORDER BY n
        """,
        [queue],
    )
    for row in rows:
        for name in (
            "id",
            "name",
            "created_on",
            "started_on",
            "completed_on",
            "heartbeat_on",
            "start_after",
            "keep_until",
        ):
            row[name] = row[name] is not None if name not in ("id", "name") else None
        for name in ("put_off", "kept"):
            row[name] = round(row[name].total_seconds() / 5)
        if isinstance(row["output"], dict):
            row["output"].pop("stack", None)
    return rows


async def everything(job: Job) -> Any:
    match job.data["does"]:
        case "fail":
            raise ValueError("no good")
        case "snooze":
            raise Snooze(30)
        case "discard":
            raise Discard("not wanted")
        case "wait":
            await asyncio.sleep(0.01)
        case _:
            pass
    return {"n": job.data["n"]} if job.data["n"] % 2 else None


async def test_rows_come_out_as_with_leases(boss: PgBoss, database_url: str) -> None:
    does = ["return", "return", "fail", "fail", "snooze", "discard", "wait", "wait"]
    for queue in ("leased", "express"):
        await boss.create_queue(queue, retry_limit=1, retry_delay=20, retry_backoff=False, heartbeat_seconds=30)
        await boss.insert(
            queue, [{"data": {"n": n, "does": what}, "retry_limit": n % 2} for n, what in enumerate(does)]
        )
    await boss.work("leased", everything, concurrency=4)
    await boss.work("express", everything, concurrency=4, express=True)
    await eventually(lambda: sql_value(database_url, f"{ACTIVE} OR started_on IS NULL AND start_after <= now()") == 0)
    await boss.off_work("leased")
    await boss.off_work("express")

    for express, leased in zip(normalised(database_url, "express"), normalised(database_url, "leased"), strict=True):
        assert express == leased
    assert sql_value(database_url, "SELECT count(*)::int FROM pgboss.py_express") == 0


async def test_a_second_attempt_counts_as_with_leases(boss: PgBoss, database_url: str) -> None:
    seen: list[int] = []

    async def handler(job: Job) -> None:
        seen.append(job.retry_count)
        if len(seen) < 3:
            raise ValueError("not yet")

    await boss.create_queue("jobs", retry_limit=2, retry_delay=0, retry_backoff=False)
    await boss.send("jobs", {})
    await boss.work("jobs", handler, express=True)
    await all_are(database_url, "completed", 1)
    assert seen == [0, 1, 2]
    assert sql_value(database_url, "SELECT retry_count FROM pgboss.job") == 2


async def test_while_they_are_worked_jobs_are_not_active_and_nobody_else_gets_them(
    boss: PgBoss, make_boss: BossFactory, database_url: str
) -> None:
    begun, let_on = asyncio.Event(), asyncio.Event()

    async def handler(job: Job) -> None:
        begun.set()
        await let_on.wait()

    await boss.create_queue("jobs")
    id = await boss.send("jobs", {})
    assert id is not None
    await boss.work("jobs", handler, express=True, express_seconds=5)
    await begun.wait()
    assert states(database_url) == {"created": 1}
    other = await make_boss()
    assert await other.fetch("jobs") == []
    cancelling = asyncio.create_task(other.cancel("jobs", id))
    let_on.set()
    assert (await cancelling).affected == 0
    await all_are(database_url, "completed", 1)


async def test_what_takes_too_long_goes_on_with_a_lease_and_what_waits_is_free(
    boss: PgBoss, make_boss: BossFactory, database_url: str
) -> None:
    begun, let_on = asyncio.Event(), asyncio.Event()

    async def handler(job: Job) -> str:
        begun.set()
        if job.data["n"] == 0:
            await let_on.wait()
        return "done"

    await boss.create_queue("jobs", heartbeat_seconds=10)
    await boss.send("jobs", {"n": 0})
    await boss.work("jobs", handler, concurrency=1, express=True, express_seconds=0.2)
    await begun.wait()
    [row] = await eventually(lambda: sql(database_url, "SELECT * FROM pgboss.job WHERE state = 'active'"))
    assert row["heartbeat_on"] > row["started_on"]
    await boss.send("jobs", {"n": 1})
    other = await make_boss()
    [free] = await eventually(lambda: other.fetch("jobs"))
    assert free.data == {"n": 1}
    await other.complete("jobs", free)
    let_on.set()
    await all_are(database_url, "completed", 2)
    assert sql_value(database_url, "SELECT output FROM pgboss.job WHERE data = '{\"n\": 0}'") == {"value": "done"}


async def test_many_jobs_and_two_workers_run_each_job_once(
    boss: PgBoss, make_boss: BossFactory, database_url: str
) -> None:
    ran: list[int] = []

    async def handler(job: Job) -> None:
        ran.append(job.data["n"])

    await boss.create_queue("jobs")
    await boss.insert("jobs", [{"data": {"n": n}} for n in range(3000)])
    other = await make_boss()
    leased = await make_boss()
    for instance in (boss, other):
        await instance.work("jobs", handler, express=True)
    await leased.work("jobs", handler)
    await all_are(database_url, "completed", 3000)
    assert sorted(ran) == list(range(3000))


async def test_over_a_pool_of_asyncpg(make_boss: BossFactory, database_url: str) -> None:
    async def handler(job: Job) -> str:
        if job.data == 3:
            raise ValueError("no good")
        return "done"

    async with asyncpg.create_pool(database_url, min_size=1, max_size=4) as pool:
        boss = await make_boss(pool=pool, pool_size=None)
        await boss.create_queue("jobs", retry_limit=0)
        await boss.insert("jobs", [{"data": n} for n in range(50)])
        await boss.work("jobs", handler, express=True)
        await eventually(lambda: states(database_url) == {"completed": 49, "failed": 1})
        await boss.stop(timeout=5)


async def test_completed_jobs_can_leave_no_row_unless_it_is_needed(boss: PgBoss, database_url: str) -> None:
    async def handler(job: Job) -> str:
        return "done"

    await boss.create_queue("jobs")
    await boss.insert("jobs", [{"data": n} for n in range(10)])
    await boss.send("jobs", "throttled", singleton_seconds=60)
    await boss.flow(
        [
            {"ref": "parent", "name": "jobs", "data": "parent"},
            {"ref": "child", "name": "jobs", "data": "child", "depends_on": ["parent"]},
        ]
    )
    await boss.work("jobs", handler, express=True, delete_on_completion=True)

    def left() -> dict[str, str]:
        return {row["data"]: row["state"] for row in sql(database_url, "SELECT data, state::text FROM pgboss.job")}

    # The child waits for a resolver, which does not run here.
    await eventually(lambda: left() == {"throttled": "completed", "parent": "completed", "child": "created"})


async def test_an_output_that_cannot_be_stored_fails_its_own_job(boss: PgBoss, database_url: str) -> None:
    async def handler(job: Job) -> Any:
        return {"number": 10**140_000} if job.data == 3 else "done"

    await boss.create_queue("jobs", retry_limit=0)
    await boss.insert("jobs", [{"data": n} for n in range(6)])
    await boss.work("jobs", handler, concurrency=10, express=True)
    await eventually(lambda: states(database_url) == {"completed": 5, "failed": 1})


async def test_a_lost_connection_frees_the_jobs_and_counts_the_attempt(boss: PgBoss, database_url: str) -> None:
    seen: list[int] = []
    let_on = asyncio.Event()

    async def handler(job: Job) -> None:
        seen.append(job.retry_count)
        if len(seen) == 1:
            await let_on.wait()

    await boss.create_queue("jobs", retry_limit=1)
    await boss.send("jobs", {})
    await boss.work("jobs", handler, express=True, express_seconds=5)
    await eventually(lambda: seen == [0])
    sql(
        database_url,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() "
        "AND state = 'idle in transaction'",
    )
    let_on.set()
    await all_are(database_url, "completed", 1)
    assert seen == [0, 1]
    assert sql_value(database_url, "SELECT retry_count FROM pgboss.job") == 1


async def test_a_stop_writes_what_runs_and_leaves_the_rest_free(make_boss: BossFactory, database_url: str) -> None:
    begun = asyncio.Event()
    let_on = asyncio.Event()

    async def handler(job: Job) -> None:
        begun.set()
        await let_on.wait()

    boss = await make_boss()
    await boss.create_queue("jobs")
    await boss.insert("jobs", [{"data": n} for n in range(5)])
    await boss.work("jobs", handler, concurrency=2, express=True, express_seconds=5)
    await begun.wait()
    stopping = asyncio.create_task(boss.stop(timeout=5))
    let_on.set()
    await stopping
    assert states(database_url) == {"completed": 2, "created": 3}
    assert sql_value(database_url, "SELECT count(*)::int FROM pgboss.py_express") == 0


async def test_a_stop_fails_what_overruns_it(make_boss: BossFactory, database_url: str) -> None:
    begun = asyncio.Event()

    async def handler(job: Job) -> None:
        begun.set()
        await asyncio.Event().wait()

    boss = await make_boss()
    await boss.create_queue("jobs", retry_limit=0)
    await boss.send("jobs", {})
    await boss.work("jobs", handler, express=True, express_seconds=5)
    await begun.wait()
    await boss.stop(timeout=0)
    assert states(database_url) == {"failed": 1}


async def test_a_killed_process_frees_its_jobs_at_once(boss: PgBoss, database_url: str) -> None:
    async with WorkerProcess(database_url, app=APP) as process:
        await boss.insert("express", [{"data": {"seconds": 60}} for _ in range(3)])
        await process.said("BEGAN")
        process.signal(signal.SIGKILL)
        await process.exit_code()
    assert await eventually(lambda: boss.fetch("express", batch_size=3), within=2)


async def test_a_job_that_kills_its_process_fails_after_its_attempts(boss: PgBoss, database_url: str) -> None:
    """And those that were with it are done."""
    runs = 0
    killer = None
    for _ in range(3):
        # The later ones may begin it before they say that they are ready, and that line counts, too.
        async with WorkerProcess(database_url, app=APP, is_ready=killer is None) as process:
            if killer is None:
                await boss.insert("express", [{"data": {"n": n}} for n in range(10)])
                killer = await boss.send("express", {"kills": True, "seconds": 0.5})
            assert await process.exit_code() == 3
            runs += sum(str(killer) in line for line in await process.all_said("BEGAN"))
        # What was worked with a lease loses it.
        sql(database_url, "UPDATE pgboss.job SET heartbeat_on = now() - interval '1 day' WHERE state = 'active'")
        await boss.supervise()
    async with WorkerProcess(database_url, app=APP) as process:
        await eventually(lambda: states(database_url) == {"completed": 10, "failed": 1})
        process.signal(signal.SIGTERM)
        assert await process.exit_code() == 0
        runs += sum(str(killer) in line for line in await process.all_said("BEGAN"))
    assert runs == 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 5}, "express=True and batch_size exclude each other"),
        ({"transactional": True}, "express=True and transactional exclude each other"),
        ({"executor": "process"}, "express=True and executor exclude each other"),
        ({"group_concurrency": 1}, "express=True and group_concurrency exclude each other"),
        ({"local_group_concurrency": 1}, "express=True and local_group_concurrency exclude each other"),
        ({"express_seconds": 6}, "express_seconds must be at most 5, not 6"),
        ({"express": False, "express_seconds": 1}, "express_seconds is for workers with express=True"),
        ({"express": False, "delete_on_completion": True}, "delete_on_completion is for workers with express=True"),
    ],
)
async def test_what_does_not_go_together_is_refused(boss: PgBoss, options: dict[str, Any], message: str) -> None:
    def handler(job: Job) -> None: ...

    await boss.create_queue("jobs")
    with pytest.raises(ValidationError, match=message):
        await boss.work("jobs", handler, **{"express": True} | options)


async def test_queues_with_a_policy_are_refused(boss: PgBoss) -> None:
    async def handler(job: Job) -> None: ...

    await boss.create_queue("jobs", policy="singleton")
    with pytest.raises(ValidationError, match="'jobs' has the policy 'singleton'"):
        await boss.work("jobs", handler, express=True)


async def test_a_pool_of_one_is_refused(make_boss: BossFactory) -> None:
    async def handler(job: Job) -> None: ...

    boss = await make_boss(pool_size=1)
    await boss.create_queue("jobs")
    with pytest.raises(ConfigurationError, match="a pool of two connections at least, and this one has 1"):
        await boss.work("jobs", handler, express=True)
