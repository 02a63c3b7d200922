"""A worker process for tests: python app.py DSN [stop timeout]. It says READY once it works.

Each handler writes a line to standard output when it begins, so that a test knows what runs.
"""

from __future__ import annotations

import asyncio
import sys
import threading
from typing import Any

from pgboss import Job, Jobs, run_worker

jobs = Jobs()


def say(*words: object) -> None:
    print(*words, flush=True)  # noqa: T201  how it talks to the test


@jobs.job("wait", concurrency=2, retry_limit=2, retry_delay=0, retry_backoff=False, heartbeat_seconds=10)
async def wait(payload: dict[str, Any], job: Job) -> str:
    """Wait as many seconds as the payload says."""
    say("BEGAN", job.id, job.retry_count)
    await asyncio.sleep(payload["seconds"])
    return "waited"


@jobs.job("hang", concurrency=1, retry_limit=1)
def hang(payload: None, job: Job) -> None:
    """A thread that never returns."""
    say("BEGAN", job.id, job.retry_count)
    threading.Event().wait()


@jobs.job("deaf", concurrency=1, retry_limit=1)
async def deaf(payload: None, job: Job) -> None:
    """Ignores its cancellation."""
    say("BEGAN", job.id, job.retry_count)
    while True:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            say("IGNORED")


@jobs.job("quick", concurrency=1)
async def quick(payload: dict[str, Any], job: Job) -> None:
    """Quick for a while, so that a prefetch builds up, then slow."""
    if payload["seconds"]:
        say("BEGAN", job.id, job.retry_count)
        await asyncio.sleep(payload["seconds"])


@jobs.job("plain", concurrency=2)
async def plain(payload: dict[str, Any], job: Job) -> None:
    """On a queue with our defaults."""
    say("BEGAN", job.id, job.retry_count)
    await asyncio.sleep(payload["seconds"])


@jobs.job("nodes-own", concurrency=2, lease_seconds=10)
async def nodes_own(payload: dict[str, Any], job: Job) -> None:
    """Works a queue that Node has made, without a heartbeat."""
    say("BEGAN", job.id, job.retry_count)
    await asyncio.sleep(payload["seconds"])


@jobs.job("nothing")
async def nothing(payload: dict[str, Any]) -> None:
    """With our defaults in everything."""


if __name__ == "__main__":
    run_worker(
        jobs,
        sys.argv[1],
        stop_timeout=float(sys.argv[2]) if len(sys.argv) > 2 else 30,
        on_ready=lambda: say("READY"),
    )
