"""One of the processes of the soak: sends, schedules and works by us until it is told to stop.

Told what to do by its first line of input, JSON: dsn, name, queues, scheduled, rate and ledger. Says READY and
begins; stops sending at the next line and says SENT; ends with its input. What it has sent it appends to the file
``ledger``, an id a line, once the call has returned. The other kind of process is ``tests/interop/node/soak.mjs``.
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
import sys
from pathlib import Path
from typing import Any

from psycopg_pool import AsyncConnectionPool

from pgboss import DatabaseUnavailableError, Job, PgBoss


class Refused(Exception):  # noqa: N818  no error of the suite
    """The fate of a job whose attempt is to fail."""


async def main(told: dict[str, Any]) -> None:
    name, dsn = told["name"], told["dsn"]
    runs = AsyncConnectionPool(dsn, kwargs={"autocommit": True}, min_size=1, max_size=4, open=False)

    async def handle(job: Job) -> dict[str, str]:
        async with runs.connection() as connection:
            await connection.execute(
                "INSERT INTO soak_run (id, attempt, worker) VALUES (%s, %s, %s)", (job.id, job.retry_count, name)
            )
        fate = job.data.get("fate", "ok") if isinstance(job.data, dict) else "ok"
        if fate == "never" or (fate == "fail_once" and job.retry_count == 0):
            raise Refused(fate)
        return {"by": name}

    await runs.open()
    async with PgBoss(
        dsn,
        pool_size=6,
        supervise_interval_seconds=5,
        monitor_interval_seconds=5,
        cron_monitor_interval_seconds=5,
        cron_worker_interval_seconds=1,
        persist_queue_stats=True,
        persist_warnings=True,
    ) as boss:
        for queue in (*told["queues"], told["scheduled"]):
            await boss.work(queue, handle, concurrency=10)
        say("READY")
        stop = asyncio.create_task(asyncio.to_thread(sys.stdin.readline))
        await send_until(stop, boss, told)
        say("SENT")
        await asyncio.to_thread(sys.stdin.read)
    await runs.close()


async def send_until(stop: asyncio.Task[str], boss: PgBoss, told: dict[str, Any]) -> None:
    number = 0
    while not stop.done():
        number += 1
        try:
            sent = await send_one(boss, told, number)
        except DatabaseUnavailableError:
            sent = []
        note(Path(told["ledger"]), sent)
        await asyncio.wait([stop], timeout=1 / told["rate"])


def note(ledger: Path, ids: list[Any]) -> None:
    """Write down what is known to be there; a line at once, because the process may be killed at any moment.

    A line that was torn by that must not run into the next one, so each begins with an end of its own.
    """
    with ledger.open("a") as file:
        file.writelines(f"\n{id}\n" for id in ids)


async def send_one(boss: PgBoss, told: dict[str, Any], number: int) -> list[Any]:
    queues = told["queues"]
    if number % 25 == 0:
        made = await boss.flow(
            [
                {"ref": "a", "name": queues[0], "data": {"fate": "ok"}},
                {"ref": "b", "name": queues[1], "data": {"fate": "fail_once"}},
                {"ref": "c", "name": queues[0], "data": {"fate": "ok"}, "depends_on": ["a", "b"]},
            ]
        )
        return list(made.values())
    queue = queues[number % len(queues)]
    # A job that fails for good blocks its key where order is kept, as it should; there none does.
    [fate] = random.choices(["ok", "fail_once", "never"], [90, 8, 0 if queue == "fifo" else 2])
    id = await boss.send(queue, {"fate": fate}, singleton_key=f"{told['name']}-{number % 7}")
    return [] if id is None else [id]


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING)
    # Attempts that fail are what the run is full of.
    logging.getLogger("pgboss.worker").addFilter(lambda record: not hasattr(record, "attempt"))
    asyncio.run(main(json.loads(sys.stdin.readline())))
