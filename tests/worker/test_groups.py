"""Groups: how many jobs of one run at once, in this process or anywhere, and that nobody else waits for them."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from typing import Any

import pytest

from pgboss import Job, Jobs, PgBoss, ValidationError
from support.boss import BossFactory
from support.eventually import eventually
from support.postgres import sql, sql_value


class Groups:
    """Counts the jobs of each group that are being worked, and the most there ever were."""

    def __init__(self) -> None:
        self.now: Counter[str] = Counter()
        self.most: Counter[str] = Counter()
        self.seen: list[Any] = []

    def enter(self, job: Job) -> None:
        group = job.group_id or "none"
        self.seen.append(job.data)
        self.now[group] += 1
        self.most[group] = max(self.most[group], self.now[group])

    def leave(self, job: Job) -> None:
        self.now[job.group_id or "none"] -= 1


async def send(boss: PgBoss, count: int, group: str | None, tier: str | None = None) -> None:
    options: dict[str, Any] = {}
    if group is not None:
        options["group_id"] = group
    if tier is not None:
        options["group_tier"] = tier
    await boss.insert("jobs", [{"data": number, **options} for number in range(count)])


async def all_completed(boss: PgBoss) -> bool:
    return {job.state for job in await boss.find_jobs("jobs")} == {"completed"}


@pytest.mark.parametrize("option", ["group_concurrency", "local_group_concurrency"])
async def test_groups_do_not_run_beyond_their_limit_and_hold_up_nobody(boss: PgBoss, option: Any) -> None:
    groups = Groups()
    # Those of no group wait for one another, so that a limit for them would hold them up for ever.
    together = asyncio.Event()

    async def handler(job: Job) -> None:
        groups.enter(job)
        if groups.now["none"] > 2:
            together.set()
        await (together.wait() if job.group_id is None else asyncio.sleep(0.002))
        groups.leave(job)

    await boss.create_queue("jobs")
    await send(boss, 30, "a")
    await send(boss, 10, "b")
    await send(boss, 10, None)
    await boss.work("jobs", handler, concurrency=8, **{option: 2})  # type: ignore[arg-type]  # one or the other

    await eventually(lambda: all_completed(boss), within=20)
    assert (groups.most["a"], groups.most["b"]) == (2, 2)
    assert groups.most["none"] > 2
    assert len(groups.seen) == 50


@pytest.mark.parametrize("kind", ["loop", "thread"])
async def test_others_run_while_a_group_is_full(boss: PgBoss, kind: str) -> None:
    groups = Groups()
    release = threading.Event()

    async def in_the_loop(job: Job) -> None:
        groups.enter(job)
        if job.group_id == "slow":
            await asyncio.to_thread(release.wait, 10)

    def in_a_thread(job: Job) -> None:
        groups.enter(job)
        if job.group_id == "slow":
            release.wait(10)

    await boss.create_queue("jobs")
    await send(boss, 20, "slow")
    await send(boss, 20, "quick")
    handler = in_the_loop if kind == "loop" else in_a_thread
    await boss.work("jobs", handler, concurrency=4, local_group_concurrency=1)

    await eventually(lambda: groups.most["slow"] == 1 and len(groups.seen) == 21)
    states = Counter(job.state for job in await boss.find_jobs("jobs") if job.group_id == "slow")
    release.set()
    assert states["active"] <= 2
    await eventually(lambda: all_completed(boss), within=10)


async def test_tiers_have_limits_of_their_own(boss: PgBoss) -> None:
    groups = Groups()
    release = asyncio.Event()

    async def handler(job: Job) -> None:
        groups.enter(job)
        await release.wait()

    await boss.create_queue("jobs")
    await send(boss, 10, "plain")
    await send(boss, 10, "gold", tier="gold")
    limits = {"default": 1, "tiers": {"gold": 3}}
    await boss.work("jobs", handler, concurrency=8, local_group_concurrency=limits)

    await eventually(lambda: (groups.now["plain"], groups.now["gold"]) == (1, 3))
    release.set()
    await eventually(lambda: all_completed(boss), within=15)


async def test_jobs_beyond_the_limit_go_back_uncounted(boss: PgBoss, database_url: str) -> None:
    release = asyncio.Event()
    begun: list[Any] = []

    async def handler(job: Job) -> None:
        begun.append(job.data)
        await release.wait()

    await boss.create_queue("jobs", retry_limit=0)
    await send(boss, 5, "a")
    await boss.work("jobs", handler, concurrency=5, local_group_concurrency=1)
    await eventually(lambda: begun)

    await eventually(lambda: sql_value(database_url, "SELECT count(*) FROM pgboss.job WHERE state = 'active'") == 1)
    waiting = sql(database_url, "SELECT started_on, heartbeat_on, retry_count FROM pgboss.job WHERE state = 'created'")
    assert {tuple(row.values()) for row in waiting} == {(None, None, 0)}
    release.set()
    await eventually(lambda: all_completed(boss))
    assert {job.retry_count for job in await boss.find_jobs("jobs")} == {0}


@pytest.mark.parametrize("option", ["group_concurrency", "local_group_concurrency"])
async def test_nothing_spins_when_only_full_groups_are_queued(
    make_boss: BossFactory, database_url: str, option: Any
) -> None:
    """A few looks at each poll are what is left; a busy loop would make thousands."""
    release, later = asyncio.Event(), asyncio.Event()
    begun: list[Any] = []

    async def handler(job: Job) -> None:
        begun.append(job.data)
        await release.wait()

    async def clock(job: Job) -> None:
        later.set()

    boss = await make_boss(polling_interval_seconds=0.25)
    await boss.create_queue("clock")
    await boss.create_queue("jobs")
    await send(boss, 10, "a", tier="plain")
    options: Any = {option: {"default": 1, "tiers": {"gold": 3}}}
    await boss.work("jobs", handler, concurrency=5, **options)
    await boss.work("clock", clock)
    await eventually(lambda: begun)
    before = transactions(database_url)
    await boss.send("clock", start_after=2)

    async with asyncio.timeout(10):
        await later.wait()
    assert transactions(database_url) - before < 200
    release.set()
    await eventually(lambda: all_completed(boss), within=20)


def transactions(url: str) -> int:
    count: int = sql_value(url, "SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()")
    return count


async def test_a_place_is_taken_until_an_abandoned_thread_returns(boss: PgBoss) -> None:
    begun: list[Any] = []
    release = threading.Event()

    def hangs(job: Job) -> None:
        begun.append(job.data)
        release.wait(20)

    await boss.create_queue("jobs", retry_limit=0, expire_in_seconds=1)
    await send(boss, 1, "a")
    await boss.work("jobs", hangs, concurrency=4, local_group_concurrency=1)
    await eventually(lambda: failed(boss, 1))
    await boss.insert("jobs", [{"data": "second", "group_id": "a"}, {"data": "other"}])

    await eventually(lambda: "other" in begun)
    assert "second" not in begun
    release.set()
    await eventually(lambda: "second" in begun)


async def failed(boss: PgBoss, count: int) -> bool:
    return [job.state for job in await boss.find_jobs("jobs")].count("failed") == count


async def test_a_lost_or_cancelled_job_leaves_its_place(boss: PgBoss, database_url: str) -> None:
    begun: list[Any] = []

    async def handler(job: Job) -> None:
        begun.append(job.data)
        if job.data == "lost":
            await asyncio.sleep(60)

    await boss.create_queue("jobs")
    await boss.send("jobs", "lost", group_id="a", priority=1)
    await boss.send("jobs", "next", group_id="a")
    sql(database_url, "UPDATE pgboss.job SET heartbeat_seconds = 1")
    await boss.work("jobs", handler, local_group_concurrency=1)
    await eventually(lambda: begun)
    sql(database_url, "UPDATE pgboss.job SET state = 'cancelled' WHERE priority = 1")

    await eventually(lambda: begun == ["lost", "next"])


async def test_two_workers_of_a_process_share_the_places_of_a_group(boss: PgBoss) -> None:
    groups = Groups()

    async def handler(job: Job) -> None:
        groups.enter(job)
        await asyncio.sleep(0.002)
        groups.leave(job)

    await boss.create_queue("jobs")
    await send(boss, 20, "a")
    for _ in range(2):
        await boss.work("jobs", handler, concurrency=4, local_group_concurrency=2)

    await eventually(lambda: all_completed(boss), within=15)
    assert groups.most["a"] == 2


async def test_batches_hold_no_more_of_a_group_than_it_may(boss: PgBoss) -> None:
    batches: list[Counter[str | None]] = []

    async def handler(jobs: list[Job]) -> None:
        batches.append(Counter(job.group_id for job in jobs))

    await boss.create_queue("jobs")
    await send(boss, 6, "a")
    await send(boss, 6, "b")
    await boss.work("jobs", handler, batch_size=10, concurrency=1, local_group_concurrency=2)

    await eventually(lambda: all_completed(boss), within=10)
    assert max(most for batch in batches for most in batch.values()) == 2


async def test_limits_may_stand_in_a_definition(make_boss: BossFactory) -> None:
    jobs = Jobs()
    groups = Groups()

    @jobs.job("jobs", concurrency=4, local_group_concurrency=1)
    async def handler(payload: int, job: Job) -> None:
        groups.enter(job)
        await asyncio.sleep(0.002)
        groups.leave(job)

    boss = await make_boss(jobs=[jobs])
    await send(boss, 8, "a")

    await eventually(lambda: all_completed(boss), within=10)
    assert groups.most["a"] == 1


async def test_limits_that_cannot_hold_are_refused(boss: PgBoss) -> None:
    async def handler(job: Job) -> None: ...

    await boss.create_queue("jobs")
    with pytest.raises(ValidationError, match="Give either group_concurrency or local_group_concurrency, not both"):
        await boss.work("jobs", handler, group_concurrency=1, local_group_concurrency=1)
    above = (
        r"local_group_concurrency \(6\) must not be above the 5 jobs that run at once \(concurrency 5, batch_size 1\)"
    )
    with pytest.raises(ValidationError, match=above):
        await boss.work("jobs", handler, local_group_concurrency=6, concurrency=5)
    with pytest.raises(ValidationError, match=above):
        await boss.work("jobs", handler, local_group_concurrency={"default": 1, "tiers": {"gold": 6}})
    with pytest.raises(ValidationError, match="group_concurrency must be an integer of 1 or more, not 0"):
        await boss.work("jobs", handler, group_concurrency=0)
    with pytest.raises(ValidationError, match="local_group_concurrency must hold 'default'"):
        await boss.work("jobs", handler, local_group_concurrency={"gold": 1})
