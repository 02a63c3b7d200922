"""A process with an express worker: python express_app.py DSN. It says READY once it works."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import Any

from pgboss import Job, Jobs, run_worker

jobs = Jobs()


def say(*words: object) -> None:
    print(*words, flush=True)  # noqa: T201  how it talks to the test


@jobs.job("express", concurrency=20, express=True, express_seconds=5, retry_limit=2, retry_delay=0, retry_backoff=False)
async def work(payload: dict[str, Any], job: Job) -> str:
    """Wait for as many seconds as the payload says, and then end the process, or be done."""
    say("BEGAN", job.id, job.retry_count)
    await asyncio.sleep(payload.get("seconds", 0))
    if payload.get("kills"):
        os._exit(3)
    return "done"


if __name__ == "__main__":
    run_worker(jobs, sys.argv[1], stop_timeout=5, on_ready=lambda: say("READY"))
