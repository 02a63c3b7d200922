"""A worker program whose main module holds the handlers, and runs them in processes:

python process_app.py DSN [stop timeout [number of worker processes]]
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

from pgboss import Job, Jobs, run_worker

jobs = Jobs()


def say(*words: object) -> None:
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


@jobs.job("wait", executor="process", concurrency=2, retry_limit=2, retry_delay=0, retry_backoff=False)
def wait(payload: dict[str, Any], job: Job) -> str:
    """Wait, in a process of its own."""
    say("BEGAN", os.getpid(), os.getppid())
    if not job.cancelled.wait(payload["seconds"]):
        return f"waited as {__name__}"
    say("CANCELLED")
    return "late"


@jobs.job("count", executor="process", concurrency=2, retry_limit=50, retry_delay=0, retry_backoff=False)
def count(payload: dict[str, Any], job: Job) -> int:
    """Leave a line for each run that has come to its end."""
    time.sleep(payload["seconds"])
    with Path(payload["file"]).open("a") as file:
        file.write(f"{payload['number']}\n")
    return os.getpid()


@jobs.job("here", concurrency=1)
def here(payload: dict[str, Any], job: Job) -> str:
    """Wait, in a thread."""
    say("HERE", os.getpid())
    job.cancelled.wait(payload["seconds"])
    return __name__


if __name__ == "__main__":
    run_worker(
        jobs,
        sys.argv[1],
        stop_timeout=float(sys.argv[2]) if len(sys.argv) > 2 else 30,
        processes=int(sys.argv[3]) if len(sys.argv) > 3 else None,
        on_ready=lambda: say("READY"),
    )
