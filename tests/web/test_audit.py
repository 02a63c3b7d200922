"""The record of who did what."""

from __future__ import annotations

import asyncio

import httpx
import psycopg
import pytest

from pgboss import PgBoss
from pgboss.core.names import SchemaName
from pgboss.sql import audit
from pgboss.web import Principal, WebOptions, app
from support.command_line import CommandLine
from support.postgres import sql
from support.web import calling

PAGE = {"Accept": "text/html"}


async def test_there_is_none_before_somebody_acts(api: httpx.AsyncClient) -> None:
    assert (await api.get("/api/audit")).json() == {"entries": [], "next": None}
    assert "Nobody has changed anything yet." in (await api.get("/audit", headers=PAGE)).text


async def test_actions_are_recorded_newest_first(api: httpx.AsyncClient) -> None:
    for queue in ("a", "b", "c"):
        await api.put(f"/api/queues/{queue}", json={"retry_limit": 1})
    first = (await api.get("/api/audit", params={"limit": 2})).json()
    rest = (await api.get("/api/audit", params={"limit": 2, "before": first["next"]})).json()
    assert [one["what"]["queue"] for one in first["entries"] + rest["entries"]] == ["c", "b", "a"]
    assert (first["entries"][0]["who"], first["entries"][0]["action"], rest["next"]) == ("local", "create_queue", None)
    times = [one["done_at"] for one in first["entries"] + rest["entries"]]
    since = (await api.get("/api/audit", params={"since": times[0]})).json()
    assert [one["what"]["queue"] for one in since["entries"]] == ["c"]


async def test_what_failed_is_not_recorded(api: httpx.AsyncClient) -> None:
    assert (await api.patch("/api/queues/none", json={"retry_limit": 1})).status_code == 404
    assert (await api.get("/api/audit")).json()["entries"] == []


@pytest.mark.parametrize(
    "params", [{"limit": 0}, {"before": "x"}, {"since": "yesterday"}, {"since": "2026-01-01T00:00"}]
)
async def test_bad_questions(api: httpx.AsyncClient, params: dict[str, str]) -> None:
    assert (await api.get("/api/audit", params=params)).status_code == 422


async def test_the_page_shows_names_as_text_and_hides_what_is_redacted(boss: PgBoss) -> None:
    options = WebOptions(authenticate=lambda _: Principal("<i>eve</i>"), redact=frozenset({"retry_limit"}))
    async with calling(app(boss, options)) as client:
        await client.put("/api/queues/mail", json={"retry_limit": 1_234_567})
        text = (await client.get("/audit", headers=PAGE)).text
    assert "&lt;i&gt;eve&lt;/i&gt;" in text
    assert "create_queue" in text
    assert "[redacted]" in text
    assert "1234567" not in text


@pytest.mark.parametrize(
    "change", ["UPDATE pgboss.py_audit SET who = 'bob'", "DELETE FROM pgboss.py_audit", "TRUNCATE pgboss.py_audit"]
)
async def test_entries_are_neither_changed_nor_removed(api: httpx.AsyncClient, database_url: str, change: str) -> None:
    await api.put("/api/queues/mail", json={})
    with pytest.raises(psycopg.errors.RestrictViolation):
        sql(database_url, change)
    assert len((await api.get("/api/audit")).json()["entries"]) == 1


async def test_a_table_that_somebody_has_removed_is_made_anew(api: httpx.AsyncClient, database_url: str) -> None:
    await api.put("/api/queues/a", json={})
    sql(database_url, "DROP TABLE pgboss.py_audit")
    refused = await api.put("/api/queues/b", json={})
    assert (refused.status_code, refused.json()["error"]) == (503, "schema")
    assert "Nothing was changed. Do it again" in refused.json()["message"]
    assert (await api.get("/api/queues/b")).status_code == 404
    assert (await api.put("/api/queues/b", json={})).status_code == 200
    assert [one["what"]["queue"] for one in (await api.get("/api/audit")).json()["entries"]] == ["b"]


async def test_a_table_without_its_trigger_gets_it(api: httpx.AsyncClient, database_url: str) -> None:
    sql(database_url, audit.create_table(SchemaName()).sql)
    sql(database_url, "INSERT INTO pgboss.py_audit (done_on, who, action, what) VALUES (now(), 'ada', 'old', '{}')")
    await api.put("/api/queues/mail", json={})
    assert [one["action"] for one in (await api.get("/api/audit")).json()["entries"]] == ["create_queue", "old"]
    with pytest.raises(psycopg.errors.RestrictViolation):
        sql(database_url, "DELETE FROM pgboss.py_audit")


async def test_many_first_actions_at_once(api: httpx.AsyncClient) -> None:
    answers = await asyncio.gather(*[api.put(f"/api/queues/q{number}", json={}) for number in range(12)])
    assert [answer.text for answer in answers if answer.status_code != 200] == []
    assert len((await api.get("/api/audit")).json()["entries"]) == 12


async def test_the_table_and_its_trigger_are_no_drift(api: httpx.AsyncClient, database_url: str) -> None:
    await api.put("/api/queues/mail", json={})
    outcome = CommandLine(database_url)("doctor")
    assert outcome.code == 0, outcome.out
