"""Pausing queues and instances, from any process."""

from __future__ import annotations

import asyncio

import pytest

from pgboss import Job, PgBoss, QueueNotFoundError
from support.boss import BossFactory
from support.eventually import eventually
from support.node import NodeBossFactory


async def states(boss: PgBoss, queue: str) -> list[str]:
    return sorted(job.state for job in await boss.find_jobs(queue))


async def test_a_paused_queue_is_not_claimed_from_until_it_is_resumed(boss: PgBoss, make_boss: BossFactory) -> None:
    worker = await make_boss()
    started, release = asyncio.Event(), asyncio.Event()

    async def handler(job: Job) -> None:
        started.set()
        await release.wait()

    for queue in ("paused", "other"):
        await boss.create_queue(queue)
        await worker.work(queue, handler, concurrency=1)
    await boss.send("paused")
    await started.wait()

    assert await boss.get_pauses() == []
    assert not await boss.resume_queue("paused")
    await boss.pause_queue("paused")
    await boss.pause_queue("paused")
    [pause] = await boss.get_pauses()
    assert (pause.kind, pause.target) == ("queue", "paused")
    assert worker._crew is not None
    [paused] = worker._crew.named("paused")
    await eventually(lambda: paused._is_paused)

    release.set()
    await boss.send("paused")
    await boss.send("other")
    await eventually(lambda: is_all(boss, "other", ["completed"]))
    assert await states(boss, "paused") == ["completed", "created"]

    assert await boss.resume_queue("paused")
    await eventually(lambda: is_all(boss, "paused", ["completed", "completed"]))


async def is_all(boss: PgBoss, queue: str, wanted: list[str]) -> bool:
    return await states(boss, queue) == wanted


async def test_a_paused_instance_leaves_its_work_to_others(boss: PgBoss, make_boss: BossFactory) -> None:
    worked: list[str] = []
    first, second = await make_boss(), await make_boss()
    await boss.create_queue("jobs")
    for name, instance in (("first", first), ("second", second)):

        async def handler(job: Job, name: str = name) -> None:
            worked.append(name)

        await instance.work("jobs", handler)
    await boss.pause_instance(first.id)
    await eventually(lambda: all(one._is_paused for one in first._crew.named("jobs")) if first._crew else None)

    await boss.insert("jobs", [{} for _ in range(20)])
    await eventually(lambda: len(worked) == 20)
    assert set(worked) == {"second"}

    assert await boss.resume_instance(str(first.id))
    assert await boss.get_pauses() == []


async def test_a_queue_that_is_not_there_cannot_be_paused(boss: PgBoss) -> None:
    with pytest.raises(QueueNotFoundError):
        await boss.pause_queue("nowhere")


async def test_two_may_pause_for_the_first_time_at_once(boss: PgBoss) -> None:
    await boss.create_queue("jobs")

    await asyncio.gather(*(boss.pause_queue("jobs") for _ in range(4)))
    assert [pause.target for pause in await boss.get_pauses()] == ["jobs"]


@pytest.mark.node
async def test_our_table_is_no_drift_to_node(boss: PgBoss, node_boss: NodeBossFactory) -> None:
    await boss.create_queue("jobs")
    await boss.pause_queue("jobs")

    node = await node_boss()
    assert (await node.call("detectSchemaDrift"))["ok"]
