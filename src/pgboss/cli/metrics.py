"""``pgboss metrics``: what Prometheus would be told of the queues."""

from __future__ import annotations

from contextlib import closing
from typing import Annotated

import typer

from pgboss.cli.connection import database_dsn
from pgboss.cli.invocation import invocation
from pgboss.cli.output import remark
from pgboss.errors import ConfigurationError

__all__ = ["MetricsPort", "metrics", "need_prometheus"]

MetricsPort = Annotated[
    int | None,
    typer.Option(
        "--metrics-port",
        metavar="PORT",
        min=0,
        max=65535,
        help="Answer Prometheus at this port, with the queues and what this process works. [default: none]",
    ),
]


def metrics(
    context: typer.Context,
    *,
    port: Annotated[
        int | None,
        typer.Option(
            min=0, max=65535, metavar="PORT", help="Answer Prometheus at this port, until Ctrl-C.", show_default=False
        ),
    ] = None,
) -> None:
    """Print metrics of all queues in the format of Prometheus, or answer it until Ctrl-C.

    One process for a schema is enough. Workers tell of themselves with `pgboss worker --metrics-port`.
    """
    need_prometheus()
    from prometheus_client import CollectorRegistry, generate_latest

    from pgboss.prometheus import QueueCollector, serve_metrics
    from pgboss.settings import load_settings

    schema = invocation(context).schema or load_settings().pgboss_schema
    collector = QueueCollector(database_dsn(context), schema=schema)
    with closing(collector):
        if port is None:
            registry = CollectorRegistry(auto_describe=False)
            registry.register(collector)
            typer.echo(generate_latest(registry).decode(), nl=False)
            return
        with serve_metrics(collector, port=port) as at:
            remark(f"Answering Prometheus at port {at}; stop with Ctrl-C.")
            wait_for_signal()


def need_prometheus() -> None:
    """Say what is to be installed.

    Raises:
        ConfigurationError: prometheus-client is not.
    """
    from importlib.util import find_spec

    if find_spec("prometheus_client") is None:
        raise ConfigurationError("Metrics need prometheus-client: pip install 'pgboss[prometheus]'.")


def wait_for_signal() -> None:
    """Until SIGTERM or SIGINT."""
    import signal
    from threading import Event

    told = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: told.set())
    told.wait()
