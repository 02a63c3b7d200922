"""One of several worker processes: what it runs, and how it hears of its supervisor's wishes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any

from pgboss.boss.boss import PgBoss
from pgboss.boss.run import run_to_the_end
from pgboss.boss.signals import STOP_SIGNALS
from pgboss.errors import PgBossError
from pgboss.jobs import Jobs
from pgboss.runtime.addresses import Address, find
from pgboss.runtime.channel import Channel
from pgboss.runtime.spawned import own_loggers_again

__all__ = ["work", "work_found"]

logger = logging.getLogger("pgboss")


def work(
    channel: Channel,
    *,
    number: int,
    registries: Sequence[Address],
    dsn: str | None,
    stop_timeout: float,
    options: dict[str, Any],
) -> None:
    """Work the jobs of registries that are found by name: the target of ``run_worker(…, processes=N)``."""
    work_found(
        channel,
        lambda: [find(address) for address in registries],
        dsn,
        stop_timeout=stop_timeout,
        options=options,
    )


def work_found(
    channel: Channel,
    find_jobs: Callable[[], Jobs | Sequence[Jobs]],
    dsn: str | None,
    *,
    stop_timeout: float,
    options: dict[str, Any],
) -> None:
    """Work until the supervisor, or a signal, says stop; whatever keeps it from starting is told to the supervisor."""
    try:
        jobs = find_jobs()
        own_loggers_again()
        boss = PgBoss(dsn, jobs=jobs, **options)
        run_to_the_end(_serve(channel, boss, stop_timeout))
    except Exception as error:
        details = vars(error) if isinstance(error, PgBossError) else {}
        if not isinstance(error, PgBossError):
            logger.error("the worker process failed", exc_info=error)
        channel.send(("failed", type(error).__name__, str(error), {**details}))
        raise SystemExit(1) from None


async def _serve(channel: Channel, boss: PgBoss, stop_timeout: float) -> None:
    loop = asyncio.get_running_loop()
    told = asyncio.Event()

    def obey(message: Any) -> None:
        told.set()
        if message == ("hurry",):
            boss.hurry()

    def hear(message: Any) -> None:
        loop.call_soon_threadsafe(obey, message)

    channel.listen(hear)
    # The second signal is the supervisor's to count: a service manager sends one to each process, and it sends its own.
    for number in STOP_SIGNALS:
        loop.add_signal_handler(number, told.set)
    starting = asyncio.create_task(boss.start())
    stopping = asyncio.create_task(told.wait())
    await asyncio.wait([starting, stopping], return_when=asyncio.FIRST_COMPLETED)
    try:
        if not told.is_set():
            await starting
            channel.send(("ready",))
            await stopping
    finally:
        await asyncio.gather(starting, return_exceptions=True)
        stopping.cancel()
        await boss.stop(timeout=stop_timeout)
