"""Every policy at every transition: the same calls leave the same rows, and claim the same jobs, as with Node."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from pgboss import ConflictError, Job, PgBoss
from pgboss.core.checks import Policy
from pgboss.core.wire import camel_case
from support.boss import BossFactory
from support.node import NodeBossFactory
from support.node_process import NodeError
from support.twins import Twins

pytestmark = pytest.mark.node

KEYED = ("short", "singleton", "stately", "exclusive", "key_strict_fifo")


class Play:
    """One queue on both sides; jobs are known by their label, which is also their data."""

    def __init__(self, twins: Twins, name: str) -> None:
        self.twins = twins
        self.name = name

    async def send(self, label: str, key: str | None = None, **options: Any) -> bool:
        """Send a job; whether it was taken, which must be the same on both sides."""
        ours: dict[str, Any] = options | ({} if key is None else {"singleton_key": key})
        node: dict[str, Any] = {camel_case(option): value for option, value in ours.items()}
        if "groupId" in node:
            tier = {"tier": node.pop("groupTier")} if "groupTier" in node else {}
            node["group"] = {"id": node.pop("groupId"), **tier}
        await self.twins.send(label, self.name, {"label": label}, node, ours)
        return label in self.twins.ids

    async def fetch(self, **options: Any) -> list[str]:
        """Fetch; the labels, which must be the same on both sides."""
        node_options = {camel_case(option): value for option, value in options.items()}
        node = sorted(job["data"]["label"] for job in await self.twins.node.call("fetch", self.name, node_options))
        ours = sorted(label_of(job) for job in await self.twins.ours.fetch(self.name, **options))
        assert ours == node
        return ours

    async def do(self, verb: str, *labels: str) -> int | None:
        """Settle jobs by id; how many were affected, or ``None`` for a conflict: the same on both sides."""
        node = await outcome(self.twins.node.call(camel_case(verb), self.name, self.twins.node_ids(*labels)), NodeError)
        ours = await outcome(getattr(self.twins.ours, verb)(self.name, self.twins.our_ids(*labels)), ConflictError)
        assert (ours and ours.affected) == (node and node["affected"])
        return None if ours is None else int(ours.affected)

    async def blocked(self, **options: Any) -> list[str]:
        node: list[str] = await self.twins.node.call("getBlockedKeys", self.name, options)
        assert await self.twins.ours.get_blocked_keys(self.name, **options) == node
        return node


def label_of(job: Job) -> str:
    assert isinstance(job.data, dict)
    return str(job.data["label"])


async def outcome(call: Awaitable[Any], conflict: type[Exception]) -> Any:
    try:
        return await call
    except conflict:
        return None


Begin = Callable[..., Awaitable[Play]]


@pytest.fixture(params=[False, True], ids=["shared table", "partition"])
def begin(request: pytest.FixtureRequest, twins: Twins) -> Begin:
    async def create(policy: str, **options: Any) -> Play:
        ours = {"policy": policy, "partition": request.param, **options}
        await twins.node.call("createQueue", "jobs", {camel_case(option): value for option, value in ours.items()})
        await twins.ours.create_queue("jobs", **ours)
        return Play(twins, "jobs")

    return create


@pytest.mark.parametrize("policy", KEYED)
async def test_the_whole_way_of_one_key(begin: Begin, twins: Twins, policy: str) -> None:
    play = await begin(policy, retry_limit=1)
    await play.send("a1", "a")
    await play.send("a2", "a")
    await play.send("b1", "b")
    await play.fetch(batch_size=3)
    await play.send("a3", "a")
    await play.fetch()
    await play.do("fail", "a1")
    await play.fetch(batch_size=5)
    await play.do("fail", "a1")
    await play.send("a4", "a")
    await play.fetch(batch_size=5)
    await play.do("retry", "a1")
    await play.fetch(batch_size=5)
    await play.do("complete", "a1", "b1")
    await play.fetch(batch_size=5)

    twins.assert_same_jobs()


@pytest.mark.parametrize("policy", [policy for policy in KEYED if policy != "key_strict_fifo"])
async def test_no_key_is_a_key_too(begin: Begin, twins: Twins, policy: str) -> None:
    play = await begin(policy, retry_limit=1)
    for label in ("first", "second"):
        await play.send(label)
    await play.send("keyed", "k")
    await play.send("empty", "")
    while claimed := await play.fetch():
        await play.do("complete", *claimed)

    twins.assert_same_jobs()


@pytest.mark.parametrize("policy", KEYED)
async def test_resume_into_a_slot_that_was_taken(begin: Begin, twins: Twins, policy: str) -> None:
    play = await begin(policy)
    await play.send("first", "k")
    await play.do("cancel", "first")
    await play.send("second", "k")

    refused = await play.do("resume", "first") is None

    assert refused == (policy in ("short", "stately", "exclusive"))
    await play.fetch(batch_size=2)
    twins.assert_same_jobs()


@pytest.mark.parametrize("policy", KEYED)
async def test_retry_of_a_failed_job_while_another_waits_or_runs(begin: Begin, twins: Twins, policy: str) -> None:
    play = await begin(policy, retry_limit=0)
    await play.send("first", "k")
    await play.fetch()
    await play.do("fail", "first")
    await play.send("second", "k")
    await play.fetch()

    refused = await play.do("retry", "first") is None

    assert refused == (policy == "exclusive")
    twins.assert_same_jobs()


async def test_a_stately_job_whose_retry_slot_is_taken_fails_instead(begin: Begin, twins: Twins) -> None:
    play = await begin("stately", retry_limit=5)
    for urgency, label in enumerate(("first", "second", "third")):
        await play.send(label, "k", priority=urgency)
        assert await play.fetch() == [label]
        if label != "third":
            await play.do("fail", label)

    assert await play.fetch() == []
    await play.do("complete", "third")
    assert await play.fetch() == ["first"]
    assert await play.do("retry", "second") == 1
    twins.assert_same_jobs()


async def test_failing_a_waiting_job_while_its_key_is_held(begin: Begin, twins: Twins) -> None:
    play = await begin("key_strict_fifo", retry_limit=3)
    await play.send("first", "k")
    await play.send("second", "k")
    await play.fetch()

    assert await play.do("fail", "second") is None
    twins.assert_same_jobs()


async def test_the_order_within_and_between_keys(begin: Begin, twins: Twins) -> None:
    play = await begin("key_strict_fifo")
    await play.send("a1", "a")
    await play.send("a2 urgent", "a", priority=9)
    await play.send("b1 urgent", "b", priority=5)
    await play.send("c1 later", "c", start_after=600)
    await play.send("c2", "c")

    assert await play.fetch() == ["b1 urgent"]
    assert await play.fetch(batch_size=9) == ["a1", "c2"]
    assert await play.fetch(batch_size=9, ignore_start_after=True) == []
    await play.do("complete", "a1", "c2")
    assert await play.fetch(batch_size=9) == ["a2 urgent"]
    assert await play.fetch(batch_size=9, ignore_start_after=True) == ["c1 later"]
    twins.assert_same_jobs()


async def test_a_key_waits_for_its_retry_and_stands_still_behind_a_failed_job(begin: Begin, twins: Twins) -> None:
    play = await begin("key_strict_fifo", retry_limit=1, retry_delay=600)
    for label in ("a1", "a2", "b1", "c1", "c2"):
        await play.send(label, label[0])
    assert await play.fetch(batch_size=9) == ["a1", "b1", "c1"]
    await play.do("fail", "a1", "b1")
    assert await play.fetch(batch_size=9) == []
    assert await play.fetch(batch_size=9, ignore_start_after=True) == ["a1", "b1"]
    await play.do("fail", "a1", "b1")

    assert await play.blocked() == ["a", "b"]
    assert await play.blocked(limit=1) == ["a"]
    assert await play.blocked(after="a") == ["b"]
    await play.do("retry", "a1")
    assert await play.blocked() == ["b"]
    await play.do("delete_job", "b1")
    assert await play.fetch(batch_size=9, ignore_start_after=True) == ["a1"]
    await play.do("complete", "a1")
    assert await play.fetch(batch_size=9) == ["a2"]
    twins.assert_same_jobs()


@pytest.mark.parametrize("policy", ["singleton", "stately"])
async def test_a_batch_takes_one_job_a_key(begin: Begin, twins: Twins, policy: str) -> None:
    play = await begin(policy)
    for label in ("a1", "a2", "b1", "b2", "c1"):
        await play.send(label, label[0])

    await play.fetch(batch_size=3)
    await play.fetch(batch_size=3)
    await play.fetch(batch_size=3)
    twins.assert_same_jobs()


async def test_priorities_and_groups_left_to_others(begin: Begin, twins: Twins) -> None:
    play = await begin("standard")
    await play.send("low", priority=-5)
    await play.send("x", group_id="x", priority=1)
    await play.send("y", group_id="y", priority=2)
    await play.send("high", priority=7)

    assert await play.fetch(batch_size=9, min_priority=2, max_priority=6) == ["y"]
    assert await play.fetch(batch_size=9, ignore_groups=["x"]) == ["high", "low"]
    assert await play.fetch(batch_size=9, ignore_groups=[]) == ["x"]
    twins.assert_same_jobs()


async def test_group_limits_one_by_one(begin: Begin, twins: Twins) -> None:
    """One job a fetch: which of several members a batch takes is random with Node."""
    play = await begin("standard")
    for number in range(3):
        await play.send(f"x{number}", group_id="x")
        await play.send(f"gold{number}", group_id="g", group_tier="gold")
        await play.send(f"none{number}")
    limits = {"default": 1, "tiers": {"gold": 2}}

    claimed = [await play.fetch(group_concurrency=limits) for _ in range(8)]

    assert claimed == [["x0"], ["gold0"], ["none0"], ["gold1"], ["none1"], ["none2"], [], []]
    await play.do("complete", "gold0", "x0")
    assert await play.fetch(group_concurrency=1) == ["x1"]
    assert await play.fetch(group_concurrency=2) == ["x2"]
    twins.assert_same_jobs()


@pytest.mark.parametrize("policy", ["singleton", "key_strict_fifo"])
async def test_group_limits_within_policies(begin: Begin, twins: Twins, policy: str) -> None:
    play = await begin(policy)
    for label, group in (("a1", "x"), ("a2", "x"), ("b1", "x"), ("c1", "y"), ("d1", None)):
        await play.send(label, label[0], **({"group_id": group} if group else {}))

    claimed = [await play.fetch(group_concurrency=1) for _ in range(4)]

    assert claimed == [["a1"], ["c1"], ["d1"], []]
    twins.assert_same_jobs()


async def test_a_group_takes_no_more_than_its_limit_in_one_batch(begin: Begin, twins: Twins) -> None:
    play = await begin("standard")
    for number in range(6):
        await play.send(f"x{number}", group_id="x")

    node = await twins.node.call("fetch", "jobs", {"batchSize": 6, "groupConcurrency": 4})
    ours = await twins.ours.fetch("jobs", batch_size=6, group_concurrency=4)

    assert len(ours) == len(node) == 4
    # Node takes any four; we take the oldest.
    assert sorted(label_of(job) for job in ours) == ["x0", "x1", "x2", "x3"]


@pytest.mark.parametrize("policy", ["singleton", "stately", "key_strict_fifo"])
async def test_node_and_we_race_for_the_same_keys(
    node_boss: NodeBossFactory, make_boss: BossFactory, policy: Policy
) -> None:
    ours, node = await make_boss(), await node_boss()
    await ours.create_queue("race", policy=policy)
    for number in range(30):
        for data in (1, 2):
            await ours.send("race", data, singleton_key=f"k{number}")
    sent = len(await ours.find_jobs("race"))
    done = 0

    while done < sent:
        batches = await asyncio.gather(
            *(call for _ in range(3) for call in (node.call("fetch", "race", {"batchSize": 4}), ours_fetch(ours)))
        )
        claimed = [str(job["id"]) for batch in batches for job in batch]
        active = [job.singleton_key for job in await ours.find_jobs("race") if job.state == "active"]
        assert len(active) == len(set(active)) == len(claimed)
        done += (await ours.complete("race", claimed)).affected if claimed else 0


async def ours_fetch(boss: PgBoss) -> list[dict[str, Any]]:
    return [{"id": job.id} for job in await boss.fetch("race", batch_size=4)]
