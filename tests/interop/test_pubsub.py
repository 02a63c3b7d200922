"""Publishing and subscribing: the same rows as Node's, and each hears the other."""

from __future__ import annotations

from typing import Any

import pytest

from pgboss import QueueOptions
from pgboss.core.checks import Policy
from support.boss import BossFactory
from support.node import NodeBossFactory
from support.postgres import sql
from support.twins import NODE_SCHEMA, OUR_SCHEMA, Twins, comparable

pytestmark = pytest.mark.node


@pytest.fixture
async def twins(database_url: str, node_boss: NodeBossFactory, make_boss: BossFactory) -> Twins:
    node = await node_boss(NODE_SCHEMA)
    ours = await make_boss(schema=OUR_SCHEMA, queue_defaults=QueueOptions())
    return Twins(database_url, node, ours)


def assert_same_subscriptions(twins: Twins) -> list[dict[str, Any]]:
    node, ours = (
        sql(twins.url, f"SELECT * FROM {schema}.subscription ORDER BY event, name")
        for schema in (NODE_SCHEMA, OUR_SCHEMA)
    )
    assert [comparable(row) for row in ours] == [comparable(row) for row in node]
    return ours


async def test_the_same_rows(twins: Twins) -> None:
    policies: dict[str, Policy] = {"a": "standard", "b": "short", "c": "standard", "none": "standard"}
    for name, policy in policies.items():
        await twins.node.call("createQueue", name, {"policy": policy, "partition": name == "c"})
        await twins.ours.create_queue(name, policy=policy, partition=name == "c")
    for event, name in (("user.created", "a"), ("user.created", "b"), ("user.created", "c"), ("ünlikely event", "a")):
        await twins.node.call("subscribe", event, name)
        await twins.ours.subscribe(event, name)
    await twins.node.call("subscribe", "user.created", "a")
    await twins.ours.subscribe("user.created", "a")
    assert_same_subscriptions(twins)
    for event in ("user.created", "user.created", "ünlikely event", "unheard"):
        data = {"e": event}
        await twins.node.call("publish", event, data, {"priority": 3, "singletonKey": "k", "startAfter": 60})
        await twins.ours.publish(event, data, priority=3, singleton_key="k", start_after=60)
    twins.assert_same_jobs()
    for event, name in (("user.created", "a"), ("user.created", "none"), ("unheard", "a")):
        await twins.node.call("unsubscribe", event, name)
        await twins.ours.unsubscribe(event, name)
    await twins.node.call("deleteQueue", "c")
    await twins.ours.delete_queue("c")
    assert [(row["event"], row["name"]) for row in assert_same_subscriptions(twins)] == [
        ("user.created", "b"),
        ("ünlikely event", "a"),
    ]
    await twins.node.call("publish", "user.created", None, {})
    await twins.ours.publish("user.created")
    twins.assert_same_jobs()


async def test_each_hears_the_other(node_boss: NodeBossFactory, make_boss: BossFactory) -> None:
    ours = await make_boss()
    node = await node_boss()
    for name in ("ours", "theirs"):
        await ours.create_queue(name)
    await node.call("subscribe", "said", "ours")
    await ours.subscribe("said", "theirs")
    await node.call("publish", "said", {"by": "node"})
    published = await ours.publish("said", {"by": "python"})

    assert set(published) == {"ours", "theirs"}
    assert sorted(job.data["by"] for job in await ours.fetch("ours", batch_size=9)) == ["node", "python"]
    jobs = await node.call("fetch", "theirs", {"batchSize": 9})
    assert sorted(job["data"]["by"] for job in jobs) == ["node", "python"]
