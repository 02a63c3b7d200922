"""``run_worker``: a whole worker process in one blocking call, with signals."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import Callable, Iterable
from typing import Any

from pgboss.boss.boss import STOP_TIMEOUT_SECONDS, PgBoss
from pgboss.jobs import Jobs

__all__ = ["run_worker"]

LINGER_SECONDS = 1.0

logger = logging.getLogger("pgboss")


def run_worker(
    jobs: Jobs | Iterable[Jobs],
    dsn: str | None = None,
    *,
    stop_timeout: float = STOP_TIMEOUT_SECONDS,
    on_ready: Callable[[], None] | None = None,
    **options: Any,
) -> None:
    """Work jobs until SIGTERM or SIGINT, then stop cleanly: ``PgBoss.serve``, for programs that are not async.

    The process ends also when a handler ignores its cancellation.

    Args:
        jobs: the definitions to work.
        dsn: any libpq connection string; ``DATABASE_URL`` by default.
        stop_timeout: seconds that running handlers get after the first signal.
        on_ready: called once when the workers run.
        options: whatever ``PgBoss`` takes.

    Raises:
        PgBossError: the start failed; see ``PgBoss.start``.
    """
    boss = PgBoss(dsn, jobs=jobs, **options)
    with asyncio.Runner() as runner:
        runner.run(boss.serve(stop_timeout=stop_timeout, on_ready=on_ready))
        _leave_if_stuck(runner)


def _leave_if_stuck(runner: asyncio.Runner) -> None:
    """End the process when a handler ignores its cancellation: closing the loop would wait for it for ever."""

    async def stuck() -> bool:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        if not others:
            return False
        for task in others:
            task.cancel()
        _, late = await asyncio.wait(others, timeout=LINGER_SECONDS)
        for task in late:
            logger.error("%s ignores its cancellation and is left behind", task.get_name())
        return bool(late)

    if runner.run(stuck()):
        logging.shutdown()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)
