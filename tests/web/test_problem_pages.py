"""Problems as people see them; the API answers the same ones as JSON."""

from __future__ import annotations

import httpx
import pytest

from pgboss import PgBoss
from pgboss.web import Principal, WebOptions, app
from support.web import calling

PAGE = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


async def test_a_page_that_does_not_exist(api: httpx.AsyncClient) -> None:
    answer = await api.get("/nowhere", headers=PAGE)
    assert answer.status_code == 404
    assert "<h1>Not found</h1>" in answer.text
    assert "There is nothing at /nowhere." in answer.text
    assert "default-src 'none'" in answer.headers["content-security-policy"]


@pytest.mark.parametrize(
    ("path", "headers"), [("/api/jobs/x", PAGE), ("/nowhere", {}), ("/nowhere", {"Accept": "*/*"})]
)
async def test_programs_are_answered_with_json(api: httpx.AsyncClient, path: str, headers: dict[str, str]) -> None:
    answer = await api.get(path, headers=headers)
    assert answer.json()["error"] in {"not_found", "invalid"}


async def test_what_nobody_has_foreseen(boss: PgBoss) -> None:
    def fail(connection: object) -> Principal:
        raise RuntimeError("secret detail")

    application = app(boss, WebOptions(authenticate=fail))
    transport = httpx.ASGITransport(application, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        page = await client.get("/", headers=PAGE)
        assert (page.status_code, "Something went wrong" in page.text) == (500, True)
        assert "default-src 'none'" in page.headers["content-security-policy"]
        answer = await client.get("/api/queues")
    assert (answer.status_code, answer.json()["error"]) == (500, "failed")
    assert "secret detail" not in page.text + answer.text


async def test_while_the_database_is_away_a_page_tries_again(api: httpx.AsyncClient, boss: PgBoss) -> None:
    await boss.stop(timeout=0)
    answer = await api.get("/", headers=PAGE)
    assert answer.status_code == 503
    assert '<meta http-equiv="refresh" content="5">' in answer.text
    assert (await api.get("/api/queues")).json()["error"] == "stopped"


async def test_those_whom_the_application_does_not_know_are_told(boss: PgBoss) -> None:
    async with calling(app(boss, WebOptions(authenticate=lambda connection: None))) as client:
        answer = await client.get("/", headers=PAGE)
    assert (answer.status_code, "Who are you?" in answer.text) == (401, True)
