"""``pgboss serve``: the HTTP API and the dashboard, until told to stop."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Annotated

import typer

from pgboss.cli.connection import database_dsn
from pgboss.cli.invocation import invocation
from pgboss.cli.loading import load_jobs
from pgboss.cli.logs import LogLevel, set_up_logging
from pgboss.cli.worker import LogLevelOption
from pgboss.errors import ConfigurationError

if TYPE_CHECKING:
    from pgboss.web.sites import Place

__all__ = ["lacking_for_web", "need_web", "serve"]

# That of pgboss.web.serving, which is not to be imported for the sake of a help text.
DEFAULT_PORT = 8686
LOCALHOST = "127.0.0.1"
NEEDED = ("fastapi", "uvicorn", "jinja2", "itsdangerous", "python_multipart", "prometheus_client")

logger = logging.getLogger("pgboss.cli")


def serve(
    context: typer.Context,
    jobs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[MODULE:JOBS]...",
            help="Job definitions, as for `pgboss worker`, that say what payloads look like. None of them is worked.",
            show_default=False,
        ),
    ] = None,
    *,
    host: Annotated[
        str, typer.Option(metavar="ADDRESS", help="Where to listen; others than this machine's need PGBOSS_API_KEYS.")
    ] = LOCALHOST,
    port: Annotated[int, typer.Option(metavar="PORT", min=0, max=65535, help="0 takes any that is free.")] = (
        DEFAULT_PORT
    ),
    site: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=DSN[#SCHEMA]",
            help="A database, or a schema of one, to serve under /NAME. May be repeated. "
            "[default: PGBOSS_SITES, else the one database at /]",
        ),
    ] = None,
    read_only: Annotated[
        bool, typer.Option("--read-only", help="Let nobody change anything.", show_default=False)
    ] = False,
    root_path: Annotated[
        str, typer.Option(metavar="PATH", help="The path that a proxy in front serves all this under.")
    ] = "",
    log_level: LogLevelOption = LogLevel.INFO,
) -> None:
    """Serve the HTTP API and the dashboard, until SIGTERM or Ctrl-C.

    Without PGBOSS_API_KEYS, only this machine is served. A database that is away is no error: pages say so, and
    recover. Nothing is installed or migrated. Needs the extra: pip install 'pgboss[web]'.
    """
    need_web()
    import asyncio

    from pgboss.web.command import Service, serve_sites
    from pgboss.web.options import WebOptions
    from pgboss.web.serving import listen, refuse_to_be_open

    options = WebOptions.from_environment(**({"read_only": True} if read_only else {}))
    refuse_to_be_open(host, options)
    places, definitions = _places(context, site or []), load_jobs(jobs or [])
    set_up_logging(log_level)
    if not options.keys:
        logger.info("no credentials are configured (PGBOSS_API_KEYS), so only this machine is served")
    with listen(host, port) as listener:
        service = Service(places, options, listener, root_path=root_path.rstrip("/"), jobs=definitions)
        asyncio.run(serve_sites(service, on_ready=lambda address: typer.echo(f"Serving {address}/ until Ctrl-C.")))


def need_web() -> None:
    """Say what is to be installed.

    Raises:
        ConfigurationError: something of the extra ``web`` is not.
    """
    missing = lacking_for_web()
    if missing:
        raise ConfigurationError(f"The HTTP API and dashboard need {', '.join(missing)}: pip install 'pgboss[web]'.")


def lacking_for_web() -> list[str]:
    """What of the extra ``web`` is not installed."""
    from importlib.util import find_spec

    return [name for name in NEEDED if find_spec(name) is None]


def _places(context: typer.Context, sites: list[str]) -> list[Place]:
    from pgboss.settings import load_settings
    from pgboss.web.sites import Place, check_site_names, read_place

    told = invocation(context)
    listed = sites or ([] if told.dsn else [one for one in load_settings().pgboss_sites.split("|") if one.strip()])
    if not listed:
        return [Place("", database_dsn(context), told.schema)]
    if told.dsn or told.schema:
        raise ConfigurationError("Each site names its own database and schema: leave --dsn and --schema out.")
    places = [read_place(one) for one in listed]
    check_site_names([place.name for place in places])
    return places
