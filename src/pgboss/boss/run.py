"""``run_worker``: a whole worker process in one blocking call, or several, with signals."""

from __future__ import annotations

import asyncio
import logging
import os
import pickle
import sys
from collections.abc import Callable, Coroutine, Iterable
from contextlib import closing
from typing import Any

from pgboss.boss.boss import STOP_TIMEOUT_SECONDS, PgBoss
from pgboss.boss.supervisor import Supervisor
from pgboss.core.checks import check_integer
from pgboss.errors import ConfigurationError
from pgboss.jobs import Jobs, collect
from pgboss.runtime.addresses import Address, NotImportable, address_of_value
from pgboss.settings import Loop, load_settings

__all__ = ["run_processes", "run_to_the_end", "run_worker"]

MOST_PROCESSES = 1000
WORK = Address("pgboss.boss.worker_process", "work")

LINGER_SECONDS = 1.0

logger = logging.getLogger("pgboss")


def run_worker(
    jobs: Jobs | Iterable[Jobs],
    dsn: str | None = None,
    *,
    processes: int | None = None,
    stop_timeout: float = STOP_TIMEOUT_SECONDS,
    on_ready: Callable[[], None] | None = None,
    **options: Any,
) -> None:
    """Work jobs until SIGTERM or SIGINT, then stop cleanly: ``PgBoss.serve``, for programs that are not async.

    The process ends also when a handler ignores its cancellation.

    Args:
        jobs: the definitions to work.
        dsn: any libpq connection string; ``DATABASE_URL`` by default.
        processes: work in so many processes, each a worker of its own, under a supervisor that starts again what ends.
            They import the registries by name, so each must be a variable of a module.
        stop_timeout: seconds that running handlers get after the first signal.
        on_ready: called once when the workers run.
        options: whatever ``PgBoss`` takes.

    Raises:
        PgBossError: the start failed; see ``PgBoss.start``.
    """
    if processes is None:
        boss = PgBoss(dsn, jobs=jobs, **options)
        run_to_the_end(boss.serve(stop_timeout=stop_timeout, on_ready=on_ready))
        return
    registries = [jobs] if isinstance(jobs, Jobs) else list(jobs)
    collect(registries)
    _check_pickled(options)
    arguments = {
        "registries": [_address(registry) for registry in registries],
        "dsn": dsn,
        "stop_timeout": stop_timeout,
        "options": options,
    }
    run_processes(WORK, arguments, processes, stop_timeout=stop_timeout, on_ready=on_ready)


def run_processes(
    target: Address,
    arguments: dict[str, Any],
    processes: int,
    *,
    stop_timeout: float,
    on_ready: Callable[[], None] | None = None,
) -> None:
    """Run worker processes until SIGTERM or SIGINT, and start again what ends.

    Args:
        target: what runs in each of them, with the arguments and its ``number``.
        arguments: plain data.
        processes: how many.
        stop_timeout: seconds that running handlers get after the first signal.
        on_ready: called once when all of them work.

    Raises:
        PgBossError: none of them could start.
    """
    check_integer("processes", processes, 1, MOST_PROCESSES)
    supervisor = Supervisor(target, arguments, processes, stop_timeout_seconds=stop_timeout, on_ready=on_ready)
    asyncio.run(supervisor.run())


def run_to_the_end(main: Coroutine[Any, Any, None]) -> None:
    """Run the main coroutine of a worker process, and end the process when a handler would not let it end.

    Raises:
        ConfigurationError: ``PGBOSS_LOOP`` wants an event loop that is not installed.
    """
    with closing(main), asyncio.Runner(loop_factory=_loop_factory(load_settings().pgboss_loop)) as runner:
        runner.run(main)
        _leave_if_stuck(runner)


def _loop_factory(wanted: Loop) -> Callable[[], asyncio.AbstractEventLoop] | None:
    """What makes the loop; ``None`` for asyncio's own."""
    if wanted == "asyncio":
        return None
    try:
        from uvloop import new_event_loop
    except ImportError as reason:
        if wanted == "auto":
            return None
        raise ConfigurationError(
            f"PGBOSS_LOOP=uvloop needs uvloop, which cannot be imported ({reason}): pip install 'pgboss[uvloop]'."
        ) from None
    return new_event_loop


def _address(registry: Jobs) -> Address:
    try:
        return address_of_value(registry, f"{registry!r}")
    except NotImportable as reason:
        raise ConfigurationError(f"With processes, each Jobs registry must be found by its name: {reason}.") from None


def _check_pickled(options: dict[str, Any]) -> None:
    for name, value in options.items():
        try:
            pickle.dumps(value)
        except Exception as error:  # noqa: BLE001  whatever a value's own pickling raises
            raise ConfigurationError(
                f"With processes, {name} must be plain data that can be given to them, not {value!r}: {error}"
            ) from None


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
