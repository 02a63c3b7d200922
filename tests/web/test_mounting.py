"""The application inside another one, under a path, on a real server."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.routing import Mount, Route
from starlette.types import ASGIApp

import pgboss.web
from pgboss import ConfigurationError, Jobs, PgBoss
from pgboss.web import ApiKey, WebOptions
from support.command_line import RunningProgram
from support.eventually import eventually

PAGE = {"Accept": "text/html"}
KEYS = WebOptions(keys=(ApiKey("ci", "full", "full-secret"),))


def in_fastapi(web: FastAPI) -> ASGIApp:
    """As its documentation says."""
    application = FastAPI(lifespan=pgboss.web.lifespan(web))
    application.mount("/admin/jobs", web)

    @application.get("/admin/other")
    async def other() -> str:
        return "mine"

    return application


def in_starlette(web: FastAPI) -> ASGIApp:
    """With a lifespan of its own, and two levels of mounting."""

    @asynccontextmanager
    async def mine(application: Starlette) -> AsyncIterator[None]:
        async with pgboss.web.lifespan(web)(application):
            yield

    async def other(request: Any) -> Any:
        from starlette.responses import JSONResponse

        return JSONResponse("mine")

    inner = Starlette(routes=[Mount("/jobs", web), Route("/other", other)])
    return Starlette(routes=[Mount("/admin", inner)], lifespan=mine)


@asynccontextmanager
async def running(application: ASGIApp) -> AsyncIterator[str]:
    """A server as a user would run it, with its lifespan; yields its address."""
    config = uvicorn.Config(application, host="127.0.0.1", port=0, log_config=None, lifespan="on")
    server = uvicorn.Server(config)
    # In the main thread it would take pytest's signals.
    serving = asyncio.ensure_future(server._serve())
    await eventually(lambda: server.started or serving.done())
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        await serving


@pytest.mark.parametrize("mount", [in_fastapi, in_starlette])
async def test_under_a_path(boss: PgBoss, database_url: str, mount: Callable[[FastAPI], ASGIApp]) -> None:
    await boss.create_queue("mail")
    inside = PgBoss(database_url, work=False, supervise=False, schedule=False)
    async with running(mount(pgboss.web.app(inside, KEYS))) as address, httpx.AsyncClient(base_url=address) as client:
        assert (await client.get("/admin/other")).json() == "mine"
        sent_away = await client.get("/admin/jobs/audit?before=7", headers=PAGE)
        assert sent_away.headers["location"] == "/admin/jobs/login?next=%2Faudit%3Fbefore%3D7"
        form = await client.get(sent_away.headers["location"], headers=PAGE)
        assert 'action="/admin/jobs/login"' in form.text
        assert "Path=/admin/jobs;" in form.headers["set-cookie"]
        token = form.text.split('name="csrf_token" value="')[1][:64]
        let_in = await client.post("/admin/jobs/login", data={"csrf_token": token, "key": "full-secret", "next": "/x"})
        assert let_in.headers["location"] == "/admin/jobs/x"
        page = await client.get("/admin/jobs/", headers=PAGE)
        assert "mail" in page.text
        for link in ('href="/admin/jobs/audit"', 'src="/admin/jobs/static/pgboss.js"', 'action="/admin/jobs/logout"'):
            assert link in page.text
        assert (await client.get("/admin/jobs/static/icon.svg")).status_code == 200
        assert (await client.get("/admin/jobs/api/queues")).json()["queues"][0]["name"] == "mail"
        assert (await client.get("/admin/jobs/nowhere", headers=PAGE)).status_code == 404
        refused = await client.put("/admin/jobs/api/queues/x", json={})
        assert (refused.status_code, refused.json()["error"]) == (403, "no_token")
        assert inside._is_running
    assert not inside._is_running


async def test_without_its_path_a_slash_is_added(database_url: str, boss: PgBoss) -> None:
    async with running(in_fastapi(pgboss.web.app(boss))) as address, httpx.AsyncClient(base_url=address) as client:
        answer = await client.get("/admin/jobs", headers=PAGE, follow_redirects=True)
        assert (answer.status_code, answer.url.path) == (200, "/admin/jobs/")
    assert boss._is_running


async def test_served_by_itself_it_starts_its_instance(database_url: str) -> None:
    inside = PgBoss(database_url, work=False, supervise=False, schedule=False)
    async with running(pgboss.web.app(inside)) as address, httpx.AsyncClient(base_url=address) as client:
        assert (await client.get("/ready")).json() == {"ready": True}
    assert not inside._is_running


async def test_settings_that_are_unusable_end_the_start(database_url: str) -> None:
    jobs = Jobs()
    jobs.declare("one", dict, dead_letter="other")
    jobs.declare("other", dict, dead_letter="one")
    application = pgboss.web.app(PgBoss(database_url, jobs=jobs, work=False))
    with pytest.raises(ConfigurationError):
        async with pgboss.web.lifespan(application)(application):
            pass


PROGRAM = """
import uvicorn
from fastapi import FastAPI
import pgboss.web
from pgboss import PgBoss

web = pgboss.web.app(PgBoss(work=False))
application = FastAPI(lifespan=pgboss.web.lifespan(web))
application.mount("/jobs", web)

class Server(uvicorn.Server):
    async def startup(self, sockets=None):
        await super().startup(sockets)
        print("PORT", self.servers[0].sockets[0].getsockname()[1], flush=True)

Server(uvicorn.Config(application, port=0)).run()
"""


class UsersServer(RunningProgram):
    """A server as users start it, which handles signals by itself."""

    def __init__(self, database_url: str, place: Path) -> None:
        (place / "app.py").write_text(PROGRAM)
        super().__init__(database_url, cwd=place)
        self._command = [sys.executable, "app.py"]


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_open_streams_do_not_keep_a_users_server(
    boss: PgBoss, database_url: str, tmp_path: Path, number: signal.Signals
) -> None:
    async with UsersServer(database_url, tmp_path) as program, httpx.AsyncClient(timeout=20) as client:
        port = (await program.said("PORT")).split()[1]
        async with client.stream("GET", f"http://127.0.0.1:{port}/jobs/api/events") as answer:
            lines = answer.aiter_lines()
            assert await anext(lines) == "id: 1"
            # It would wait for ever: uvicorn has no limit unless it is given one.
            await program.stop(number)
            assert await anext(lines) == "event: counts"
            assert [line async for line in lines][-1] == ""
        assert "Application shutdown complete." in program.output
