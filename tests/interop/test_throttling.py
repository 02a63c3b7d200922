"""Throttled and debounced jobs: the same rows and answers as Node's, and one set of slots for both."""

from __future__ import annotations

from typing import Any

import pytest

from pgboss import PgBoss, ValidationError
from support.boss import BossFactory
from support.node import NodeBoss, NodeBossFactory, NodeError
from support.postgres import sql
from support.twins import NODE_SCHEMA, OUR_SCHEMA, Twins

pytestmark = pytest.mark.node

# A slot so long that no test sees its end.
LONG = 50_000_000


async def create(twins: Twins, name: str, **options: Any) -> None:
    await twins.node.call("createQueue", name, options)
    await twins.ours.create_queue(name, **options)


async def throttled(twins: Twins, data: Any, key: str | None = None, *, queue: str = "jobs", **options: Any) -> bool:
    """Send it on both sides; whether a job came to be, which must be the same."""
    node = await twins.node.call("sendThrottled", queue, data, options, LONG, key)
    ours = await twins.ours.send_throttled(queue, data, LONG, key=key, **options)
    assert (node is None) == (ours is None)
    if ours is not None:
        twins.ids[str(data)] = (node, ours)
    return ours is not None


async def debounced(
    twins: Twins, data: Any, key: str | None = None, *, queue: str = "jobs", seconds: int = LONG, **options: Any
) -> bool:
    node_options = {"startAfter" if name == "start_after" else name: value for name, value in options.items()}
    node = await twins.node.call("sendDebounced", queue, data, node_options, seconds, key)
    ours = await twins.ours.send_debounced(queue, data, seconds, key=key, **options)
    assert (node is None) == (ours is None)
    return ours is not None


def slots(url: str, schema: str) -> list[Any]:
    return [row["singleton_on"] for row in sql(url, f"SELECT singleton_on FROM {schema}.job ORDER BY data::text")]


async def test_throttling(twins: Twins) -> None:
    await create(twins, "jobs")
    assert await throttled(twins, "first")
    assert not await throttled(twins, "second")
    assert not await throttled(twins, "an empty key is none", "")
    assert await throttled(twins, "with a key", "k")
    assert not await throttled(twins, "with the key again", "k")
    for call, theirs, label in (("complete", "complete", "first"), ("cancel", "cancel", "with a key")):
        await twins.node.call("fetch", "jobs")
        await twins.ours.fetch("jobs")
        await twins.node.call(theirs, "jobs", twins.node_ids(label))
        await getattr(twins.ours, call)("jobs", twins.our_ids(label))
    assert not await throttled(twins, "a completed one keeps its slot")
    assert await throttled(twins, "a cancelled one gives it up", "k")

    twins.assert_same_jobs()
    assert slots(twins.url, OUR_SCHEMA) == slots(twins.url, NODE_SCHEMA)


async def test_debouncing(twins: Twins) -> None:
    await create(twins, "jobs")
    assert await debounced(twins, "at once")
    assert await debounced(twins, "in the next slot")
    assert not await debounced(twins, "dropped")
    assert await debounced(twins, "keeps its start", "k", start_after=30)
    assert await debounced(twins, "loses its start", "k", start_after=30)
    assert await debounced(twins, "every second", "s", seconds=1)

    twins.assert_same_jobs()
    ours, node = slots(twins.url, OUR_SCHEMA), slots(twins.url, NODE_SCHEMA)
    assert len(ours) == len(node) == 5
    # The slot of a second may be another one by the time the other side is asked.
    assert [slot for slot in ours if slot in node] == [slot for slot in node if slot in ours]
    assert len({*ours, *node}) <= 4


@pytest.mark.parametrize("policy", ["short", "exclusive", "stately"])
async def test_the_policy_has_a_say_in_both_tries(twins: Twins, policy: str) -> None:
    await create(twins, "jobs", policy=policy)
    assert await debounced(twins, "first")
    assert not await debounced(twins, "second")
    assert await throttled(twins, "another key", "k")
    assert not await throttled(twins, "that key again", "k")

    twins.assert_same_jobs()


async def test_a_taken_id_is_taken_in_the_next_slot_too(twins: Twins) -> None:
    await create(twins, "jobs")
    same = "6f1e8a0c-96fb-4b6e-9a53-3fd3a1b9bb11"
    await twins.send("plain", "jobs", "plain", {"id": same}, {"id": same})
    assert not await debounced(twins, "debounced", id=same)

    twins.assert_same_jobs()


async def test_insert(twins: Twins) -> None:
    await create(twins, "jobs")
    for number in range(2):
        node = [{"data": [number, key], "singletonSeconds": LONG, "singletonKey": key} for key in ("a", "a", "b", None)]
        ours = [{"data": job["data"], "singleton_seconds": LONG, "singleton_key": job["singletonKey"]} for job in node]
        node_ids = await twins.node.call("insert", "jobs", node, {"returnId": True})
        our_ids = await twins.ours.insert("jobs", ours, return_id=True)
        assert len(node_ids or []) == len(our_ids) == (0 if number else 3)

    twins.assert_same_jobs()
    assert slots(twins.url, OUR_SCHEMA) == slots(twins.url, NODE_SCHEMA)


async def test_options_of_a_plain_send(twins: Twins) -> None:
    await create(twins, "jobs")
    for number in range(3):
        node = {"singletonSeconds": LONG, "singletonNextSlot": True, "singletonKey": "k"}
        ours = {"singleton_seconds": LONG, "singleton_next_slot": True, "singleton_key": "k"}
        await twins.send(str(number), "jobs", number, node, ours)

    assert set(twins.ids) == {"0", "1"}
    twins.assert_same_jobs()
    assert slots(twins.url, OUR_SCHEMA) == slots(twins.url, NODE_SCHEMA)


async def test_a_slot_of_no_length_is_refused(twins: Twins) -> None:
    await create(twins, "jobs")
    with pytest.raises(NodeError):
        await twins.node.call("sendThrottled", "jobs", None, {}, 0)
    with pytest.raises(ValidationError, match="singleton_seconds must be an integer of 1 or more, not 0"):
        await twins.ours.send_throttled("jobs", None, 0)

    twins.assert_same_jobs()


@pytest.fixture
async def neighbours(node_boss: NodeBossFactory, make_boss: BossFactory) -> tuple[NodeBoss, PgBoss]:
    """A Node instance and one of ours on one schema."""
    node = await node_boss()
    ours = await make_boss()
    await ours.create_queue("jobs")
    return node, ours


async def test_both_sides_share_the_slots(neighbours: tuple[NodeBoss, PgBoss]) -> None:
    node, ours = neighbours

    assert await node.call("sendThrottled", "jobs", "node", {}, LONG, "first node") is not None
    assert await ours.send_throttled("jobs", "ours", LONG, key="first node") is None

    assert await ours.send_throttled("jobs", "ours", LONG, key="first ours") is not None
    assert await node.call("sendThrottled", "jobs", "node", {}, LONG, "first ours") is None

    assert await ours.send_debounced("jobs", "ours", LONG, key="both") is not None
    assert await node.call("sendDebounced", "jobs", "node", {}, LONG, "both") is not None
    assert await ours.send_debounced("jobs", "ours", LONG, key="both") is None
    assert await node.call("sendDebounced", "jobs", "node", {}, LONG, "both") is None
