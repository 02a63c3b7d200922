"""What may be active at the same moment: keys, groups, and claims that meet."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from psycopg import AsyncConnection

from pgboss import ConflictError, GroupConcurrency, Job, JobConflictError, PgBoss, QueueNotFoundError, ValidationError
from pgboss.core.checks import Policy
from support.eventually import eventually
from support.postgres import sql, sql_value

# More keys than the short way through an ordered queue goes along.
MANY = 300


def labels(jobs: list[Job]) -> list[Any]:
    return sorted(job.data for job in jobs)


@pytest.fixture
async def other(database_url: str) -> AsyncIterator[AsyncConnection[Any]]:
    """A transaction of somebody else."""
    async with await AsyncConnection.connect(database_url) as connection:
        yield connection
        await connection.rollback()


async def waits_for_a_lock(url: str) -> bool:
    return bool(sql_value(url, "SELECT count(*) FROM pg_locks WHERE NOT granted"))


@pytest.mark.parametrize("keys", [1, MANY], ids=["few keys", "many keys"])
async def test_of_two_claims_of_an_ordered_queue_one_gets_the_key(
    boss: PgBoss, other: AsyncConnection[Any], keys: int
) -> None:
    await boss.create_queue("jobs", policy="key_strict_fifo")
    await boss.insert("jobs", [{"data": data, "singleton_key": "k", "priority": 9} for data in (1, 2)])
    await boss.insert("jobs", [{"singleton_key": f"k{number}", "start_after": 600} for number in range(keys - 1)])

    first = await boss.fetch("jobs", connection=other, batch_size=5)
    second = await boss.fetch("jobs", batch_size=5)

    assert (len(first), second) == (1, [])


@pytest.mark.parametrize("policy", ["singleton", "stately"])
async def test_the_second_claim_of_a_single_key_waits_and_comes_back_empty(
    boss: PgBoss, other: AsyncConnection[Any], database_url: str, policy: Policy
) -> None:
    await boss.create_queue("jobs", policy=policy)
    await boss.send("jobs", 1, singleton_key="k")
    [held] = await boss.fetch("jobs")
    await boss.fail("jobs", held)
    await boss.send("jobs", 2, singleton_key="k")

    first = await boss.fetch("jobs", connection=other)
    second = asyncio.create_task(boss.fetch("jobs"))
    await eventually(lambda: waits_for_a_lock(database_url))
    await other.commit()

    assert (len(first), await second) == (1, [])


async def test_a_claim_that_came_too_late_leaves_the_callers_transaction_usable(
    boss: PgBoss, other: AsyncConnection[Any], database_url: str
) -> None:
    await boss.create_queue("jobs", policy="singleton")
    for data in (1, 2):
        await boss.send("jobs", data)
    await boss.fetch("jobs", connection=other)
    async with await AsyncConnection.connect(database_url) as mine:
        late = asyncio.create_task(boss.fetch("jobs", connection=mine))
        await eventually(lambda: waits_for_a_lock(database_url))
        await other.commit()

        assert await late == []
        await boss.send("jobs", 3, connection=mine)

    assert len(await boss.find_jobs("jobs")) == 3


@pytest.mark.parametrize("policy", ["standard", "singleton", "key_strict_fifo"])
async def test_a_job_that_changes_while_a_claim_is_about_to_take_it(
    boss: PgBoss, database_url: str, policy: Policy
) -> None:
    """Its newest version is looked at: claims and edits from everywhere, and no job is claimed twice."""
    await boss.create_queue("jobs", policy=policy)
    await boss.insert("jobs", [{"data": number, "singleton_key": f"k{number}"} for number in range(60)])
    # In the order of their ids, or the edits would wait for each other in a ring.
    edit = """
        WITH locked AS MATERIALIZED (
            SELECT id FROM pgboss.job WHERE name = 'jobs' AND state = 'created' ORDER BY id FOR UPDATE
        )
        UPDATE pgboss.job SET data = data WHERE name = 'jobs' AND state = 'created' AND id IN (SELECT id FROM locked)
    """

    claims = [boss.fetch("jobs", batch_size=5, group_concurrency=5) for _ in range(20)]
    edits = [asyncio.to_thread(sql, database_url, edit) for _ in range(5)]
    batches, _ = await asyncio.gather(asyncio.gather(*claims), asyncio.gather(*edits))

    claimed = [job.id for batch in batches for job in batch]
    assert len(claimed) == len(set(claimed)) > 0
    active = sql_value(database_url, "SELECT count(*) FROM pgboss.job WHERE state = 'active' AND retry_count = 0")
    assert active == len(claimed)


@pytest.mark.parametrize("policy", ["singleton", "stately"])
async def test_a_held_key_does_not_keep_those_behind_it(boss: PgBoss, policy: Policy) -> None:
    await boss.create_queue("jobs", policy=policy)
    await boss.send("jobs", "a1", singleton_key="a")
    await boss.fetch("jobs")
    for data in ("a2", "b1", "c1"):
        await boss.send("jobs", data, singleton_key=data[0])

    assert labels(await boss.fetch("jobs")) == ["b1"]
    assert labels(await boss.fetch("jobs", batch_size=9)) == ["c1"]


async def test_a_batch_holds_the_most_urgent_job_of_each_key(boss: PgBoss) -> None:
    await boss.create_queue("jobs", policy="singleton")
    jobs: list[tuple[str, str | None, int]] = [("none", None, 0), ("empty", "", 1), ("k", "k", 2)]
    for data, key, priority in jobs:
        await boss.send("jobs", data, singleton_key=key, priority=priority)

    # No key and an empty one are the same; together they would run into the index, again and again.
    assert labels(await boss.fetch("jobs", batch_size=9)) == ["empty", "k"]


@pytest.mark.parametrize("keys", [1, MANY], ids=["few keys", "many keys"])
async def test_the_jobs_of_a_key_come_one_by_one_in_order(boss: PgBoss, keys: int) -> None:
    await boss.create_queue("jobs", policy="key_strict_fifo", retry_limit=1)
    await boss.insert("jobs", [{"data": -1, "singleton_key": f"k{number}"} for number in range(keys - 1)])
    for data in (1, 2, 3):
        await boss.send("jobs", data, singleton_key="key", priority=data)

    seen = []
    for fails in (False, True, False, False):
        [job] = await boss.fetch("jobs", min_priority=1)
        assert await boss.fetch("jobs", min_priority=1, batch_size=9) == []
        seen.append(job.data)
        await (boss.fail if fails else boss.complete)("jobs", job)

    assert seen == [1, 2, 2, 3]


@pytest.mark.parametrize("keys", [1, MANY], ids=["few keys", "many keys"])
async def test_jobs_sent_at_one_moment_stay_one_by_one(boss: PgBoss, keys: int) -> None:
    await boss.create_queue("jobs", policy="key_strict_fifo")
    jobs = [{"data": number, "singleton_key": f"k{number % keys}"} for number in range(3 * keys)]
    await boss.insert("jobs", jobs)

    for _ in range(3):
        claimed = await boss.fetch("jobs", batch_size=1000)
        assert sorted(str(job.singleton_key) for job in claimed) == sorted(f"k{number}" for number in range(keys))
        await boss.complete("jobs", claimed)


async def test_dead_letters_are_never_first_in_an_ordered_queue(boss: PgBoss) -> None:
    await boss.create_queue("dead", policy="key_strict_fifo")
    await boss.create_queue("jobs", dead_letter="dead", retry_limit=0)
    await boss.send("jobs", "copy", singleton_key="k")
    await boss.fail("jobs", await boss.fetch("jobs"))
    await boss.send("dead", "own", singleton_key="k")

    assert labels(await boss.fetch("dead", batch_size=9)) == ["own"]


async def test_a_batch_takes_the_oldest_of_a_group(boss: PgBoss) -> None:
    await boss.create_queue("jobs")
    for number in range(6):
        await boss.send("jobs", number, group_id="g")
    await boss.send("jobs", 6)
    await boss.send("jobs", 7, group_id="g", priority=1)

    assert labels(await boss.fetch("jobs", batch_size=9, group_concurrency=3)) == [0, 1, 6, 7]
    assert await boss.fetch("jobs", batch_size=9, group_concurrency=3) == []
    assert labels(await boss.fetch("jobs", batch_size=9, group_concurrency=4)) == [2]


@pytest.mark.parametrize(
    "limits",
    [GroupConcurrency(1, {"gold": 3}), {"default": 1, "tiers": {"gold": 3}}],
    ids=["dataclass", "mapping"],
)
async def test_a_tier_has_a_limit_of_its_own(boss: PgBoss, limits: Any) -> None:
    await boss.create_queue("jobs")
    for number in range(4):
        await boss.send("jobs", f"gold {number}", group_id="g", group_tier="gold")
        await boss.send("jobs", f"plain {number}", group_id="p")
        await boss.send("jobs", f"silver {number}", group_id="s", group_tier="silver")

    claimed = await boss.fetch("jobs", batch_size=20, group_concurrency=limits)

    assert labels(claimed) == ["gold 0", "gold 1", "gold 2", "plain 0", "silver 0"]


async def test_groups_left_to_others(boss: PgBoss) -> None:
    await boss.create_queue("jobs")
    for group in ("a", "b", "c"):
        await boss.send("jobs", group, group_id=group)
    await boss.send("jobs", "none")

    assert labels(await boss.fetch("jobs", batch_size=9, ignore_groups={"a", "b"})) == ["c", "none"]


async def test_blocked_keys_page_by_page(boss: PgBoss) -> None:
    await boss.create_queue("jobs", policy="key_strict_fifo", retry_limit=0)
    for key in ("c", "a", "b", "fine"):
        await boss.send("jobs", key, singleton_key=key)
    held = [job for job in await boss.fetch("jobs", batch_size=9) if job.singleton_key != "fine"]
    await boss.fail("jobs", held)

    assert await boss.get_blocked_keys("jobs") == ["a", "b", "c"]
    assert await boss.get_blocked_keys("jobs", limit=2) == ["a", "b"]
    assert await boss.get_blocked_keys("jobs", after="b") == ["c"]
    assert await boss.get_blocked_keys("jobs", after="c") == []


async def test_only_ordered_queues_have_blocked_keys(boss: PgBoss) -> None:
    await boss.create_queue("jobs", policy="singleton")

    with pytest.raises(ValidationError, match=r"key_strict_fifo.*'jobs' has singleton"):
        await boss.get_blocked_keys("jobs")
    with pytest.raises(QueueNotFoundError, match="missing"):
        await boss.get_blocked_keys("missing")
    for limit in (0, 100_001, True, "9"):
        with pytest.raises(ValidationError, match="limit must be an integer from 1 to 100000"):
            await boss.get_blocked_keys("jobs", limit=limit)  # type: ignore[arg-type]  # what is refused
    with pytest.raises(ValidationError, match="after must be a string"):
        await boss.get_blocked_keys("jobs", after=5)  # type: ignore[arg-type]  # what is refused


@pytest.mark.parametrize("options", [{}, {"singleton_key": None}, {"singleton_key": ""}])
async def test_an_ordered_queue_demands_a_key_and_spares_the_callers_transaction(
    boss: PgBoss, other: AsyncConnection[Any], options: dict[str, Any]
) -> None:
    await boss.create_queue("jobs", policy="key_strict_fifo")

    with pytest.raises(ValidationError, match=r"key_strict_fifo.*singleton_key"):
        await boss.send("jobs", 1, connection=other, **options)
    with pytest.raises(ValidationError, match=r"key_strict_fifo.*singleton_key"):
        await boss.insert("jobs", [{"singleton_key": "k"}, options], connection=other)
    await boss.send("jobs", 2, singleton_key="k", connection=other)
    await other.commit()

    assert [job.data for job in await boss.find_jobs("jobs")] == [2]


async def test_a_conflict_spares_the_callers_transaction(boss: PgBoss, other: AsyncConnection[Any]) -> None:
    await boss.create_queue("jobs", policy="short")
    first = await boss.send("jobs", 1)
    assert first is not None
    await boss.cancel("jobs", first)
    await boss.send("jobs", 2)

    with pytest.raises(JobConflictError, match="another job of the same key"):
        await boss.resume("jobs", first, connection=other)
    await boss.fetch("jobs", connection=other)
    assert issubclass(JobConflictError, ConflictError)
    await boss.resume("jobs", first, connection=other)
    await other.commit()

    assert {job.data: job.state for job in await boss.find_jobs("jobs")} == {1: "created", 2: "active"}
