"""The same call made by Node and by us leaves the same row: all columns, for every operation."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from support.twins import NODE_SCHEMA, OUR_SCHEMA, Twins

pytestmark = pytest.mark.node


async def create(twins: Twins, name: str, node: dict[str, Any] | None = None, **ours: Any) -> None:
    await twins.node.call("createQueue", name, node or {})
    await twins.ours.create_queue(name, **ours)


IN_2030 = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)

SENDS: dict[str, tuple[Any, dict[str, Any], dict[str, Any]]] = {
    "nothing": (None, {}, {}),
    "object": ({"a": [1, 2.5, None, {"ü": "✓"}], "camelCase": True}, {}, {}),
    "text": ("just text", {}, {}),
    "list": ([1, "two"], {}, {}),
    "priority": ({"p": 1}, {"priority": -3}, {"priority": -3}),
    "seconds": ({"s": 1}, {"startAfter": 90}, {"start_after": 90}),
    "fraction": ({"s": 2}, {"startAfter": 1.5}, {"start_after": 1.5}),
    "delay": ({"s": 3}, {"startAfter": 3600}, {"start_after": timedelta(hours=1)}),
    "past delay": ({"s": 4}, {"startAfter": -5}, {"start_after": -5}),
    "interval": ({"s": 5}, {"startAfter": "5 minutes"}, {"start_after": "5 minutes"}),
    "iso interval": ({"s": 6}, {"startAfter": "PT1H"}, {"start_after": "PT1H"}),
    "negative text": ({"s": 7}, {"startAfter": "-5"}, {"start_after": "-5"}),
    "instant": ({"s": 8}, {"startAfter": IN_2030}, {"start_after": IN_2030}),
    "date": ({"s": 9}, {"startAfter": "2030-01-02"}, {"start_after": "2030-01-02"}),
    "zoneless": ({"s": 10}, {"startAfter": "2030-01-02 03:04"}, {"start_after": "2030-01-02 03:04"}),
    "zone": ({"s": 11}, {"startAfter": "2030-01-02T03:04:05+05:30"}, {"start_after": "2030-01-02T03:04:05+05:30"}),
    "retry": (
        {"r": 1},
        {"retryLimit": 7, "retryDelay": 3, "retryBackoff": True, "retryDelayMax": 60},
        {"retry_limit": 7, "retry_delay": 3, "retry_backoff": True, "retry_delay_max": 60},
    ),
    "zeroes": (
        {"r": 2},
        {"retryLimit": 0, "retryDelay": 0, "retryBackoff": False, "deleteAfterSeconds": 0},
        {"retry_limit": 0, "retry_delay": 0, "retry_backoff": False, "delete_after_seconds": 0},
    ),
    "times": (
        {"t": 1},
        {"expireInSeconds": 5, "retentionSeconds": 77, "deleteAfterSeconds": 9, "heartbeatSeconds": 10},
        {"expire_in_seconds": 5, "retention_seconds": 77, "delete_after_seconds": 9, "heartbeat_seconds": 10},
    ),
    "key": ({"k": 1}, {"singletonKey": "ä key"}, {"singleton_key": "ä key"}),
    "group": ({"g": 1}, {"group": {"id": "g1", "tier": "gold"}}, {"group_id": "g1", "group_tier": "gold"}),
    "dead letter": ({"d": 1}, {"deadLetter": "dead"}, {"dead_letter": "dead"}),
}


async def test_send(twins: Twins) -> None:
    options = {
        "retryLimit": 4, "retryDelay": 2, "retryBackoff": True, "retryDelayMax": 100, "expireInSeconds": 60,
        "retentionSeconds": 600, "deleteAfterSeconds": 700, "heartbeatSeconds": 20, "notify": True,
    }  # fmt: skip
    await create(twins, "dead")
    await create(twins, "plain")
    await create(
        twins,
        "set",
        options,
        retry_limit=4,
        retry_delay=2,
        retry_backoff=True,
        retry_delay_max=100,
        expire_in_seconds=60,
        retention_seconds=600,
        delete_after_seconds=700,
        heartbeat_seconds=20,
        notify=True,
    )
    for queue in ("plain", "set"):
        for label, (data, node, ours) in SENDS.items():
            await twins.send(f"{queue} {label}", queue, data, node, ours)

    twins.assert_same_jobs()
    twins.assert_same_queues()


async def test_send_to_every_policy(twins: Twins) -> None:
    for policy in ("standard", "short", "singleton", "stately", "exclusive", "key_strict_fifo"):
        for partition in (False, True):
            name = f"{policy}-{partition}"
            await create(twins, name, {"policy": policy, "partition": partition}, policy=policy, partition=partition)
            for number in range(2):
                key = {"singletonKey": "k"}, {"singleton_key": "k"}
                await twins.send(f"{name} {number}", name, {"n": number}, *key)

    twins.assert_same_jobs()
    twins.assert_same_queues()


async def test_send_after_and_insert(twins: Twins) -> None:
    await create(twins, "jobs", {"notify": True}, notify=True)
    await twins.node.call("sendAfter", "jobs", {"n": 1}, {"priority": 2}, 30)
    await twins.ours.send_after("jobs", {"n": 1}, 30, priority=2)
    old = {"data": {"n": 3}, "priority": 5}
    node = [{"data": {"n": 2}}, {**old, "startAfter": -60}, {"data": {"n": 4}, "retryLimit": 9}]
    await twins.node.call("insert", "jobs", node)
    await twins.ours.insert(
        "jobs", [{"data": {"n": 2}}, {**old, "start_after": -60}, {"data": {"n": 4}, "retry_limit": 9}]
    )

    twins.assert_same_jobs()


async def test_an_id_that_is_taken_creates_nothing(twins: Twins) -> None:
    await create(twins, "jobs")
    same = "6f1e8a0c-96fb-4b6e-9a53-3fd3a1b9bb11"
    await twins.send("first", "jobs", {"n": 1}, {"id": same}, {"id": same})
    await twins.send("second", "jobs", {"n": 2}, {"id": same}, {"id": same})

    assert "second" not in twins.ids
    twins.assert_same_jobs()


async def test_queue_life(twins: Twins) -> None:
    await create(twins, "dead")
    await create(twins, "kept", {"retryLimit": 1}, retry_limit=1)
    await create(twins, "kept", {"retryLimit": 9}, retry_limit=9)
    settings = {"deadLetter": "dead", "heartbeatSeconds": 30}
    await create(twins, "changed", settings, dead_letter="dead", heartbeat_seconds=30)
    await create(twins, "gone", {"partition": True}, partition=True)
    await twins.send("gone", "gone", None, {}, {})
    changes = {"retryLimit": 8, "retryBackoff": True, "retryDelayMax": 5, "notify": True}
    await twins.node.call("updateQueue", "changed", {**changes, "deadLetter": None, "heartbeatSeconds": None})
    await twins.ours.update_queue(
        "changed",
        retry_limit=8,
        retry_backoff=True,
        retry_delay_max=5,
        dead_letter=None,
        heartbeat_seconds=None,
        notify=True,
    )
    await twins.node.call("deleteQueue", "gone")
    await twins.ours.delete_queue("gone")
    await twins.node.call("deleteQueue", "never_there")
    await twins.ours.delete_queue("never_there")

    twins.assert_same_queues()
    twins.assert_same_jobs()


async def fetched(twins: Twins, queue: str, count: int = 1) -> None:
    node = await twins.node.call("fetch", queue, {"batchSize": count})
    ours = await twins.ours.fetch(queue, batch_size=count)
    assert len(node) == len(ours) == count


async def test_fetch_and_complete(twins: Twins) -> None:
    await create(twins, "jobs")
    outputs: list[Any] = [None, {"a": 1}, "text", 7, [1, {"b": None}], True]
    for number, output in enumerate(outputs):
        await twins.send(str(number), "jobs", {"n": number}, {}, {})
        await fetched(twins, "jobs")
        await twins.node.call("complete", "jobs", *twins.node_ids(str(number)), output)
        await twins.ours.complete("jobs", twins.our_ids(str(number)), output)
    await twins.send("left active", "jobs", {"n": "active"}, {}, {})
    await fetched(twins, "jobs")
    await twins.send("never fetched", "jobs", {"n": "waiting"}, {}, {})
    await twins.node.call("complete", "jobs", *twins.node_ids("never fetched"), {"early": 1}, {"includeQueued": True})
    await twins.ours.complete("jobs", twins.our_ids("never fetched"), {"early": 1}, include_queued=True)

    twins.assert_same_jobs()


async def test_fail_with_retries_left_and_without(twins: Twins) -> None:
    await create(twins, "dead", {"retryLimit": 5, "notify": True}, retry_limit=5, notify=True)
    limits = {"retryLimit": 1, "retryDelay": 0}
    await create(twins, "jobs", limits | {"deadLetter": "dead"}, retry_limit=1, dead_letter="dead")
    sent = (
        {"priority": 4, "singletonKey": "k", "group": {"id": "g"}},
        {"priority": 4, "singleton_key": "k", "group_id": "g"},
    )
    for label in ("once", "twice"):
        await twins.send(label, "jobs", {"n": label}, *sent)
    await twins.send("final", "jobs", {"n": "final"}, {"retryLimit": 0}, {"retry_limit": 0})
    await twins.send("waiting", "jobs", {"n": "waiting"}, {"startAfter": 60}, {"start_after": 60})
    await fetched(twins, "jobs", 3)
    labels = ("once", "twice", "final", "waiting")
    await twins.node.call("fail", "jobs", twins.node_ids(*labels), {"reason": "first"})
    await twins.ours.fail("jobs", twins.our_ids(*labels), {"reason": "first"})
    await fetched(twins, "jobs", 3)
    await twins.node.call("fail", "jobs", twins.node_ids("twice"), "second")
    await twins.ours.fail("jobs", twins.our_ids("twice"), "second")

    twins.assert_same_jobs()


async def test_backoff(twins: Twins) -> None:
    """The random part differs, so the rows' delays are held against their bounds: base x 2^n / 2 to base x 2^n."""
    backoff = {"retryLimit": 20, "retryDelay": 10, "retryBackoff": True}
    ours = {"retry_limit": 20, "retry_delay": 10, "retry_backoff": True}
    await create(twins, "jobs", backoff, **ours)
    await create(twins, "capped", backoff | {"retryDelayMax": 15}, **ours, retry_delay_max=15)
    for queue in ("jobs", "capped"):
        for label in ("a", "b", "c"):
            await twins.send(queue + label, queue, {"n": label}, {}, {})
        await fetched(twins, queue, 3)
        labels = [queue + label for label in ("a", "b", "c")]
        await twins.node.call("fail", queue, twins.node_ids(*labels))
        await twins.ours.fail(queue, twins.our_ids(*labels))

    twins.assert_same_jobs(random_start=True)
    for schema in (NODE_SCHEMA, OUR_SCHEMA):
        for row in twins.rows(schema):
            delay = (row["start_after"] - row["started_on"]).total_seconds()
            assert 10 <= delay <= (21.5 if row["name"] == "jobs" else 16.5)


async def test_cancel_resume_retry_touch_delete(twins: Twins) -> None:
    await create(twins, "jobs", {"heartbeatSeconds": 30}, heartbeat_seconds=30)
    labels = ("cancelled", "resumed", "resumed late", "retried", "deleted", "touched", "deleted waiting")
    for priority, label in enumerate(reversed(labels)):
        options = {"priority": priority, "retryLimit": 0}, {"priority": priority, "retry_limit": 0}
        await twins.send(label, "jobs", {"n": label}, *options)
    await fetched(twins, "jobs", 6)
    calls = [
        ("cancel", "cancel", ("cancelled", "resumed", "resumed late")),
        ("resume", "resume", ("resumed",)),
        ("fail", "fail", ("retried",)),
        ("retry", "retry", ("retried",)),
        ("touch", "touch", ("touched",)),
        ("deleteJob", "delete_job", ("deleted", "deleted waiting")),
        ("resume", "resume", ("resumed late", "touched")),
    ]
    for theirs, ours, about in calls:
        node_result = await twins.node.call(theirs, "jobs", twins.node_ids(*about))
        our_result = await getattr(twins.ours, ours)("jobs", twins.our_ids(*about))
        assert our_result.affected == node_result["affected"], theirs
        assert len(our_result.requested) == node_result["requested"]

    twins.assert_same_jobs()


async def test_a_retry_whose_slot_is_taken_fails_instead(twins: Twins) -> None:
    await create(twins, "dead")
    await create(twins, "jobs", {"policy": "stately", "deadLetter": "dead"}, policy="stately", dead_letter="dead")
    await twins.send("first", "jobs", {"n": 1}, {"priority": 1}, {"priority": 1})
    await fetched(twins, "jobs")
    await twins.send("second", "jobs", {"n": 2}, {"priority": 2}, {"priority": 2})
    await twins.node.call("fail", "jobs", twins.node_ids("first"), "first")
    await twins.ours.fail("jobs", twins.our_ids("first"), "first")
    await fetched(twins, "jobs")
    await twins.node.call("fail", "jobs", twins.node_ids("second"), "second")
    await twins.ours.fail("jobs", twins.our_ids("second"), "second")

    twins.assert_same_jobs()
    assert {row["state"] for row in twins.rows(OUR_SCHEMA)} == {"retry", "failed", "created"}


async def test_fenced_calls_touch_only_their_attempt(twins: Twins) -> None:
    await create(twins, "jobs", {"retryLimit": 3}, retry_limit=3)
    await twins.send("job", "jobs", {"n": 1}, {}, {})
    [stale_node] = await twins.node.call("fetch", "jobs")
    [stale_ours] = await twins.ours.fetch("jobs")
    await twins.node.call("fail", "jobs", twins.node_ids("job"))
    await twins.ours.fail("jobs", twins.our_ids("job"))
    await fetched(twins, "jobs")
    stale = {"id": stale_node["id"], "retryCount": stale_node["retryCount"]}
    calls = {"complete": "complete", "fail": "fail", "cancel": "cancel", "touch": "touch", "deleteJob": "delete_job"}
    for theirs, ours in calls.items():
        node_result = await twins.node.call(theirs, "jobs", stale)
        our_result = await getattr(twins.ours, ours)("jobs", stale_ours)
        assert our_result.affected == node_result["affected"] == 0

    twins.assert_same_jobs()


async def test_errors_are_stored_alike(twins: Twins) -> None:
    await create(twins, "jobs", {"retryLimit": 0}, retry_limit=0)
    for label in ("plain", "wrapped"):
        await twins.send(label, "jobs", {"n": label}, {}, {})
    await fetched(twins, "jobs", 2)
    await twins.ours.fail("jobs", twins.our_ids("plain"), ValueError("no good"))

    [row] = [row for row in twins.rows(OUR_SCHEMA) if row["output"]]

    assert row["output"]["name"] == "ValueError"
    assert row["output"]["message"] == "no good"
    assert "ValueError: no good" in row["output"]["stack"]
