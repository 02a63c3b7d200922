"""The port that Prometheus asks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.registry import Collector

from pgboss.errors import ConfigurationError

__all__ = ["serve_metrics"]


@contextmanager
def serve_metrics(*collectors: Collector, port: int, host: str = "0.0.0.0") -> Iterator[int]:  # noqa: S104  Prometheus is elsewhere
    """Answer Prometheus at ``/metrics`` within the block; yields the port, which is chosen by the system for 0.

    Raises:
        ConfigurationError: the port cannot be had.
    """
    registry = CollectorRegistry(auto_describe=False)
    for collector in collectors:
        registry.register(collector)
    try:
        server, thread = start_http_server(port, addr=host, registry=registry)
    except OSError as error:
        raise ConfigurationError(f"Port {port} of {host} cannot be had for metrics: {error.strerror}.") from error
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
