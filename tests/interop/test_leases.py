"""Queues that Node made have no heartbeat; ``lease_seconds`` gives their jobs one when we claim them."""

from __future__ import annotations

import asyncio
import signal
from datetime import timedelta
from typing import Any

import pytest

from pgboss import Job, QueueOptions
from support.boss import BossFactory
from support.eventually import eventually
from support.node import NodeBoss, NodeBossFactory
from support.postgres import sql
from support.worker_process import WorkerProcess

pytestmark = pytest.mark.node


def rows(url: str, columns: str) -> list[dict[str, Any]]:
    return sql(url, f"SELECT {columns} FROM pgboss.job ORDER BY created_on, priority DESC")


async def made_by_node(node_boss: NodeBossFactory, **options: Any) -> NodeBoss:
    node = await node_boss("pgboss")
    await node.call("createQueue", "nodes-own", {"retryLimit": 2, "retryDelay": 0, **options})
    return node


async def test_a_claim_gives_a_lease_to_jobs_that_have_none(
    node_boss: NodeBossFactory, make_boss: BossFactory, database_url: str
) -> None:
    node = await made_by_node(node_boss)
    boss = await make_boss(queue_defaults=QueueOptions())
    await node.call("send", "nodes-own", {"lease": "none"})
    await node.call("send", "nodes-own", {"lease": "its own"}, {"heartbeatSeconds": 77})
    seen: list[Job] = []
    release = asyncio.Event()

    async def handler(job: Job) -> None:
        seen.append(job)
        await release.wait()

    await boss.work("nodes-own", handler, concurrency=2, lease_seconds=timedelta(seconds=12))
    await eventually(lambda: len(seen) == 2)

    assert {job.data["lease"]: job.heartbeat_seconds for job in seen} == {"none": 12, "its own": 77}
    first = rows(database_url, "heartbeat_seconds, heartbeat_on")[0]
    assert first["heartbeat_seconds"] == 12
    await eventually(lambda: rows(database_url, "heartbeat_on")[0]["heartbeat_on"] > first["heartbeat_on"], within=8)
    release.set()
    await eventually(lambda: [row["state"] for row in rows(database_url, "state::text")] == ["completed"] * 2)


async def test_without_the_option_the_row_stays_as_it_was(
    node_boss: NodeBossFactory, make_boss: BossFactory, database_url: str
) -> None:
    node = await made_by_node(node_boss)
    boss = await make_boss(queue_defaults=QueueOptions())
    await node.call("send", "nodes-own", {})

    async def handler(job: Job) -> None:
        assert job.heartbeat_seconds is None

    await boss.work("nodes-own", handler)
    await eventually(lambda: rows(database_url, "state::text, heartbeat_seconds")[0]["state"] == "completed")
    assert rows(database_url, "heartbeat_seconds") == [{"heartbeat_seconds": None}]


@pytest.mark.slow
async def test_node_retries_and_works_what_a_killed_worker_had_leased(
    node_boss: NodeBossFactory, database_url: str
) -> None:
    """The sweep is Node's own, and so is the second attempt."""
    node = await made_by_node(node_boss)
    await node.call("send", "nodes-own", {"seconds": 60})
    # The job waits already, so that the process may begin it before it says that it is ready.
    async with WorkerProcess(database_url, is_ready=False) as killed:
        await killed.said("BEGAN")
        killed.signal(signal.SIGKILL)
        await killed.exit_code()
    sql(database_url, "UPDATE pgboss.job SET heartbeat_on = heartbeat_on - interval '11 seconds'")
    # The killed worker's process has taken this minute's turn of the monitor, by which Node sweeps.
    sql(database_url, "UPDATE pgboss.queue SET monitor_claim_on = NULL, monitor_on = NULL")

    await node.call("supervise", "nodes-own")
    assert rows(database_url, "state::text, heartbeat_seconds") == [{"state": "retry", "heartbeat_seconds": 10}]
    await node.work("nodes-own", {"return": {"worked": "by Node"}})

    await eventually(lambda: rows(database_url, "state::text")[0]["state"] == "completed", within=10)
    assert rows(database_url, "retry_count, output") == [{"retry_count": 1, "output": {"worked": "by Node"}}]
