"""Who is let in."""

from __future__ import annotations

import httpx
import pytest

from pgboss import PgBoss
from pgboss.web import WebOptions, app
from pgboss.web.access import ApiKey
from support.web import calling

KEYS = WebOptions(keys=(ApiKey("grafana", "read", "look-secret"), ApiKey("ci", "full", "full-secret")))
MAIL = "/api/queues/mail"


async def ask(
    boss: PgBoss,
    options: WebOptions | None = None,
    *,
    method: str = "GET",
    path: str = "/api/queues",
    address: str = "127.0.0.1",
    host: str = "localhost",
    headers: dict[str, str] | None = None,
) -> httpx.Response:
    async with calling(app(boss, options), address=address, host=host) as client:
        return await client.request(method, path, headers=headers, json={} if method == "PUT" else None)


@pytest.mark.parametrize(
    ("address", "host"),
    [("127.0.0.1", "localhost:8686"), ("::1", "[::1]:8686"), ("127.0.0.1", "127.0.0.1"), ("127.0.0.9", "localhost")],
)
async def test_without_credentials_this_machine_may_ask(boss: PgBoss, address: str, host: str) -> None:
    assert (await ask(boss, address=address, host=host)).status_code == 200
    assert (await ask(boss, method="PUT", path=MAIL, address=address, host=host)).status_code == 200


@pytest.mark.parametrize(
    ("address", "host"),
    [
        ("203.0.113.9", "localhost"),
        ("127.0.0.1", "evil.example"),
        ("10.0.0.1", "10.0.0.1"),
        ("127.0.0.1", "localhost.evil"),
    ],
)
@pytest.mark.parametrize("path", ["/api/queues", "/metrics", "/openapi.json", "/", "/static/icon.svg"])
async def test_without_credentials_nobody_else_may(boss: PgBoss, address: str, host: str, path: str) -> None:
    answer = await ask(boss, address=address, host=host, path=path)
    assert (answer.status_code, answer.json()["error"]) == (403, "closed")
    assert "only this machine may ask" in answer.json()["message"]


@pytest.mark.parametrize("path", ["/health", "/ready"])
async def test_anybody_may_ask_whether_it_is_well(boss: PgBoss, path: str) -> None:
    assert (await ask(boss, address="203.0.113.9", host="boss.example", path=path)).status_code == 200
    assert (await ask(boss, KEYS, path=path)).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic look-secret"}, {"X-API-Key": ""}],
    ids=["none", "wrong", "another kind", "empty"],
)
@pytest.mark.parametrize("path", ["/api/queues", "/metrics", "/openapi.json", "/"])
async def test_with_keys_nobody_gets_in_without_one(boss: PgBoss, headers: dict[str, str], path: str) -> None:
    answer = await ask(boss, KEYS, path=path, headers=headers)
    assert (answer.status_code, answer.json()["error"]) == (401, "unauthenticated")
    assert answer.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("header", ["Authorization", "X-API-Key"])
async def test_a_key_lets_its_owner_in_as_far_as_it_says(boss: PgBoss, header: str) -> None:
    def showing(secret: str) -> dict[str, str]:
        return {header: f"Bearer {secret}" if header == "Authorization" else secret}

    look, full = showing("look-secret"), showing("full-secret")
    assert (await ask(boss, KEYS, address="203.0.113.9", host="boss.example", headers=look)).status_code == 200
    refused = await ask(boss, KEYS, method="PUT", path=MAIL, headers=look)
    assert (refused.status_code, refused.json()["message"]) == (403, "grafana may look, and change nothing.")
    assert (await ask(boss, KEYS, method="PUT", path=MAIL, headers=full)).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [{"Origin": "http://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}],
    ids=["origin", "no origin", "site"],
)
async def test_a_page_of_another_site_changes_nothing(boss: PgBoss, headers: dict[str, str]) -> None:
    answer = await ask(boss, method="PUT", path=MAIL, headers=headers)
    assert (answer.status_code, answer.json()["error"]) == (403, "foreign_origin")
    assert await boss.get_queue("mail") is None


async def test_a_page_of_this_site_may(boss: PgBoss) -> None:
    headers = {"Origin": "http://localhost", "Sec-Fetch-Site": "same-origin"}
    assert (await ask(boss, method="PUT", path=MAIL, headers=headers)).status_code == 200


async def test_read_only_holds_for_everybody(boss: PgBoss) -> None:
    answer = await ask(boss, WebOptions(read_only=True), method="PUT", path=MAIL)
    assert (answer.status_code, answer.json()["error"]) == (403, "read_only")
