"""How pages change things: forms, their tokens, and what is said afterwards."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI, Request
from fastapi.routing import APIRoute
from pydantic import BaseModel, Field
from starlette.responses import PlainTextResponse, Response

from pgboss import PgBoss
from pgboss.errors import ConflictError, ValidationError
from pgboss.web import WebOptions, app
from pgboss.web.dashboard import VIEWS
from pgboss.web.dashboard.changes import AnyChange
from pgboss.web.dashboard.pages import page
from support.postgres import sql
from support.web import calling

PAGE = {"Accept": "text/html"}


class Rename(BaseModel):
    name: str = Field(max_length=5)
    priority: int = 0
    tags: list[str] = []


@pytest.fixture
def application(boss: PgBoss) -> FastAPI:
    """An application with a page that has a form, and one that shows what was done."""
    made = app(boss)

    @made.post("/rename")
    async def rename(request: Request, change: AnyChange) -> Response:
        form = change.form(Rename)
        try:
            given = form.checked()
            async with change.acting("rename", **given.model_dump()):
                if given.name == "taken":
                    raise ConflictError("That name is taken.")
        except (ValidationError, ConflictError) as error:
            problems = form.refused(error).problems
            return PlainTextResponse(f"{form.values} {problems}", 422)
        return change.done(f"It is called <b>{given.name}</b> now.", to="/renamed?at=1")

    @made.get("/renamed")
    async def renamed(request: Request) -> Response:
        return page(request, "login.html", {"next": "/", "problem": None})

    return made


@pytest.fixture
async def client(application: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with calling(application) as client:
        yield client


async def token(client: httpx.AsyncClient) -> str:
    found = re.search(r'"X-CSRF-Token": "([0-9a-f]{64})"', (await client.get("/", headers=PAGE)).text)
    assert found
    return found[1]


async def test_a_change_is_recorded_and_told_once(client: httpx.AsyncClient, database_url: str) -> None:
    form = {"csrf_token": await token(client), "name": "ada", "priority": "7", "tags": ["a", "b"], "other": "x"}
    done = await client.post("/rename", data=form)
    assert (done.status_code, done.headers["location"]) == (303, "/renamed?at=1")
    [recorded] = sql(database_url, "SELECT who, action, what FROM pgboss.py_audit")
    assert recorded == {
        "who": "local",
        "action": "rename",
        "what": {"name": "ada", "priority": 7, "tags": ["a", "b"]},
    }
    fragment = await client.get("/renamed", headers={"HX-Request": "true"})
    told, again = await client.get(done.headers["location"]), await client.get(done.headers["location"])
    words = "It is called &lt;b&gt;ada&lt;/b&gt; now."
    assert [words in answer.text for answer in (fragment, told, again)] == [False, True, False]


async def test_htmx_has_the_browser_load_the_page(client: httpx.AsyncClient) -> None:
    headers = {"HX-Request": "true", "X-CSRF-Token": await token(client)}
    answer = await client.post("/rename", data={"name": "ada"}, headers=headers)
    assert (answer.status_code, answer.headers["hx-redirect"]) == (204, "/renamed?at=1")


@pytest.mark.parametrize("shown", [{}, {"csrf_token": ""}, {"csrf_token": "0" * 64}, {"csrf_token": "é"}])
async def test_without_its_token_nothing_changes(
    client: httpx.AsyncClient, database_url: str, shown: dict[str, str]
) -> None:
    answer = await client.post("/rename", data={"name": "ada"} | shown, headers=PAGE)
    assert (answer.status_code, "load its page again" in answer.text) == (403, True)
    assert sql(database_url, "SELECT to_regclass('pgboss.py_audit') AS made") == [{"made": None}]


async def test_a_form_that_is_wrong_can_be_shown_again(client: httpx.AsyncClient) -> None:
    form = {"csrf_token": await token(client), "name": "much too long", "priority": "high", "tags": " "}
    answer = await client.post("/rename", data=form)
    assert answer.status_code == 422
    assert "'name': 'much too long', 'priority': 'high'" in answer.text
    assert "'name': 'String should have at most 5 characters'" in answer.text
    assert "'priority': 'Input should be a valid integer" in answer.text


async def test_what_an_action_has_against_it_is_told_of_the_whole(client: httpx.AsyncClient, database_url: str) -> None:
    answer = await client.post("/rename", data={"csrf_token": await token(client), "name": "taken"})
    assert (answer.status_code, "{'': 'That name is taken.'}" in answer.text) == (422, True)
    assert sql(database_url, "SELECT * FROM pgboss.py_audit") == []


async def test_whoever_may_only_look_is_refused(boss: PgBoss, application: FastAPI) -> None:
    looking = app(boss, WebOptions(read_only=True))
    looking.router.routes.extend(route for route in application.routes if getattr(route, "path", "") == "/rename")
    async with calling(looking) as client:
        form = {"csrf_token": await token(client), "name": "ada"}
        answer = await client.post("/rename", data=form, headers=PAGE)
    assert (answer.status_code, "local may look, and change nothing." in answer.text) == (403, True)


def changing_pages() -> list[str]:
    """Every route of a page that takes a form, those of pages to come as well."""
    routes = [route for view in VIEWS for route in view.router.routes if isinstance(route, APIRoute)]
    return sorted(route.path for route in routes if "POST" in (route.methods or ()))


@pytest.mark.parametrize("path", changing_pages())
async def test_no_page_takes_a_form_without_a_token(api: httpx.AsyncClient, path: str) -> None:
    answer = await api.post(re.sub(r"\{[^}]*\}", "0189fe6e-0000-7000-8000-000000000000", path), headers=PAGE)
    # Without keys nobody logs in.
    assert answer.status_code == (404 if path == "/login" else 403)
