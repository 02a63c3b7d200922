"""One of the processes of the mixed suite: sends its share of the jobs and works all queues, both by us.

Told what to do by its first line of input, JSON: dsn, name, queues and share. Says READY, sends its share at the next
line, says SENT with how many were accepted, and ends with its input. The other two processes are
``tests/interop/node/mixed.mjs``.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from typing import Any

from psycopg_pool import AsyncConnectionPool

from pgboss import Job, PgBoss


class Refused(Exception):  # noqa: N818  no error of the suite
    """The fate of a job whose attempt is to fail."""


async def main(told: dict[str, Any]) -> None:
    name, dsn = told["name"], told["dsn"]
    runs = AsyncConnectionPool(dsn, kwargs={"autocommit": True}, min_size=1, max_size=4, open=False)

    async def handle(job: Job) -> dict[str, str]:
        async with runs.connection() as connection:
            await connection.execute(
                "INSERT INTO mixed_run (id, attempt, worker) VALUES (%s, %s, %s)", (job.id, job.retry_count, name)
            )
        assert isinstance(job.data, dict)
        fate = job.data["fate"]
        if fate == "never" or (fate == "fail_once" and job.retry_count == 0):
            raise Refused(fate)
        return {"by": name}

    await runs.open()
    async with PgBoss(dsn, pool_size=6) as boss:
        for queue in told["queues"]:
            await boss.work(queue, handle, concurrency=10)
        say("READY")
        await asyncio.to_thread(sys.stdin.readline)
        accepted = 0
        for item in told["share"]:
            options = {} if item["key"] is None else {"singleton_key": item["key"]}
            accepted += await boss.send(item["queue"], item["data"], **options) is not None
        say(f"SENT {accepted}")
        await asyncio.to_thread(sys.stdin.read)
    await runs.close()


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def is_unexpected(record: logging.LogRecord) -> bool:
    """Whether it is no report of an attempt that failed, of which the run is full."""
    return not hasattr(record, "attempt")


if __name__ == "__main__":
    logging.getLogger("pgboss.worker").addFilter(is_unexpected)
    asyncio.run(main(json.loads(sys.stdin.readline())))
