"""What a finished job held back, the rest of its key, is claimed at once and not at the next poll."""

from __future__ import annotations

import time

import pytest

from pgboss import Job, PgBoss
from pgboss.core.checks import Policy
from support.eventually import eventually

POLL_SECONDS = 0.5


@pytest.mark.parametrize("policy", ["key_strict_fifo", "singleton"])
async def test_a_key_drains_without_waiting_for_polls(boss: PgBoss, policy: Policy) -> None:
    await boss.create_queue("ledger", policy=policy)
    await boss.insert("ledger", [{"data": number, "singleton_key": "account"} for number in range(50)])
    done: list[object] = []

    async def handle(job: Job) -> None:
        done.append(job.data)

    began = time.monotonic()
    await boss.work("ledger", handle, concurrency=4)

    await eventually(lambda: len(done) == 50, within=20)
    assert time.monotonic() - began < 50 * POLL_SECONDS / 5


async def test_what_waits_behind_a_held_key_is_not_overlooked(boss: PgBoss) -> None:
    await boss.create_queue("ledger", policy="singleton")
    jobs = [{"data": number, "singleton_key": f"account {number // 10}"} for number in range(100)]
    await boss.insert("ledger", jobs)
    running: set[str | None] = set()
    most: list[int] = []
    everybody = 10

    async def handle(job: Job) -> None:
        assert job.singleton_key not in running
        running.add(job.singleton_key)
        most.append(len(running))
        await eventually(lambda: max(most) == everybody)
        running.remove(job.singleton_key)

    began = time.monotonic()
    await boss.work("ledger", handle, concurrency=everybody)

    await eventually(lambda: len(most) == 100 and not running, within=20)
    # All keys were worked side by side although a first batch held jobs of one key only.
    assert time.monotonic() - began < everybody * POLL_SECONDS
