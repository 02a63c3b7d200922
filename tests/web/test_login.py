"""Logging in to the dashboard with a key: what a session lets in, and what it does not."""

from __future__ import annotations

import re
from dataclasses import replace
from http.cookies import Morsel, SimpleCookie

import httpx
import pytest

from pgboss import PgBoss
from pgboss.web import WebOptions, app
from pgboss.web.access import ApiKey
from support.web import calling

READER, WRITER = ApiKey("grafana", "read", "look-secret"), ApiKey("ci", "full", "full-secret")
KEYS = WebOptions(keys=(READER, WRITER), session_secret="sixteen-letters!")
PAGE = {"Accept": "text/html,*/*"}
MAIL = "/api/queues/mail"


def token_in(answer: httpx.Response) -> str:
    found = re.search(r'name="csrf_token" value="([0-9a-f]{64})"', answer.text)
    assert found, answer.text
    return found[1]


async def log_in(client: httpx.AsyncClient, key: str, *, next: str = "/", path: str = "") -> httpx.Response:
    form = await client.get(f"{path}/login", headers=PAGE)
    data = {"csrf_token": token_in(form), "key": key, "next": next}
    return await client.post(f"{path}/login", data=data, headers=PAGE)


def cookie_of(answer: httpx.Response) -> Morsel[str]:
    [morsel] = SimpleCookie(answer.headers["set-cookie"]).values()
    return morsel


async def test_whoever_is_unknown_is_led_to_the_login_and_back(boss: PgBoss) -> None:
    async with calling(app(boss, KEYS)) as client:
        sent_away = await client.get("/?search=a b", headers=PAGE)
        assert (sent_away.status_code, sent_away.headers["location"]) == (303, "/login?next=%2F%3Fsearch%3Da%2520b")
        form = await client.get(sent_away.headers["location"], headers=PAGE)
        assert 'value="/?search=a%20b"' in form.text
        let_in = await log_in(client, "look-secret", next="/?search=a%20b")
        assert (let_in.status_code, let_in.headers["location"]) == (303, "/?search=a%20b")
        overview = await client.get(let_in.headers["location"], headers=PAGE)
        assert (overview.status_code, "grafana" in overview.text) == (200, True)
        assert (await client.get("/login?next=/", headers=PAGE)).status_code == 303


async def test_what_renews_itself_has_the_browser_go_to_the_login(boss: PgBoss) -> None:
    async with calling(app(boss, KEYS)) as client:
        answer = await client.get("/", headers={"HX-Request": "true"})
    assert (answer.status_code, answer.headers["hx-redirect"]) == (401, "/login")


@pytest.mark.parametrize("key", ["wrong", "", "look-secre", "look-secret "])
async def test_another_key_lets_nobody_in(boss: PgBoss, key: str) -> None:
    async with calling(app(boss, KEYS)) as client:
        answer = await log_in(client, key)
        assert (answer.status_code, "There is no such key." in answer.text) == (401, True)
        assert "set-cookie" not in answer.headers
        assert (await client.get("/api/queues")).status_code == 401


async def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(boss: PgBoss) -> None:
    async with calling(app(boss, KEYS)) as client:
        cookie = cookie_of(await log_in(client, "full-secret"))
    assert cookie["httponly"]
    assert not cookie["secure"]
    assert (cookie["samesite"].lower(), cookie["path"], cookie["max-age"]) == ("lax", "/", "43200")
    assert "full-secret" not in cookie.value


async def test_over_https_the_cookie_stays_there(boss: PgBoss) -> None:
    async with calling(app(boss, KEYS)) as client:
        client.base_url = httpx.URL("https://localhost")
        assert cookie_of(await client.get("/login", headers=PAGE))["secure"]


async def test_a_login_makes_a_session_that_nobody_knew_before(boss: PgBoss) -> None:
    async with calling(app(boss, KEYS)) as client:
        form = await client.get("/login", headers=PAGE)
        before, token = cookie_of(form).value, token_in(form)
        await client.post("/login", data={"csrf_token": token, "key": "full-secret"}, headers=PAGE)
        assert client.cookies["pgboss_session"] != before
        assert token_in(await client.get("/", headers=PAGE)) != token


async def test_a_login_needs_the_form_that_this_browser_got(boss: PgBoss) -> None:
    async with calling(app(boss, KEYS)) as stranger:
        token = token_in(await stranger.get("/login", headers=PAGE))
    async with calling(app(boss, KEYS)) as client:
        for data in ({"key": "full-secret"}, {"key": "full-secret", "csrf_token": token}):
            answer = await client.post("/login", data=data, headers=PAGE)
            assert (answer.status_code, "load its page again" in answer.text) == (403, True)
        foreign = await client.post("/login", data=data, headers={"Origin": "http://evil.example"})
        assert (foreign.status_code, foreign.json()["error"]) == (403, "foreign_origin")


@pytest.mark.parametrize("next", ["//evil.example", "/\\evil.example", "https://evil.example", "evil", "/\nx", ""])
async def test_nobody_is_led_to_another_host(boss: PgBoss, next: str) -> None:
    async with calling(app(boss, KEYS)) as client:
        assert (await log_in(client, "full-secret", next=next)).headers["location"] == "/"


async def test_a_session_changes_things_by_its_token_only(boss: PgBoss) -> None:
    async with calling(app(boss, KEYS)) as client:
        await log_in(client, "full-secret")
        token = token_in(await client.get("/", headers=PAGE))
        for headers in ({}, {"X-CSRF-Token": "0" * 64}):
            refused = await client.put(MAIL, json={}, headers=headers)
            assert (refused.status_code, refused.json()["error"]) == (403, "no_token")
        assert (await client.put(MAIL, json={}, headers={"X-CSRF-Token": token})).status_code == 200


async def test_a_session_does_what_its_key_may(boss: PgBoss) -> None:
    async with calling(app(boss, KEYS)) as client:
        await log_in(client, "look-secret")
        overview = await client.get("/", headers=PAGE)
        assert "read only" in overview.text
        refused = await client.put(MAIL, json={}, headers={"X-CSRF-Token": token_in(overview)})
        assert (refused.status_code, refused.json()["error"]) == (403, "read_only")


async def test_logging_out(boss: PgBoss) -> None:
    async with calling(app(boss, KEYS)) as client:
        await log_in(client, "full-secret")
        token = token_in(await client.get("/", headers=PAGE))
        assert (await client.post("/logout", headers=PAGE)).status_code == 403
        answer = await client.post("/logout", data={"csrf_token": token}, headers=PAGE)
        assert (answer.status_code, answer.headers["location"]) == (303, "/login")
        assert (await client.get("/api/queues")).status_code == 401


@pytest.mark.parametrize(
    "keys",
    [(READER,), (READER, replace(WRITER, secret="changed")), (READER, replace(WRITER, right="read"))],
    ids=["taken away", "changed", "restricted"],
)
async def test_a_session_ends_with_its_key(boss: PgBoss, keys: tuple[ApiKey, ...]) -> None:
    async with calling(app(boss, KEYS)) as client:
        await log_in(client, "full-secret")
        cookies = client.cookies
    async with calling(app(boss, KEYS)) as same, calling(app(boss, replace(KEYS, keys=keys))) as other:
        same.cookies = other.cookies = cookies
        assert (await same.get("/api/queues")).status_code == 200
        assert (await other.get("/api/queues")).status_code == 401


@pytest.mark.parametrize("options", [replace(KEYS, session_secret=None), replace(KEYS, session_seconds=-1)])
async def test_a_session_of_another_secret_or_time_is_none(boss: PgBoss, options: WebOptions) -> None:
    async with calling(app(boss, KEYS)) as client:
        await log_in(client, "full-secret")
        cookies = client.cookies
    async with calling(app(boss, options)) as other:
        other.cookies = cookies
        assert (await other.get("/api/queues")).status_code == 401
        other.cookies = httpx.Cookies({"pgboss_session": "made-up"})
        assert (await other.get("/api/queues")).status_code == 401


@pytest.mark.parametrize("options", [WebOptions(), replace(KEYS, authenticate=lambda connection: None)])
async def test_without_keys_there_is_no_login(boss: PgBoss, options: WebOptions) -> None:
    async with calling(app(boss, options)) as client:
        answer = await client.get("/login", headers=PAGE)
    assert answer.status_code == (404 if options.authenticate is None else 401)
