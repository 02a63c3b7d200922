"""``pgboss serve`` as a real process: who is served, what, and how it ends."""

from __future__ import annotations

import asyncio
import importlib.util
import signal
import socket
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import httpx
import pytest

from pgboss import SyncPgBoss
from support.command_line import CommandLine, RunningProgram
from support.postgres import sql

PAGE = {"Accept": "text/html"}
STOP_WITHIN_SECONDS = 8


class Serve(RunningProgram):
    """``pgboss serve`` at a free port."""

    def __init__(self, database_url: str, place: Path, *arguments: object, env: dict[str, str] | None = None) -> None:
        super().__init__(database_url, "serve", "--port", 0, *arguments, cwd=place, env=env)

    async def client(self) -> httpx.AsyncClient:
        line = await self.said("Serving http://")
        return httpx.AsyncClient(base_url=line.split()[1], headers=PAGE, timeout=20)


@pytest.mark.slow
async def test_the_page_and_the_api_of_one_database(
    installed: SyncPgBoss, database_url: str, empty_folder: Path
) -> None:
    installed.create_queue("mail")
    async with Serve(database_url, empty_folder) as program, await program.client() as client:
        assert "only this machine is served" in program.output
        assert client.base_url.host == "127.0.0.1"
        page = await client.get("/")
        assert (page.status_code, "mail" in page.text) == (200, True)
        assert (await client.get("/api/queues")).json()["queues"][0]["name"] == "mail"
        assert (await client.get("/ready")).json() == {"ready": True}
        assert (await client.get("/", headers={"Host": "evil.example"})).status_code == 403
        assert sql(database_url, "SELECT * FROM pgboss.instance") == []
        assert await program.stop(signal.SIGTERM) == 0
        assert "Traceback" not in program.output


@pytest.mark.slow
async def test_open_streams_do_not_keep_it(installed: SyncPgBoss, database_url: str, empty_folder: Path) -> None:
    installed.create_queue("mail")
    async with Serve(database_url, empty_folder) as program, await program.client() as client:
        async with client.stream("GET", "/api/events") as answer, aclosing(lines_of(answer)) as lines:
            assert await anext(lines) == "id: 1"
            async with asyncio.timeout(STOP_WITHIN_SECONDS):
                assert await program.stop(signal.SIGINT) == 0
            rest = [line async for line in lines]
        # It ended as an answer should, and was not cut.
        assert rest[0] == "event: counts"
        assert "Cancel" not in program.output


async def lines_of(answer: httpx.Response) -> AsyncGenerator[str, None]:
    async for line in answer.aiter_lines():
        yield line


@pytest.mark.slow
async def test_a_database_that_is_away_and_comes_back(database_url: str, empty_folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        nowhere = f"postgresql://127.0.0.1:{taken.getsockname()[1]}/none?connect_timeout=2"
    async with Serve(nowhere, empty_folder) as program, await program.client() as client:
        assert (await client.get("/health")).status_code == 200
        page = await client.get("/")
        assert (page.status_code, "tries again by itself" in page.text) == (503, True)
        await program.said("cannot open the database")
        answer = await client.get("/api/queues")
        assert (answer.status_code, answer.json()["error"]) == (503, "database_unavailable")
        assert (await client.get("/ready")).status_code == 503
        assert await program.stop(signal.SIGTERM) == 0


@pytest.mark.slow
async def test_a_schema_that_is_installed_later(database_url: str, empty_folder: Path) -> None:
    async with Serve(database_url, empty_folder) as program, await program.client() as client:
        await program.said("cannot open the database")
        page = await client.get("/")
        assert (page.status_code, "pgboss migrate" in page.text) == (503, True)
        [reason] = (await client.get("/ready")).json()["reasons"]
        assert reason.startswith("pg-boss is not installed in the schema pgboss.")
        with SyncPgBoss(database_url, pool_size=1):
            pass
        await program.said("opened the database")
        assert (await client.get("/")).status_code == 200


DEFINITIONS = """
from pgboss import Jobs

jobs = Jobs()

@jobs.job("mail")
def mail(to: list[str]) -> None: ...
"""


@pytest.mark.slow
async def test_definitions_say_what_payloads_look_like(
    installed: SyncPgBoss, database_url: str, empty_folder: Path
) -> None:
    installed.create_queue("mail")
    (empty_folder / "shop.py").write_text(DEFINITIONS)
    async with Serve(database_url, empty_folder, "shop:jobs") as program, await program.client() as client:
        page = await client.get("/send/schema", params={"queue": "mail"})

    assert "&#34;array&#34;" in page.text
    assert installed.get_schedules() == []


@pytest.mark.slow
async def test_several_sites_share_a_login_and_nothing_else(
    installed: SyncPgBoss, database_url: str, empty_folder: Path
) -> None:
    installed.create_queue("mail")
    with SyncPgBoss(database_url, schema="Other", pool_size=1) as other:
        other.create_queue("other-mail")
    sites = ("--site", f"one={database_url}", "--site", f"two={database_url}#Other")
    keys = {"PGBOSS_API_KEYS": "ada:full:full-secret"}
    async with Serve("", empty_folder, *sites, env=keys) as program, await program.client() as client:
        assert (await client.get("/health")).json() == {"ok": True}
        assert (await client.get("/")).headers["location"] == "/one/"
        form = await client.get("/one/login")
        token = form.text.split('name="csrf_token" value="')[1][:64]
        let_in = await client.post("/one/login", data={"csrf_token": token, "key": "full-secret"})
        assert let_in.headers["location"] == "/one/"
        one, two = await client.get("/one/"), await client.get("/two/")
        assert ("mail" in one.text, "other-mail" in one.text, "other-mail" in two.text) == (True, False, True)
        assert 'href="/two/"' in one.text
        queues = await client.get("/two/api/queues", headers={"X-API-Key": "full-secret"})
        assert [queue["name"] for queue in queues.json()["queues"]] == ["other-mail"]


@pytest.mark.slow
async def test_a_proxy_serves_it_under_a_path(installed: SyncPgBoss, database_url: str, empty_folder: Path) -> None:
    keys = {"PGBOSS_API_KEYS": "ada:full:full-secret"}
    options = ("--root-path", "/jobs/", "--host", "0.0.0.0")
    async with Serve(database_url, empty_folder, *options, env=keys) as program, await program.client() as client:
        client.base_url = httpx.URL(str(client.base_url).removesuffix("/jobs/"))
        sent_away = await client.get("/", headers={"X-Forwarded-Proto": "https"})
        assert sent_away.headers["location"] == "/jobs/login"
        form = await client.get("/login", headers={"X-Forwarded-Proto": "https"})
        assert 'action="/jobs/login"' in form.text
        cookie = form.headers["set-cookie"]
        assert "Path=/jobs;" in cookie
        assert "Secure" in cookie


def test_without_credentials_nobody_else_is_served(pgboss: CommandLine) -> None:
    for host in ("0.0.0.0", "::", "192.0.2.1", "example.org"):
        outcome = pgboss("serve", "--host", host)
        assert (outcome.code, outcome.out) == (2, "")
        assert "Set PGBOSS_API_KEYS, for example to me:full:" in outcome.err


@pytest.mark.parametrize(
    ("arguments", "env", "told"),
    [
        (["--site", "one"], {}, "NAME=DSN"),
        (["--site", "a/b=postgresql://hush@x/y"], {}, "NAME=DSN"),
        (["--site", "health=postgresql://x/y"], {}, "cannot be called 'health'"),
        (["--site", "one=host=x", "--site", "one=host=y"], {}, "several called 'one'"),
        (["--site", "one=host=x", "--schema", "jobs"], {}, "leave --dsn and --schema out"),
        (["--site", 'one=host=x#"a$b"'], {}, "schema name"),
        ([], {"PGBOSS_SITES": "one"}, "NAME=DSN"),
        ([], {"PGBOSS_API_KEYS": "hush"}, "PGBOSS_API_KEYS, key 1"),
        ([], {"DATABASE_URL": ""}, "No database is named"),
        (["--host", "127.0.0.1", "--port", "-1"], {}, "--port"),
    ],
)
def test_unusable_arguments(pgboss: CommandLine, arguments: list[str], env: dict[str, str], told: str) -> None:
    outcome = pgboss("serve", *arguments, env=env)
    assert (outcome.code, outcome.out) == (2, "")
    assert told in outcome.err
    assert "hush" not in outcome.err


def test_a_port_that_is_taken(pgboss: CommandLine) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        outcome = pgboss("serve", "--port", taken.getsockname()[1])
    assert outcome.code == 2
    assert "--port takes another" in outcome.err


def test_without_the_extra(pgboss: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec

    def lacking(name: str, *arguments: Any) -> Any:
        return None if name in {"fastapi", "jinja2"} else find(name, *arguments)

    monkeypatch.setattr(importlib.util, "find_spec", lacking)
    outcome = pgboss("serve")
    assert outcome.code == 2
    assert "need fastapi, jinja2: pip install 'pgboss[web]'." in outcome.err
