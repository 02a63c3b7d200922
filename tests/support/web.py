"""The web application as tests reach it: called directly, or served at a port of this machine for a browser."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Future
from contextlib import asynccontextmanager, contextmanager
from typing import Any
from uuid import UUID

import httpx
from starlette.types import ASGIApp

from pgboss import PgBoss
from pgboss.web import WebOptions, app, show

__all__ = ["LOOKING", "calling", "ended", "filled", "reads", "routes", "serving"]

LOOKING = {"/api/schedules/preview", "/api/redrive-preview/{queue}"}
"""They only look, and are no GET."""


def routes() -> list[tuple[str, str]]:
    """Every method and path of the API's own document, so that a new one is asked without being listed."""
    document = app(PgBoss("postgresql://nowhere/nothing", work=False)).openapi()
    return [(method, path) for path, methods in document["paths"].items() for method in methods]


def reads() -> list[tuple[str, str]]:
    """Those of them that change nothing."""
    return [(method, path) for method, path in routes() if method == "get" or path in LOOKING]


def filled(path: str) -> str:
    """The path with a queue, an id and an action in it."""
    path = path.replace("{action}", "cancel")
    return path.replace("{id}", str(UUID(int=1))).replace("{name}", "mail").replace("{queue}", "mail")


def calling(application: ASGIApp, *, address: str = "127.0.0.1", host: str = "localhost") -> httpx.AsyncClient:
    """A client whose requests go straight into the application, as if from an address, and to a host of that name."""
    transport = httpx.ASGITransport(application, client=(address, 50_000))
    return httpx.AsyncClient(transport=transport, base_url=f"http://{host}")


ended: set[str] = set()
"""Addresses at which nothing is served any more: pages that are still open may ask there."""


@contextmanager
def serving(dsn: str, options: WebOptions | None = None, **boss: Any) -> Iterator[str]:
    """Serve a database's application from a thread; yields its address, without a slash at its end."""
    started = Future[tuple[str, Callable[[], object]]]()

    async def serve() -> None:
        loop, stop = asyncio.get_running_loop(), asyncio.Event()
        async with _started(dsn, **boss) as instance, show(instance, options, port=0) as address:
            started.set_result((address, lambda: loop.call_soon_threadsafe(stop.set)))
            await stop.wait()

    def run() -> None:
        try:
            asyncio.run(serve())
        except BaseException as error:
            if started.done():
                raise
            started.set_exception(error)

    thread = threading.Thread(target=run, name="web under test")
    thread.start()
    address, stop = started.result(20)
    ended.discard(address)
    try:
        yield address
    finally:
        ended.add(address)
        stop()
        thread.join(20)
        assert not thread.is_alive(), "the server does not stop"


@asynccontextmanager
async def _started(dsn: str, **options: Any) -> AsyncIterator[PgBoss]:
    async with PgBoss(dsn, **({"work": False, "supervise": False, "schedule": False} | options)) as boss:
        yield boss
