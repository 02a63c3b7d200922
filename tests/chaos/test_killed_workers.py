"""How long the jobs of a worker that was killed with -9 are nobody's: measured once, with nothing sped up."""

from __future__ import annotations

import asyncio
import signal
import time
from uuid import UUID

import pytest

from pgboss import PgBoss, QueueOptions
from support.worker_process import WorkerProcess

pytestmark = [pytest.mark.prove, pytest.mark.timeout(180)]

WITHIN_SECONDS = 90
SHORT_LEASES_WITHIN_SECONDS = 30


async def test_its_jobs_run_elsewhere_within_90_seconds_by_default(database_url: str) -> None:
    """And within 30 with a heartbeat of 10 s, the queue's own or ``lease_seconds`` on one that Node might have made."""
    async with PgBoss(database_url, work=False, supervise=False) as boss:
        await boss.create_queue("plain")
        await boss.create_queue("wait", heartbeat_seconds=10, retry_limit=2)
        async with PgBoss(database_url, supervise=False, queue_defaults=QueueOptions()) as like_node:
            await like_node.create_queue("nodes-own", retry_limit=2, retry_delay=0)
        async with WorkerProcess(database_url) as killed, asyncio.timeout(150):
            ids = {await boss.send(queue, {"seconds": 300}): queue for queue in ("plain", "wait", "nodes-own")}
            for _ in ids:
                await killed.said("BEGAN")
            async with WorkerProcess(database_url, "0") as survivor:
                killed.signal(signal.SIGKILL)
                killed_at = time.monotonic()
                seconds: dict[str, float] = {}
                while len(seconds) < len(ids):
                    _, job_id, retry_count = (await survivor.said("BEGAN", within=150)).split()
                    seconds[ids[UUID(job_id)]] = time.monotonic() - killed_at
                    assert retry_count == "1"
    print("seconds until they ran again:", seconds)  # noqa: T201  what is being measured; shown by pytest -rP
    assert seconds["plain"] < WITHIN_SECONDS, seconds
    assert max(seconds["wait"], seconds["nodes-own"]) < SHORT_LEASES_WITHIN_SECONDS, seconds
