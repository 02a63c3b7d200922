"""The pages of queues: what they show, what they change, and what they refuse."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx
import pytest

from pgboss import PgBoss
from pgboss.web import WebOptions, app
from support.postgres import sql
from support.web import calling

HTML = {"Accept": "text/html"}


@pytest.fixture
async def browser(boss: PgBoss) -> AsyncIterator[httpx.AsyncClient]:
    async with calling(app(boss)) as client:
        client.headers.update(HTML)
        yield client


async def post(browser: httpx.AsyncClient, path: str, page: str, **fields: Any) -> httpx.Response:
    """Send a form as the page that holds it would."""
    token = re.search(r'name="csrf_token" value="([0-9a-f]+)"', (await browser.get(page)).text)
    assert token, f"{page} has no form"
    return await browser.post(path, data={"csrf_token": token[1], **fields})


async def test_the_overview_of_nothing(browser: httpx.AsyncClient) -> None:
    answer = await browser.get("/")
    assert "No queues yet" in answer.text
    assert "/create-queue" in answer.text


async def test_queues_in_trouble_come_before_those_that_are_well(
    browser: httpx.AsyncClient, boss: PgBoss, database_url: str
) -> None:
    await boss.create_queue("a-calm")
    await boss.create_queue("z-failing")
    sql(database_url, "UPDATE pgboss.queue SET failed_delta = 3 WHERE name = 'z-failing'")
    text = (await browser.get("/")).text
    assert text.index("Queues in trouble") < text.index("z-failing") < text.index("Queues that are well")
    assert "Failing" in text


async def test_a_list_is_searched_and_sorted_by_its_address(
    browser: httpx.AsyncClient, boss: PgBoss, database_url: str
) -> None:
    for name, ready in (("mail-a", 1), ("mail-b", 5), ("other", 9)):
        await boss.create_queue(name)
        sql(database_url, "UPDATE pgboss.queue SET ready_count = %s WHERE name = %s", [ready, name])
    text = (await browser.get("/queues?search=MAIL&sort=-ready")).text
    assert rows(text) == ["mail-b", "mail-a"]
    assert 'aria-sort="descending"' in text
    assert rows((await browser.get("/queues?sort=name")).text) == ["mail-a", "mail-b", "other"]
    assert "No queue is called like that" in (await browser.get("/queues?search=nothing")).text


async def test_what_is_searched_for_is_no_html(browser: httpx.AsyncClient) -> None:
    text = (await browser.get("/queues", params={"search": '"><script>alert(1)</script>'})).text
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert(1)" in text


async def test_only_paused_queues_are_kept(browser: httpx.AsyncClient, boss: PgBoss) -> None:
    for name in ("works", "rests"):
        await boss.create_queue(name)
    await boss.pause_queue("rests")
    assert rows((await browser.get("/queues?show=paused")).text) == ["rests"]


async def test_a_queue_is_created(browser: httpx.AsyncClient, boss: PgBoss) -> None:
    answer = await post(
        browser, "/create-queue", "/create-queue", name="team/mail", policy="short", retry_limit="7", notify="true"
    )
    assert (answer.status_code, answer.headers["location"]) == (303, "/queues/team/mail")
    queue = await boss.get_queue("team/mail")
    assert queue is not None
    assert (queue.policy, queue.retry_limit, queue.notify, queue.partition) == ("short", 7, True, False)


@pytest.mark.parametrize(
    ("fields", "field", "words"),
    [
        ({"name": "mail", "retry_limit": "many"}, "retry_limit", "valid integer"),
        ({"name": "mail", "retry_limit": "-1"}, "retry_limit", "must be"),
        ({"name": "taken"}, "name", "taken"),
        ({}, "name", "required"),
    ],
)
async def test_what_is_wrong_is_told_at_its_field(
    browser: httpx.AsyncClient, boss: PgBoss, fields: dict[str, str], field: str, words: str
) -> None:
    await boss.create_queue("taken")
    answer = await post(browser, "/create-queue", "/create-queue", **fields)
    assert answer.status_code == 422
    told = re.search(rf'id="error-{field}">([^<]*)<', answer.text)
    assert told, answer.text
    assert words in told[1]
    for value in fields.values():
        assert f'value="{value}"' in answer.text
    assert await boss.get_queue("mail") is None


async def test_settings_are_changed_and_cleared(browser: httpx.AsyncClient, boss: PgBoss, database_url: str) -> None:
    await boss.create_queue("dead")
    await boss.create_queue("mail", heartbeat_seconds=60, dead_letter="dead", retry_limit=3)
    answer = await post(
        browser, "/queues/mail/settings", "/queues/mail", retry_limit="9", heartbeat_seconds="", dead_letter="dead"
    )
    assert answer.status_code == 303
    queue = await boss.get_queue("mail")
    assert queue is not None
    assert (queue.retry_limit, queue.heartbeat_seconds, queue.dead_letter) == (9, None, "dead")
    [row] = sql(database_url, "SELECT action, what FROM pgboss.py_audit")
    assert row["action"] == "update_queue"
    # What the form says as the queue is already, is not changed.
    assert row["what"]["options"] == {"retry_limit": 9, "heartbeat_seconds": None}


async def test_settings_that_cannot_be_stay_in_the_form(browser: httpx.AsyncClient, boss: PgBoss) -> None:
    await boss.create_queue("mail", retry_limit=3)
    answer = await post(browser, "/queues/mail/settings", "/queues/mail", dead_letter="nowhere", retry_limit="4")
    assert answer.status_code == 422
    assert 'value="nowhere"' in answer.text
    assert re.search(r'id="error-dead_letter">[^<]*nowhere', answer.text)
    queue = await boss.get_queue("mail")
    assert queue is not None
    assert queue.retry_limit == 3


async def test_a_queue_is_paused_and_resumed(browser: httpx.AsyncClient, boss: PgBoss) -> None:
    await boss.create_queue("mail")
    await post(browser, "/queues/mail/pause", "/queues/mail")
    assert [one.target for one in await boss.get_pauses()] == ["mail"]
    assert "Paused" in (await browser.get("/queues/mail")).text
    await post(browser, "/queues/mail/resume", "/queues/mail")
    assert await boss.get_pauses() == []


async def test_purging_deletes_what_waits(browser: httpx.AsyncClient, boss: PgBoss) -> None:
    await boss.create_queue("mail")
    await boss.send("mail", {})
    await boss.send("mail", {})
    [running] = await boss.fetch("mail")
    answer = await post(browser, "/queues/mail/purge", "/queues/mail")
    assert answer.status_code == 303
    assert "1 waiting jobs of mail were deleted." in (await browser.get("/queues/mail")).text
    assert [job.id for job in await boss.find_jobs("mail")] == [running.id]


async def test_a_queue_is_deleted_when_its_name_is_typed(browser: httpx.AsyncClient, boss: PgBoss) -> None:
    await boss.create_queue("mail")
    refused = await post(browser, "/queues/mail/delete", "/queues/mail", confirm="mial")
    assert (refused.status_code, await boss.get_queue("mail") is None) == (422, False)
    assert "Nothing was deleted" in refused.text
    answer = await post(browser, "/queues/mail/delete", "/queues/mail", confirm="mail")
    assert (answer.status_code, answer.headers["location"]) == (303, "/queues")
    assert await boss.get_queue("mail") is None


async def test_counts_of_a_queue_are_those_of_now(browser: httpx.AsyncClient, boss: PgBoss, database_url: str) -> None:
    await boss.create_queue("mail")
    sql(
        database_url,
        "INSERT INTO pgboss.job (name, state) SELECT 'mail', 'created' FROM generate_series(1, 10003)",
    )
    assert re.search(r"state=created\">10,000\+</a>", (await browser.get("/queues/mail")).text)
    await boss.delete_queued_jobs("mail")
    await boss.send("mail", {})
    assert re.search(r"state=created\">1</a>", (await browser.get("/queues/mail")).text)


async def test_figures_percentiles_and_subscriptions(
    browser: httpx.AsyncClient, boss: PgBoss, database_url: str
) -> None:
    await boss.create_queue("mail")
    await boss.subscribe("user.created", "mail")
    assert "No figures over time" in (await browser.get("/queues/mail")).text
    sql(
        database_url,
        "INSERT INTO pgboss.queue_stats (name, completed_delta, captured_on, delta_seconds, delta_on,"
        " wait_bins, run_bins)"
        " VALUES ('mail', 5, now(), 60, now(), array_fill(1, ARRAY[20]), array_fill(1, ARRAY[20]))",
    )
    text = (await browser.get("/queues/mail")).text
    for words in ("user.created", "p95", "Waited at most", "data-chart="):
        assert words in text


async def test_keys_that_stand_still(browser: httpx.AsyncClient, boss: PgBoss) -> None:
    await boss.create_queue("ordered", policy="key_strict_fifo", retry_limit=0)
    id = await boss.send("ordered", {}, singleton_key="<b>a&b</b>")
    assert id is not None
    await boss.fetch("ordered")
    await boss.fail("ordered", id)
    text = (await browser.get("/queues/ordered")).text
    assert "&lt;b&gt;a&amp;b&lt;/b&gt;</a>" in text
    assert "<b>a&b" not in text


async def test_an_unknown_queue(browser: httpx.AsyncClient) -> None:
    answer = await browser.get("/queues/nowhere")
    assert answer.status_code == 404
    assert "text/html" in answer.headers["content-type"]


@pytest.mark.parametrize("path", ["settings", "pause", "resume", "purge", "delete"])
async def test_who_may_only_look_changes_nothing(boss: PgBoss, path: str) -> None:
    await boss.create_queue("mail")
    async with calling(app(boss, replace(WebOptions(), read_only=True))) as client:
        client.headers.update(HTML)
        shown = await client.get("/queues/mail")
        assert (shown.status_code, "<form method" in shown.text.split("<main")[1].split("Settings")[0]) == (200, False)
        assert (await client.post(f"/queues/mail/{path}", data={"confirm": "mail"})).status_code == 403
        assert (await client.get("/create-queue")).status_code == 403
    assert await boss.get_queue("mail") is not None


async def test_a_form_without_its_token_changes_nothing(browser: httpx.AsyncClient, boss: PgBoss) -> None:
    await boss.create_queue("mail")
    assert (await browser.post("/queues/mail/delete", data={"confirm": "mail"})).status_code == 403
    assert await boss.get_queue("mail") is not None


def rows(text: str) -> list[str]:
    """The names of the queues in a list, in its order."""
    return re.findall(r'<th scope="row"><a class="name"[^>]*>([^<]*)</a>', text)
