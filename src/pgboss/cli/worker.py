"""``pgboss worker``: work jobs until told to stop."""

from __future__ import annotations

import logging
from contextlib import closing
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pgboss.cli.connection import database_dsn
from pgboss.cli.invocation import invocation
from pgboss.cli.logs import LogLevel, set_up_logging
from pgboss.cli.metrics import MetricsPort, need_prometheus
from pgboss.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

    from pgboss.jobs import Jobs
    from pgboss.runtime.channel import Channel

__all__ = ["Concurrency", "LogLevelOption", "OnlyQueues", "StopTimeout", "describe_work", "worker"]

logger = logging.getLogger("pgboss.cli")

STOP_TIMEOUT_SECONDS = 30.0

Concurrency = Annotated[
    int | None,
    typer.Option(
        min=1,
        metavar="N",
        help="How many jobs of a queue run at once, where its definition says nothing. "
        "[default: PGBOSS_CONCURRENCY, else 5]",
    ),
]
OnlyQueues = Annotated[
    list[str] | None,
    typer.Option("--queue", metavar="NAME", help="Work this queue only. May be repeated. [default: all]"),
]
StopTimeout = Annotated[
    float,
    typer.Option(
        "--timeout",
        metavar="SECONDS",
        min=0,
        show_default=False,
        help="How long jobs that run may go on when the worker stops. [default: 30]",
    ),
]
Processes = Annotated[
    int | None,
    typer.Option(
        min=1,
        metavar="N",
        help="Work in N processes, each with its own connections and this concurrency; what ends is started again. "
        "[default: in this process]",
    ),
]
LogLevelOption = Annotated[
    LogLevel, typer.Option(metavar="LEVEL", help="What to log on stderr: debug, info, warning or error.")
]


def worker(
    context: typer.Context,
    places: Annotated[
        list[str],
        typer.Argument(
            metavar="MODULE:JOBS...",
            help="Where the job definitions are: the module, and the name of its Jobs registry.",
            show_default=False,
        ),
    ],
    *,
    queue: OnlyQueues = None,
    concurrency: Concurrency = None,
    processes: Processes = None,
    metrics_port: MetricsPort = None,
    timeout: StopTimeout = STOP_TIMEOUT_SECONDS,
    log_level: LogLevelOption = LogLevel.INFO,
) -> None:
    """Work jobs, until SIGTERM or Ctrl-C.

    Modules are looked for in the current folder, too. The schema and missing queues are created at the start. On the
    first signal, jobs that run may end, and those that wait stay for others; a second one stops at once.
    """
    from pgboss.boss import run_worker
    from pgboss.boss.run import run_processes
    from pgboss.cli.loading import load_jobs, only_queues
    from pgboss.runtime.addresses import Address

    dsn = database_dsn(context)
    jobs = only_queues(load_jobs(places), queue or ())
    set_up_logging(log_level)
    options: dict[str, Any] = {"schema": invocation(context).schema, "concurrency": concurrency}

    def say_ready() -> None:
        where = f" in {processes} processes" if processes else ""
        logger.info("working %s%s; stop with Ctrl-C", describe_work(jobs), where)

    if metrics_port is not None:
        if processes is not None:
            raise ConfigurationError(
                "--metrics-port is for one process: give each process a port by itself, or leave --processes out."
            )
        _work_with_metrics(jobs, dsn, metrics_port, timeout, say_ready, options)
    elif processes is None:
        run_worker(jobs, dsn, stop_timeout=timeout, on_ready=say_ready, **options)
    else:
        arguments = {"places": places, "queues": queue or [], "dsn": dsn, "stop_timeout": timeout, "options": options}
        target = Address(__name__, work_in_process.__name__)
        run_processes(target, arguments, processes, stop_timeout=timeout, on_ready=say_ready)
    logger.info("stopped")


def _work_with_metrics(
    jobs: Jobs, dsn: str, port: int, stop_timeout: float, on_ready: Callable[[], None], options: dict[str, Any]
) -> None:
    need_prometheus()
    from pgboss import PgBoss
    from pgboss.boss.run import run_to_the_end
    from pgboss.prometheus import QueueCollector, WorkerCollector, serve_metrics

    boss = PgBoss(dsn, jobs=jobs, **options)
    queues = QueueCollector(dsn, schema=boss.schema.configured)
    with closing(queues), serve_metrics(queues, WorkerCollector(boss), port=port) as at:
        logger.info("answering Prometheus at port %d", at)
        run_to_the_end(boss.serve(stop_timeout=stop_timeout, on_ready=on_ready))


def work_in_process(
    channel: Channel,
    *,
    number: int,
    places: list[str],
    queues: list[str],
    dsn: str,
    stop_timeout: float,
    options: dict[str, Any],
) -> None:
    """What each of several processes runs."""
    from pgboss.boss.worker_process import work_found
    from pgboss.cli.loading import load_jobs, only_queues

    work_found(channel, lambda: only_queues(load_jobs(places), queues), dsn, stop_timeout=stop_timeout, options=options)


def describe_work(jobs: Jobs) -> str:
    """The queues that are worked, by name."""
    names = [definition.name for definition in jobs if definition.handler is not None]
    return f"{'queue' if len(names) == 1 else f'{len(names)} queues:'} {', '.join(names)}"
