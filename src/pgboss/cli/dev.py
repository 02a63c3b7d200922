"""``pgboss dev``: a database and a worker, to try things with."""

from __future__ import annotations

import shlex
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import TYPE_CHECKING, Annotated

import typer

from pgboss.cli.invocation import invocation
from pgboss.cli.logs import LogLevel, set_up_logging
from pgboss.cli.serve import lacking_for_web
from pgboss.cli.worker import STOP_TIMEOUT_SECONDS, Concurrency, LogLevelOption, OnlyQueues, StopTimeout, describe_work
from pgboss.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

    from pgboss.boss import PgBoss
    from pgboss.embedded import EmbeddedServer
    from pgboss.jobs import Jobs

__all__ = ["dev"]


def dev(
    context: typer.Context,
    places: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[MODULE:JOBS]...",
            help="Job definitions to work, as for `pgboss worker`; without any there is a database only.",
            show_default=False,
        ),
    ] = None,
    *,
    name: Annotated[
        str, typer.Option(metavar="NAME", help="Which database; each name keeps data of its own.")
    ] = "default",
    queue: OnlyQueues = None,
    concurrency: Concurrency = None,
    timeout: StopTimeout = STOP_TIMEOUT_SECONDS,
    port: Annotated[
        int | None,
        typer.Option(
            metavar="PORT",
            min=0,
            max=65535,
            help="Where this machine finds the dashboard. [default: 8686, or any when that is taken]",
            show_default=False,
        ),
    ] = None,
    log_level: LogLevelOption = LogLevel.INFO,
) -> None:
    """Run a database that keeps its data, a worker, and the dashboard.

    Several of these, and other programs, may share one database: it stops with the last `pgboss dev` of its name.
    Needs the extra: pip install 'pgboss[embedded]'; and for the dashboard pip install 'pgboss[embedded,web]'.
    """
    from pgboss.boss import PgBoss
    from pgboss.boss.run import run_to_the_end

    _refuse_dsn(context)
    jobs = _load(places or [], queue or [])
    set_up_logging(log_level)
    from pgboss import embedded

    schema = invocation(context).schema
    with embedded.start(name) as server:
        boss = PgBoss(server.dsn, jobs=jobs, schema=schema, concurrency=concurrency)

        def welcome(dashboard: str | None) -> None:
            typer.echo(_welcome(server, schema, jobs, dashboard))

        run_to_the_end(_work_and_show(boss, port, timeout, welcome))
    typer.echo("Stopped; the data are kept.")


def _refuse_dsn(context: typer.Context) -> None:
    if invocation(context).dsn:
        raise ConfigurationError("`pgboss dev` brings its own database: leave --dsn out, or use `pgboss worker`.")


async def _work_and_show(
    boss: PgBoss,
    port: int | None,
    stop_timeout: float,
    welcome: Callable[[str | None], None],
) -> None:
    async with _dashboard(boss, port) as address:
        await boss.serve(stop_timeout=stop_timeout, on_ready=lambda: welcome(address))


def _dashboard(boss: PgBoss, port: int | None) -> AbstractAsyncContextManager[str | None]:
    """The address of the dashboard while the block runs; none where the extra is not installed."""
    if lacking_for_web():
        return nullcontext()
    from pgboss.web import show

    return show(boss, port=port)


def _load(places: list[str], queues: list[str]) -> Jobs:
    from pgboss.cli.loading import load_jobs, only_queues

    jobs = load_jobs(places)
    return only_queues(jobs, queues) if places or queues else jobs


def _welcome(server: EmbeddedServer, schema: str | None, jobs: Jobs, dashboard: str | None) -> str:
    dsn = shlex.quote(server.dsn)
    settings = [f"  export DATABASE_URL={dsn}"]
    if schema:
        settings.append(f"  export PGBOSS_SCHEMA={shlex.quote(schema)}")
    return "\n".join(
        [
            f"PostgreSQL {server.version} is running; its data are in {server.data_dir}.",
            f"Working {describe_work(jobs)}." if len(jobs) else "No jobs are worked: name a module to work them.",
            f"Dashboard: {dashboard}/" if dashboard else "For a dashboard: pip install 'pgboss[web]'.",
            "",
            "For other programs, Node's too, and for pgboss in another terminal:",
            "",
            *settings,
            "",
            f"To look into it: psql {dsn}",
            "Stop with Ctrl-C.",
        ]
    )
