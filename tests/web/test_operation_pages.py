"""The pages of instances, warnings and index builds."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from dataclasses import replace

import httpx
import pytest

from pgboss import PgBoss
from pgboss.web import WebOptions, app
from support.postgres import sql
from support.web import calling

HTML = {"Accept": "text/html"}


@pytest.fixture
async def browser(boss: PgBoss) -> AsyncIterator[httpx.AsyncClient]:
    async with calling(app(boss, replace(WebOptions(), redact=frozenset({"secret"})))) as client:
        client.headers.update(HTML)
        yield client


async def test_what_an_instance_runs(browser: httpx.AsyncClient, boss: PgBoss, database_url: str) -> None:
    await boss.create_queue("mail")
    worker = {"queue": "mail", "active": 3, "localConcurrency": 5, "lastFetchedOn": "2026-01-02T03:04:05.000Z"}
    report(database_url, workers=[worker], metrics={"rss": 150 * 1024**2, "cpu": 0.42})
    await boss.send("mail", {})
    [job] = await boss.fetch("mail")
    text = (await browser.get("/instances")).text
    assert re.search(r'data-label="Running">3</td>\s*<td[^>]*>5</td>', text)
    for words in ("150 MB", "42 %", "2026-01-02T03:04:05+00:00", f"/jobs/{job.id}"):
        assert words in text


@pytest.mark.parametrize(
    "workers", ["nothing", [], [1], [{"queue": 5}], [{"queue": "<script>", "active": "x", "lastFetchedOn": "soon"}]]
)
async def test_rows_of_others_may_hold_anything(
    browser: httpx.AsyncClient, boss: PgBoss, database_url: str, workers: object
) -> None:
    report(database_url, workers=workers, metrics=["odd"])
    answer = await browser.get("/instances")
    assert answer.status_code == 200
    assert "not known" in answer.text
    assert "<script>" not in answer.text.split("<main")[1]


async def test_those_that_are_gone_are_shown_when_asked_for(
    browser: httpx.AsyncClient, boss: PgBoss, database_url: str
) -> None:
    sql(database_url, "UPDATE pgboss.instance SET stopped_on = now()")
    assert "No instance is running" in (await browser.get("/instances")).text
    assert "Stopped" in (await browser.get("/instances?show=all")).text


async def test_an_instance_is_paused_and_resumed(browser: httpx.AsyncClient, boss: PgBoss) -> None:
    token = token_of(await browser.get("/instances"))
    paused = await browser.post(f"/instances/{boss.id}/pause", data={"csrf_token": token})
    assert (paused.status_code, paused.headers["location"]) == (303, "/instances")
    assert [one.target for one in await boss.get_pauses()] == [str(boss.id)]
    assert "Paused" in (await browser.get("/instances")).text
    await browser.post(f"/instances/{boss.id}/resume", data={"csrf_token": token})
    assert await boss.get_pauses() == []


async def test_no_instance_is_called_like_that(browser: httpx.AsyncClient, boss: PgBoss) -> None:
    token = token_of(await browser.get("/instances"))
    assert (await browser.post("/instances/nobody/pause", data={"csrf_token": token})).status_code == 422


async def test_warnings_hide_what_is_configured_and_escape_the_rest(
    browser: httpx.AsyncClient, database_url: str
) -> None:
    warn(database_url, "queue_backlog", "<b>many</b>", {"secret": "hush", "queued": 7})
    warn(database_url, "slow_query", "slow", None)
    text = (await browser.get("/warnings")).text
    assert "&lt;b&gt;many&lt;/b&gt;" in text
    assert "hush" not in text
    assert "[redacted]" in text
    only = (await browser.get("/warnings?type=slow_query")).text
    assert ("&lt;b&gt;many" in only, ">slow<" in only) == (False, True)


async def test_warnings_go_on_behind_the_last(browser: httpx.AsyncClient, database_url: str) -> None:
    sql(
        database_url,
        "INSERT INTO pgboss.warning (type, message, created_on)"
        " SELECT 'odd', 'no. ' || n, now() - n * interval '1 s' FROM generate_series(1, 60) n",
    )
    first = (await browser.get("/warnings?type=odd")).text
    older = re.search(r'href="([^"]*)" rel="next"', first)
    assert older
    second = (await browser.get(older[1].replace("&amp;", "&"))).text
    assert ("no. 50<" in first, "no. 51<" in first) == (True, False)
    assert ("no. 50<" in second, "no. 51<" in second, "no. 60<" in second) == (False, True, True)


async def test_no_warnings_and_no_builds(browser: httpx.AsyncClient) -> None:
    assert "No warnings" in (await browser.get("/warnings")).text
    assert "Nothing was put off" in (await browser.get("/builds")).text


async def test_a_build_that_failed_says_why(browser: httpx.AsyncClient, database_url: str) -> None:
    sql(
        database_url,
        "INSERT INTO pgboss.bam (name, version, status, table_name, command, error)"
        " VALUES ('index', 46, 'failed', 'job', 'CREATE INDEX <x>', 'no <room>')",
    )
    text = (await browser.get("/builds")).text
    for words in ("no &lt;room&gt;", "CREATE INDEX &lt;x&gt;", "badge bad"):
        assert words in text


@pytest.mark.parametrize("path", ["/warnings?before_at=yesterday", "/builds?after=1", "/instances?after=x"])
async def test_places_that_are_none(browser: httpx.AsyncClient, path: str) -> None:
    assert (await browser.get(path)).status_code == 422


async def test_who_may_only_look_pauses_nothing(boss: PgBoss) -> None:
    async with calling(app(boss, replace(WebOptions(), read_only=True))) as client:
        client.headers.update(HTML)
        assert "/pause" not in (await client.get("/instances")).text
        assert (await client.post(f"/instances/{boss.id}/pause")).status_code == 403
    assert await boss.get_pauses() == []


def report(url: str, *, workers: object, metrics: object) -> None:
    values = [json.dumps(workers), json.dumps(metrics)]
    sql(url, "UPDATE pgboss.instance SET workers = %s::jsonb, metrics = %s::jsonb, heartbeat_on = now()", values)


def warn(url: str, type: str, message: str, data: object) -> None:
    values = [type, message, json.dumps(data)]
    sql(url, "INSERT INTO pgboss.warning (type, message, data) VALUES (%s, %s, %s::jsonb)", values)


def token_of(answer: httpx.Response) -> str:
    found = re.search(r'name="csrf_token" value="([0-9a-f]+)"', answer.text)
    assert found
    return found[1]
