"""Updates and upserts: the same rows and answers as Node's, and one job a key when both sides race."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from pgboss import PgBossError
from support.boss import BossFactory
from support.node import NodeBossFactory, NodeError
from support.postgres import sql
from support.twins import NODE_SCHEMA, OUR_SCHEMA, Twins

pytestmark = pytest.mark.node

IN_2030 = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)

# What a job has before it is changed, in both spellings.
NODE_BEFORE = {
    "priority": 2, "startAfter": 600, "retentionSeconds": 900, "retryLimit": 5, "retryDelay": 3, "retryBackoff": True,
    "retryDelayMax": 50, "expireInSeconds": 60, "deleteAfterSeconds": 70, "heartbeatSeconds": 20, "deadLetter": "dead",
    "group": {"id": "before", "tier": "gold"},
}  # fmt: skip
OUR_BEFORE = {
    "priority": 2, "start_after": 600, "retention_seconds": 900, "retry_limit": 5, "retry_delay": 3,
    "retry_backoff": True, "retry_delay_max": 50, "expire_in_seconds": 60, "delete_after_seconds": 70,
    "heartbeat_seconds": 20, "dead_letter": "dead", "group_id": "before", "group_tier": "gold",
}  # fmt: skip

CHANGES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "nothing": ({}, {}),
    "priority": ({"priority": -4}, {"priority": -4}),
    "limits": (
        {"retryLimit": 0, "retryDelay": 0, "retryBackoff": False, "expireInSeconds": 1, "deleteAfterSeconds": 0},
        {"retry_limit": 0, "retry_delay": 0, "retry_backoff": False, "expire_in_seconds": 1, "delete_after_seconds": 0},
    ),
    "cap": ({"retryBackoff": True, "retryDelayMax": 9}, {"retry_backoff": True, "retry_delay_max": 9}),
    "cleared": (
        {"retryDelayMax": None, "heartbeatSeconds": None, "deadLetter": None},
        {"retry_delay_max": None, "heartbeat_seconds": None, "dead_letter": None},
    ),
    "other": ({"heartbeatSeconds": 10, "deadLetter": "other"}, {"heartbeat_seconds": 10, "dead_letter": "other"}),
    "group": ({"group": {"id": "after"}}, {"group_id": "after"}),
    "tier": ({"group": {"id": "after", "tier": "tin"}}, {"group_id": "after", "group_tier": "tin"}),
    "later": ({"startAfter": 5000}, {"start_after": 5000}),
    "fraction": ({"startAfter": 1.5}, {"start_after": 1.5}),
    "now": ({"startAfter": 0}, {"start_after": 0}),
    "past": ({"startAfter": -300}, {"start_after": timedelta(minutes=-5)}),
    "instant": ({"startAfter": IN_2030}, {"start_after": IN_2030}),
    "day": ({"startAfter": "2030-01-02"}, {"start_after": "2030-01-02"}),
    "interval": ({"startAfter": "2 hours"}, {"start_after": "2 hours"}),
    "retention": ({"retentionSeconds": 33}, {"retention_seconds": 33}),
    "both": ({"startAfter": 100, "retentionSeconds": 33}, {"start_after": 100, "retention_seconds": 33}),
}


async def create(twins: Twins, name: str, **options: Any) -> None:
    await twins.node.call("createQueue", name, options)
    await twins.ours.create_queue(name, **options)


async def changed(twins: Twins, call: str, data: Any, node: dict[str, Any], ours: dict[str, Any]) -> tuple[int, int]:
    """Make the same call on both sides: how many jobs were changed, and how many created, which must be the same."""
    given = () if data is ... else (data,)
    node_result = await twins.node.call(call, "jobs", *(given or ({"$undefined": True},)), node)
    our_result = await getattr(twins.ours, call)("jobs", *given, **ours)
    assert len(our_result.jobs) == len(node_result["jobs"])
    assert our_result.updated == node_result["updated"]
    inserted = getattr(our_result, "inserted", 0)
    assert inserted == node_result.get("inserted", 0)
    known = dict(twins.ids.values())
    if not inserted:
        assert {known[id] for id in node_result["jobs"]} == set(our_result.jobs)
    return our_result.updated, inserted


@pytest.fixture
async def queues(twins: Twins) -> Twins:
    for name in ("dead", "other"):
        await create(twins, name)
    await create(twins, "jobs", notify=True)
    return twins


@pytest.mark.parametrize("call", ["update", "upsert"])
@pytest.mark.parametrize("by", ["id", "key"])
async def test_every_field(queues: Twins, call: str, by: str) -> None:
    for label, (node, ours) in CHANGES.items():
        key: tuple[dict[str, Any], dict[str, Any]] = {"singletonKey": label}, {"singleton_key": label}
        await queues.send(label, "jobs", {"n": label}, NODE_BEFORE | key[0], OUR_BEFORE | key[1])
        if by == "id":
            key = {"id": queues.ids[label][0]}, {"id": queues.ids[label][1]}
        assert await changed(queues, call, ..., node | key[0], ours | key[1]) == (1, 0)

    queues.assert_same_jobs()


@pytest.mark.parametrize("data", [{"a": [1, {"ü": None}]}, None, [1], "text", 0, False])
async def test_data(queues: Twins, data: Any) -> None:
    await queues.send("job", "jobs", {"before": 1}, {"singletonKey": "k"}, {"singleton_key": "k"})
    await changed(queues, "update", data, {"singletonKey": "k"}, {"singleton_key": "k"})
    await changed(queues, "upsert", data, {"singletonKey": "new"}, {"singleton_key": "new"})

    queues.assert_same_jobs()
    types = "SELECT jsonb_typeof(data) AS type FROM {}.job ORDER BY singleton_key"
    assert sql(queues.url, types.format(OUR_SCHEMA)) == sql(queues.url, types.format(NODE_SCHEMA))


@pytest.mark.parametrize(("match", "count"), [("newest", 1), ("oldest", 1), ("all", 3), (None, 1)])
async def test_match(queues: Twins, match: str | None, count: int) -> None:
    for number in range(3):
        await queues.send(str(number), "jobs", number, {"singletonKey": "k"}, {"singleton_key": "k"})
    await queues.send("other", "jobs", "other", {"singletonKey": "l"}, {"singleton_key": "l"})
    matching = {"match": match} if match else {}
    node, ours = {"singletonKey": "k", "priority": 7}, {"singleton_key": "k", "priority": 7}
    assert await changed(queues, "update", ..., node | matching, ours | matching) == (count, 0)
    assert await changed(queues, "upsert", ..., node | {"match": "all"}, ours | {"match": "all"}) == (3, 0)

    queues.assert_same_jobs()


async def test_only_queued_jobs_are_changed(queues: Twins) -> None:
    for label in ("waiting", "retried", "failed", "completed", "cancelled", "active"):
        limit = {"waiting": 0, "failed": 0}.get(label, 2)
        await queues.send(label, "jobs", label, {"retryLimit": limit}, {"retry_limit": limit})
        if label != "waiting":
            options = {"startAfter": 60}, {"start_after": 60}
            await changed(
                queues,
                "update",
                ...,
                {"id": queues.ids["waiting"][0], **options[0]},
                {"id": queues.ids["waiting"][1], **options[1]},
            )
            await queues.node.call("fetch", "jobs")
            await queues.ours.fetch("jobs")
            settle = {"retried": "fail", "failed": "fail", "completed": "complete", "cancelled": "cancel"}.get(label)
            if settle:
                await queues.node.call(settle, "jobs", queues.node_ids(label))
                await getattr(queues.ours, settle)("jobs", queues.our_ids(label))
            if settle == "fail" and limit:
                later = {"id": queues.ids[label][0], "startAfter": 60}, {"id": queues.ids[label][1], "start_after": 60}
                assert await changed(queues, "update", "changed retry", *later) == (1, 0)
    for label in ("failed", "completed", "cancelled", "active"):
        ids = {"id": queues.ids[label][0]}, {"id": queues.ids[label][1]}
        assert await changed(queues, "update", "changed", *ids) == (0, 0)
        # A job of this id is there, so none can be created either.
        assert await changed(queues, "upsert", "changed", *ids) == (0, 0)

    queues.assert_same_jobs()


async def test_an_upsert_creates_what_is_missing(queues: Twins) -> None:
    id = str(uuid4())
    assert await changed(queues, "update", "a", {"id": id}, {"id": id}) == (0, 0)
    assert await changed(queues, "upsert", "a", {"id": id}, {"id": id}) == (0, 1)
    node = {name: NODE_BEFORE[name] for name in ("priority", "retentionSeconds", "deadLetter", "heartbeatSeconds")}
    ours = {name: OUR_BEFORE[name] for name in ("priority", "retention_seconds", "dead_letter", "heartbeat_seconds")}
    for label, (node_start, our_start) in CHANGES.items():
        key = {"singletonKey": label}, {"singleton_key": label}
        created = await changed(queues, "upsert", [label], node | node_start | key[0], ours | our_start | key[1])
        assert created == (0, 1)
    assert await changed(queues, "upsert", ..., {"singletonKey": "no data"}, {"singleton_key": "no data"}) == (0, 1)

    queues.assert_same_jobs()


@pytest.mark.parametrize("policy", ["short", "singleton", "stately", "exclusive", "key_strict_fifo"])
async def test_upserts_by_key_under_a_policy(twins: Twins, policy: str) -> None:
    await create(twins, "jobs", policy=policy)
    key = {"singletonKey": "k"}, {"singleton_key": "k"}
    await twins.node.call("upsert", "jobs", 1, key[0])
    await twins.ours.upsert("jobs", 1, singleton_key="k")
    await twins.node.call("fetch", "jobs")
    await twins.ours.fetch("jobs")
    # While one is active: exclusive queues have room for no other, the rest begin one, which the next call changes.
    for data in (2, 3):
        node = await twins.node.call("upsert", "jobs", data, key[0])
        ours = await twins.ours.upsert("jobs", data, singleton_key="k")
        assert (ours.updated, ours.inserted) == (node["updated"], node["inserted"])

    twins.assert_same_jobs()


@pytest.mark.parametrize(
    ("call", "node", "ours", "message"),
    [
        ("update", {}, {}, "exactly one of id and singleton_key, not neither"),
        ("upsert", {}, {}, "exactly one of id and singleton_key, not neither"),
        ("update", {"singletonKey": ""}, {"singleton_key": ""}, "singleton_key must not be empty"),
        (
            "update",
            {"id": str(uuid4()), "singletonKey": "k"},
            {"id": str(uuid4()), "singleton_key": "k"},
            "exactly one of id and singleton_key, not both",
        ),
        (
            "upsert",
            {"id": str(uuid4()), "match": "all"},
            {"id": str(uuid4()), "match": "all"},
            r"match \('all'\) is for jobs named by singleton_key",
        ),
        (
            "update",
            {"singletonKey": "k", "match": "first"},
            {"singleton_key": "k", "match": "first"},
            "match must be one of newest, oldest, all, not 'first'",
        ),
        ("update", {"singletonKey": "k", "priority": None}, {"singleton_key": "k", "priority": None}, "priority"),
        (
            "update",
            {"singletonKey": "k", "retryLimit": None},
            {"singleton_key": "k", "retry_limit": None},
            "retry_limi",
        ),
        (
            "upsert",
            {"singletonKey": "k", "retryDelayMax": 3},
            {"singleton_key": "k", "retry_delay_max": 3},
            "retry_delay_max .* needs retry_backoff=True",
        ),
        (
            "upsert",
            {"singletonKey": "k", "startAfter": "hello"},
            {"singleton_key": "k", "start_after": "hello"},
            "read",
        ),
        (
            "upsert",
            {"singletonKey": "k", "deadLetter": "gone"},
            {"singleton_key": "k", "dead_letter": "gone"},
            "'gone'",
        ),
    ],
)
async def test_refusals(queues: Twins, call: str, node: dict[str, Any], ours: dict[str, Any], message: str) -> None:
    with pytest.raises(NodeError):
        await queues.node.call(call, "jobs", "data", node)
    with pytest.raises(PgBossError, match=message):
        await getattr(queues.ours, call)("jobs", "data", **ours)

    queues.assert_same_jobs()


async def test_a_queue_that_demands_keys_takes_no_upsert_by_id(twins: Twins) -> None:
    await create(twins, "jobs", policy="key_strict_fifo")
    await twins.send("job", "jobs", "before", {"singletonKey": "k"}, {"singleton_key": "k"})
    with pytest.raises(NodeError, match="require a singletonKey"):
        await twins.node.call("upsert", "jobs", "after", {"id": twins.ids["job"][0]})
    with pytest.raises(PgBossError, match=r"'jobs' has the policy key_strict_fifo: its jobs need a singleton_key"):
        await twins.ours.upsert("jobs", "after", id=twins.ids["job"][1])

    twins.assert_same_jobs()


async def test_upserts_of_one_key_from_both_sides_agree(node_boss: NodeBossFactory, make_boss: BossFactory) -> None:
    node, ours = await node_boss(), await make_boss(pool_size=4)
    await ours.create_queue("jobs")
    for round in range(10):
        key = f"key {round}"
        results = await asyncio.gather(
            *(node.call("upsert", "jobs", {"by": n}, {"singletonKey": key}) for n in range(4)),
            *(ours.upsert("jobs", {"by": n}, singleton_key=key) for n in range(4, 8)),
        )
        node_results, our_results = results[:4], results[4:]
        counts = [(r["updated"], r["inserted"]) for r in node_results] + [(r.updated, r.inserted) for r in our_results]
        assert sorted(counts) == [(0, 1)] + 7 * [(1, 0)]
        assert len({str(r["jobs"][0]) for r in node_results} | {str(r.jobs[0]) for r in our_results}) == 1
        assert len(await ours.find_jobs("jobs", key=key)) == 1
