"""Express workers beside Node's: one queue, each job worked once, and rows that look the same to Node."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from pgboss import Job
from pgboss.testing import TestClock
from support.boss import BossFactory
from support.eventually import eventually
from support.node import NodeBossFactory
from support.postgres import sql, sql_value

pytestmark = pytest.mark.node

START = datetime(2031, 3, 5, 7, 0, tzinfo=UTC)


async def test_node_skips_what_is_locked(node_boss: NodeBossFactory, make_boss: BossFactory) -> None:
    node, ours = await node_boss(), await make_boss()
    begun, let_on = asyncio.Event(), asyncio.Event()

    async def handler(job: Job) -> None:
        begun.set()
        await let_on.wait()

    await node.call("createQueue", "mail")
    sent = await node.call("send", "mail", {"n": 1})
    await ours.work("mail", handler, express=True, express_seconds=5)
    await begun.wait()
    assert not await node.call("fetch", "mail")
    let_on.set()

    async def found() -> bool:
        [job] = await node.call("findJobs", "mail", {"id": sent})
        return bool(job["state"] == "completed")

    await eventually(found)


async def test_a_queue_drained_by_both(node_boss: NodeBossFactory, make_boss: BossFactory, database_url: str) -> None:
    node, ours = await node_boss(), await make_boss()
    ran: list[int] = []

    async def handler(job: Job) -> None:
        ran.append(job.data["n"])

    await ours.create_queue("mail")
    await ours.insert("mail", [{"data": {"n": n}} for n in range(2000)])
    await node.work("mail", batchSize=50)
    await ours.work("mail", handler, express=True)
    await eventually(
        lambda: sql_value(database_url, "SELECT count(*) FROM pgboss.job WHERE state = 'completed'") == 2000, within=20
    )
    batches = await node.handled("mail", 0)
    by_node = [job["data"]["n"] for batch in batches for job in batch.jobs]
    assert sorted([*ran, *by_node]) == list(range(2000))


async def test_times_are_those_of_a_test_clock(make_boss: BossFactory, database_url: str) -> None:
    clock = TestClock(START)
    ours = await make_boss(clock=clock)
    begun, let_on = asyncio.Event(), asyncio.Event()

    async def handler(job: Job) -> None:
        begun.set()
        await let_on.wait()

    await ours.create_queue("mail")
    await ours.send("mail", {})
    await ours.work("mail", handler, express=True, express_seconds=5)
    await begun.wait()
    await clock.tick(2)
    let_on.set()
    [row] = await eventually(
        lambda: sql(database_url, "SELECT started_on, completed_on FROM pgboss.job WHERE state = 'completed'")
    )
    assert (row["started_on"], row["completed_on"]) == (START, START + timedelta(seconds=2))
