"""Serving an application from a loop that runs already, with uvicorn."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress

import uvicorn
from starlette.types import ASGIApp

from pgboss.errors import ConfigurationError
from pgboss.web.guard import is_loopback
from pgboss.web.options import WebOptions

__all__ = ["address_of", "listen", "refuse_to_be_open", "served"]

STOP_SECONDS = 5
"""How long requests may go on when the server stops."""

BACKLOG = 2048


def refuse_to_be_open(host: str, options: WebOptions) -> None:
    """Without credentials only this machine may ask, so only there is listened.

    Raises:
        ConfigurationError: the host is reached from elsewhere, and there are no credentials.
    """
    if not options.keys and options.authenticate is None and not is_loopback(host):
        raise ConfigurationError(
            f"No credentials are configured, so nothing but this machine may be served, and {host} is more. "
            "Set PGBOSS_API_KEYS, for example to me:full:a-long-random-secret, or leave --host out."
        )


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens; port 0 takes any that is free.

    Raises:
        ConfigurationError: the host is unknown, or the port is in use or not ours to take.
    """
    try:
        [(family, _, _, _, address), *_] = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        return socket.create_server(address[:2], family=family, backlog=BACKLOG)
    except OSError as error:
        reason = error.strerror or str(error)
        raise ConfigurationError(f"Cannot listen on {host}, port {port}: {reason}. --port takes another.") from None


def address_of(listener: socket.socket) -> str:
    """The address to give to a browser."""
    host, port = listener.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  a comparison
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


@asynccontextmanager
async def served(
    application: ASGIApp, listener: socket.socket, *, before_stop: Callable[[], None], root_path: str = ""
) -> AsyncIterator[None]:
    """Answer requests while the block runs, and let those that are under way end within a few seconds.

    Args:
        application: what to serve. Its lifespan is not entered.
        listener: where; it is closed at the end.
        before_stop: ends open streams, for which the server would wait.
        root_path: the path that a proxy in front serves it under.
    """
    config = uvicorn.Config(
        application,
        log_config=None,
        access_log=False,
        lifespan="off",
        root_path=root_path,
        server_header=False,
        timeout_graceful_shutdown=STOP_SECONDS,
    )
    server = _Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listener]), name="pgboss web")
    try:
        yield
    finally:
        before_stop()
        server.should_exit = True
        with suppress(asyncio.CancelledError):
            await serving
        listener.close()


class _Server(uvicorn.Server):
    """Leaves signals to whoever runs the loop."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
