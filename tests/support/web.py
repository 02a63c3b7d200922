"""The web application as tests reach it: called directly, or served at a port of this machine for a browser."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any
from uuid import UUID

import httpx
import uvicorn
from starlette.types import ASGIApp

from pgboss import PgBoss
from pgboss.web import WebOptions, app
from support.eventually import eventually

__all__ = ["LOOKING", "calling", "filled", "reads", "routes", "serving"]

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


@contextmanager
def serving(dsn: str, options: WebOptions | None = None, **boss: Any) -> Iterator[str]:
    """Serve a database's application from a thread; yields its address, without a slash at its end."""
    ready = threading.Event()
    server: list[uvicorn.Server] = []
    errors: list[BaseException] = []

    async def serve() -> None:
        async with _started(dsn, **boss) as instance:
            config = uvicorn.Config(app(instance, options), host="127.0.0.1", port=0, log_config=None, lifespan="off")
            server.append(uvicorn.Server(config))
            # What it would do with signals belongs to pytest.
            serving = asyncio.ensure_future(server[0].serve())
            await eventually(lambda: server[0].started or serving.done(), within=20)
            ready.set()
            await serving

    def run() -> None:
        try:
            asyncio.run(serve())
        except BaseException as error:  # noqa: BLE001  raised by whoever waits
            errors.append(error)
        finally:
            ready.set()

    thread = threading.Thread(target=run, name="web under test")
    thread.start()
    try:
        ready.wait(20)
        if errors:
            raise errors[0]
        port = server[0].servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        with suppress(IndexError):
            server[0].should_exit = True
            server[0].force_exit = True
        thread.join(20)


@asynccontextmanager
async def _started(dsn: str, **options: Any) -> AsyncIterator[PgBoss]:
    async with PgBoss(dsn, **({"work": False, "supervise": False, "schedule": False} | options)) as boss:
        yield boss
