"""Serving an application from a loop that runs already, with uvicorn."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress

import uvicorn
from starlette.types import ASGIApp

from pgboss.boss import PgBoss
from pgboss.errors import ConfigurationError
from pgboss.web.application import app
from pgboss.web.guard import is_loopback
from pgboss.web.options import WebOptions

__all__ = ["DEFAULT_PORT", "address_of", "listen", "refuse_to_be_open", "served", "show"]

DEFAULT_PORT = 8686
LOOPBACK = "127.0.0.1"

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
        # What create_server() adds is said in the sentence already.
        reason = (error.strerror or str(error)).partition(" (while ")[0]
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
        # It would tell of its start and its end, which is told by whoever serves.
        log_level="warning",
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


@asynccontextmanager
async def show(boss: PgBoss, options: WebOptions | None = None, *, port: int | None = None) -> AsyncIterator[str]:
    """Serve an instance's API and dashboard to this machine while the block runs; yields the address.

    The instance is started and stopped by whoever made it.

    Args:
        boss: what to show.
        options: who may do what; by default what the environment says.
        port: where to listen on the loopback address; by default at 8686, or at any port when that is taken.

    Raises:
        ConfigurationError: the environment has unusable values, or the port is taken.
    """
    web = app(boss, options)
    listener = _listen_somewhere() if port is None else listen(LOOPBACK, port)
    async with served(web, listener, before_stop=web.state.site.close):
        yield address_of(listener)


def _listen_somewhere() -> socket.socket:
    try:
        return listen(LOOPBACK, DEFAULT_PORT)
    except ConfigurationError:
        return listen(LOOPBACK, 0)


class _Server(uvicorn.Server):
    """Leaves signals to whoever runs the loop."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
