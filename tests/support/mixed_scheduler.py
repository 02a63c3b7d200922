"""One of the processes of the mixed suite of schedules: an instance of ours that does nothing but take part in firing.

Told its DSN by its first line of input; ends with its input, if it is not killed before.
"""

from __future__ import annotations

import asyncio
import sys

from pgboss import PgBoss


async def main(dsn: str) -> None:
    async with PgBoss(
        dsn,
        work=False,
        supervise=False,
        pool_size=3,
        cron_monitor_interval_seconds=1,
        cron_worker_interval_seconds=1,
    ):
        sys.stdout.write("READY\n")
        sys.stdout.flush()
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main(sys.stdin.readline().strip()))
