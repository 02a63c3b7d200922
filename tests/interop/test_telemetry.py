"""One trace over both sides: Node sends and we handle, and the other way around, each with its real SDK."""

from __future__ import annotations

from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan

from pgboss import Job
from support.boss import BossFactory
from support.eventually import eventually
from support.node import NodeBossFactory
from support.telemetry import Collected

pytestmark = pytest.mark.node

KINDS = {"INTERNAL": 0, "SERVER": 1, "CLIENT": 2, "PRODUCER": 3, "CONSUMER": 4}


def comparable(attributes: Any) -> dict[str, Any]:
    return {name: value for name, value in dict(attributes).items() if name != "messaging.message.id"}


async def node_span(node: Any, name: str) -> dict[str, Any]:
    async def found() -> dict[str, Any] | None:
        spans = [span for span in await node.process.request("spans") if span["name"] == name]
        return spans[0] if spans else None

    return await eventually(found)


async def our_span(collected: Collected, name: str) -> ReadableSpan:
    await eventually(lambda: collected.spans(name))
    return collected.span(name)


async def test_both_ways(make_boss: BossFactory, node_boss: NodeBossFactory) -> None:
    collected = Collected()
    node = await node_boss(traced=True)
    boss = await make_boss(open_telemetry=collected.options(propagate_context=True))
    await boss.create_queue("to-python", notify=True)
    await boss.create_queue("to-node", notify=True)

    async def handler(job: Job) -> None:
        assert job.data == {"from": "node"}
        await boss.send("to-node", {"from": "python"})

    await boss.work("to-python", handler)
    await node.work("to-node")
    await node.process.request(
        "callWithin", boss=node.name, span="request", method="send", args=["to-python", {"from": "node"}]
    )

    processed = await our_span(collected, "process to-python")
    answered = await our_span(collected, "send to-node")
    node_sent = await node_span(node, "send to-python")
    node_processed = await node_span(node, "process to-node")

    # One trace, from the request in Node over our handler back to a handler in Node.
    trace_id = node_sent["traceId"]
    assert {f"{processed.context.trace_id:032x}", f"{answered.context.trace_id:032x}", node_processed["traceId"]} == {
        trace_id
    }
    assert processed.parent is not None
    assert f"{processed.parent.span_id:016x}" == node_sent["spanId"]
    assert node_processed["parentId"] == f"{answered.context.span_id:016x}"

    # The same names, kinds and attributes on both sides.
    assert KINDS[answered.kind.name] == node_sent["kind"]
    assert KINDS[processed.kind.name] == node_processed["kind"]
    for ours, theirs in ((answered, node_sent), (processed, node_processed)):
        mine, other = comparable(ours.attributes), comparable(theirs["attributes"])
        assert mine | {"messaging.destination.name": ""} == other | {"messaging.destination.name": ""}


async def test_the_same_calls_make_the_same_spans(make_boss: BossFactory, node_boss: NodeBossFactory) -> None:
    collected = Collected()
    node = await node_boss(traced=True)
    boss = await make_boss(open_telemetry=collected.options(propagate_context=True))
    await boss.create_queue("calls")
    await node.call("insert", "calls", [{"data": {"a": 1}}, {"data": {"a": 2}}])
    jobs = await node.call("fetch", "calls", {"batchSize": 2})
    await node.call("complete", "calls", jobs[0]["id"])
    await node.call("fail", "calls", jobs[1]["id"])
    await node.call("cancel", "calls", jobs[1]["id"])
    await node.call("deleteJob", "calls", jobs[1]["id"])
    await node.call("deleteAllJobs", "calls")
    await boss.insert("calls", [{"data": {"a": 1}}, {"data": {"a": 2}}])
    ours = await boss.fetch("calls", batch_size=2)
    await boss.complete("calls", ours[0].id)
    await boss.fail("calls", ours[1].id)
    await boss.cancel("calls", ours[1].id)
    await boss.delete_job("calls", ours[1].id)

    for name in ("insert calls", "receive calls", "complete calls", "fail calls", "cancel calls", "delete calls"):
        theirs, mine = await node_span(node, name), collected.span(name)
        assert comparable(mine.attributes) == comparable(theirs["attributes"])
        assert KINDS[mine.kind.name] == theirs["kind"]
        assert len(mine.links) == len(theirs["links"])


async def test_batches_link_over_the_border(make_boss: BossFactory, node_boss: NodeBossFactory) -> None:
    collected = Collected()
    node = await node_boss(traced=True)
    boss = await make_boss(open_telemetry=collected.options())
    await boss.create_queue("batch")
    await node.call("insert", "batch", [{"data": 1}, {"data": 2}])

    await boss.work("batch", lambda jobs: None, batch_size=2)

    processed = await our_span(collected, "process batch")
    sent = await node_span(node, "insert batch")
    assert {f"{link.context.span_id:016x}" for link in processed.links} == {sent["spanId"]}
    assert processed.parent is None
