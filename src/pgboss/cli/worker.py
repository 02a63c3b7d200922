"""``pgboss worker``: work jobs until told to stop."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Annotated

import typer

from pgboss.cli.connection import database_dsn
from pgboss.cli.invocation import invocation
from pgboss.cli.logs import LogLevel, set_up_logging

if TYPE_CHECKING:
    from pgboss.jobs import Jobs

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
    timeout: StopTimeout = STOP_TIMEOUT_SECONDS,
    log_level: LogLevelOption = LogLevel.INFO,
) -> None:
    """Work jobs, until SIGTERM or Ctrl-C.

    Modules are looked for in the current folder, too. The schema and missing queues are created at the start. On the
    first signal, jobs that run may end, and those that wait stay for others; a second one stops at once.
    """
    from pgboss.boss import run_worker
    from pgboss.cli.loading import load_jobs, only_queues

    dsn = database_dsn(context)
    jobs = only_queues(load_jobs(places), queue or ())
    set_up_logging(log_level)
    run_worker(
        jobs,
        dsn,
        schema=invocation(context).schema,
        concurrency=concurrency,
        stop_timeout=timeout,
        on_ready=lambda: logger.info("working %s; stop with Ctrl-C", describe_work(jobs)),
    )
    logger.info("stopped")


def describe_work(jobs: Jobs) -> str:
    """The queues that are worked, by name."""
    names = [definition.name for definition in jobs if definition.handler is not None]
    return f"{'queue' if len(names) == 1 else f'{len(names)} queues:'} {', '.join(names)}"
