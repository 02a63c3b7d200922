"""The server itself goes away and comes back, while everything runs: workers, leases, the listener, flows."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from pgboss import FlowJob, Job, PgBoss, embedded
from support.embedded_client import is_free, postmaster_pid
from support.eventually import eventually, eventually_sync
from support.postgres import sql
from support.proxy import Proxy

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

BACK_WITHIN_SECONDS = 5
LONG_OUTAGE_SECONDS = 20


@pytest.fixture
def root() -> Iterator[Path]:
    """A server's folder, with a short path that everybody may pass through."""
    place = Path(tempfile.mkdtemp(prefix="test-pgboss-"))
    place.chmod(0o755)
    yield place / "server"
    eventually_sync(partial(is_free, place / "server"), within=20)
    shutil.rmtree(place)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL], ids=["restarted", "killed"])
async def test_a_server_that_is_started_again(root: Path, how: signal.Signals) -> None:
    """Every job and every step of the flows is worked, and nothing is left over."""
    worked: Counter[str] = Counter()

    async def handler(job: Job) -> None:
        await asyncio.sleep(0.01)
        worked[job.data] += 1

    with embedded.start(root=root) as server:
        async with PgBoss(server.dsn, pool_size=4) as boss:
            for queue in ("jobs", "steps"):
                await boss.create_queue(queue, heartbeat_seconds=10, retry_limit=5, retry_delay=0)
                await boss.work(queue, handler, concurrency=2)
            for flow in range(10):
                first = FlowJob("first", "steps", f"first of {flow}")
                await boss.flow([first, FlowJob("second", "steps", f"second of {flow}", depends_on=["first"])])
            await boss.insert("jobs", [{"data": f"job {number}"} for number in range(200)])
            await eventually(lambda: len(worked) > 20)
            os.kill(postmaster_pid(root), how)
            await eventually(lambda: asyncio.to_thread(is_away, server.dsn), within=10)
            with embedded.start(root=root):
                so_far, returned = len(worked), time.monotonic()
                # What was claimed when it went is leased to us, and its results are on their way.
                await boss.send("jobs", "after the return")
                await eventually(lambda: worked["after the return"], within=BACK_WITHIN_SECONDS)
                assert time.monotonic() - returned < BACK_WITHIN_SECONDS
                assert len(worked) > so_far
                await eventually(lambda: states(server.dsn) == {"completed": 221}, within=60)
    assert len(worked) == 221


def is_away(dsn: str) -> bool:
    try:
        sql(dsn, "SELECT 1")
    except Exception:  # noqa: BLE001  in whatever way
        return True
    return False


def states(url: str) -> Counter[str]:
    return Counter(row["state"] for row in sql(url, "SELECT state::text FROM pgboss.job"))


async def test_a_long_outage_makes_no_long_return(database_url: str) -> None:
    """Pauses between attempts to connect do not grow with the outage."""
    worked: list[Job] = []
    async with Proxy(database_url) as proxy, PgBoss(proxy.dsn, pool_size=4) as boss:
        await boss.create_queue("jobs", heartbeat_seconds=30)
        await boss.work("jobs", worked.append)
        await proxy.shut()
        await asyncio.sleep(LONG_OUTAGE_SECONDS)  # that is what is being tested
        await proxy.open()
        returned = time.monotonic()
        async with PgBoss(database_url, work=False, supervise=False) as sender:
            await sender.send("jobs")
        await eventually(lambda: worked, within=BACK_WITHIN_SECONDS)
        assert time.monotonic() - returned < BACK_WITHIN_SECONDS
