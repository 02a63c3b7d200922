"""The counts of all queues as server-sent events: one poller for all listeners, and only while there are any."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, MutableMapping
from contextlib import aclosing
from typing import Any
from uuid import uuid4

import httpx
import pytest

from pgboss import PgBoss
from pgboss.errors import DatabaseUnavailableError
from pgboss.insights import QueueCounts, queue_news
from pgboss.web import WebOptions, app
from pgboss.web.feed import Feed, Feeds
from pgboss.web.site import Site
from support.eventually import eventually
from support.web import calling, serving

EMPTY = QueueCounts("mail", 0, 0, 0, 0, 0, 0)
ONE = QueueCounts("mail", 1, 0, 1, 0, 0, 1)


class Counts:
    """What is read, how often, and what goes wrong."""

    def __init__(self) -> None:
        self.now = [EMPTY]
        self.reads = 0
        self.error: Exception | None = None

    async def read(self) -> list[QueueCounts]:
        self.reads += 1
        if self.error is not None:
            raise self.error
        return list(self.now)


@pytest.fixture
def counts() -> Counts:
    return Counts()


async def test_only_changes_are_told(counts: Counts) -> None:
    feed = Feed(counts.read, poll_seconds=0.001, quiet_seconds=20)
    async with aclosing(feed.listen()) as news:
        first = await anext(news)
        following = asyncio.ensure_future(anext(news))
        await eventually(lambda: counts.reads > 5)
        assert not following.done()
        counts.now = [ONE]
        second = await following
    assert first is not None
    assert second is not None
    assert (first.version, first.value, second.version, second.value) == (1, [EMPTY], 2, [ONE])


async def test_all_listeners_share_a_poller_which_ends_with_the_last(counts: Counts) -> None:
    feed = Feed(counts.read, poll_seconds=60)
    one, other = feed.listen(), feed.listen()
    assert await anext(one) == await anext(other)
    assert counts.reads == 1
    await one.aclose()
    assert feed.is_polling
    await other.aclose()
    assert not feed.is_polling


async def test_silence_is_told(counts: Counts) -> None:
    feed = Feed(counts.read, poll_seconds=60, quiet_seconds=0.01)
    async with aclosing(feed.listen()) as news:
        await anext(news)
        assert await anext(news) is None


async def test_a_database_that_is_away_ends_nothing(counts: Counts) -> None:
    counts.error = DatabaseUnavailableError("away")
    feed = Feed(counts.read, poll_seconds=0.001, quiet_seconds=20)
    async with aclosing(feed.listen()) as news:
        waiting = asyncio.ensure_future(anext(news))
        await eventually(lambda: counts.reads > 2)
        counts.error = None
        assert (await waiting) is not None


async def test_closing_ends_the_listeners(counts: Counts) -> None:
    feed = Feed(counts.read, poll_seconds=60)
    news = feed.listen()
    await anext(news)
    feed.close()
    assert [snapshot async for snapshot in news] == []
    assert not feed.is_polling


async def test_each_thing_has_a_feed_while_somebody_listens() -> None:
    async def read(key: str) -> str:
        return key * 2

    feeds = Feeds(read, poll_seconds=60)
    ann, bob, other = feeds.listen("a"), feeds.listen("a"), feeds.listen("b")
    told = [await anext(one) for one in (ann, bob, other)]
    assert [one.value for one in told if one is not None] == ["aa", "aa", "bb"]
    assert len(feeds) == 2
    await ann.aclose()
    assert len(feeds) == 2
    await bob.aclose()
    assert len(feeds) == 1
    feeds.close()
    assert [one async for one in other] == []
    assert [one async for one in feeds.listen("a")] == []
    assert len(feeds) == 0


async def test_events_of_a_job(boss: PgBoss, database_url: str) -> None:
    await boss.create_queue("mail", retry_limit=0)
    id = await boss.send("mail", {"to": "ada"})
    with serving(database_url) as address:
        async with (
            httpx.AsyncClient(timeout=20) as client,
            client.stream("GET", f"{address}/api/jobs/{id}/events") as answer,
        ):
            assert answer.headers["content-type"].startswith("text/event-stream")
            lines = answer.aiter_lines()
            assert (await told(lines))["state"] == "created"
            [job] = await boss.fetch("mail")
            assert (await told(lines))["state"] == "active"
            await boss.fail("mail", job, ValueError("no such address"))
            failed = await told(lines)
            assert (failed["state"], failed["error"]) == ("failed", "no such address")
            await boss.delete_job("mail", str(id))
            rest = [line async for line in lines]
    assert "event: gone" in rest


async def test_events_of_no_job(boss: PgBoss) -> None:
    async with calling(app(boss)) as client:
        assert (await client.get(f"/api/jobs/{uuid4()}/events")).status_code == 404


async def told(lines: AsyncIterator[str]) -> Any:
    """The data of the next event ``job``."""
    async for line in lines:
        if line == "event: job":
            return json.loads((await anext(lines)).removeprefix("data: "))
    raise AssertionError("no more events")


async def test_events_over_http(boss: PgBoss, database_url: str) -> None:
    await boss.create_queue("mail")
    with serving(database_url) as address:
        async with httpx.AsyncClient() as client, client.stream("GET", f"{address}/api/events") as answer:
            assert answer.headers["content-type"].startswith("text/event-stream")
            lines = answer.aiter_lines()
            told = [await anext(lines) for _ in range(3)]
    assert told[:2] == ["id: 1", "event: counts"]
    assert [queue["name"] for queue in json.loads(told[2].removeprefix("data: "))["queues"]] == ["mail"]


async def test_nobody_listens_without_rights(boss: PgBoss) -> None:
    async with calling(app(boss, WebOptions(authenticate=lambda connection: None))) as client:
        assert (await client.get("/api/events")).status_code == 401


async def test_listeners_that_go_end_the_poller(boss: PgBoss) -> None:
    application = app(boss)
    told, gone = asyncio.Event(), asyncio.Event()

    async def receive() -> dict[str, Any]:
        await told.wait()
        gone.set()
        return {"type": "http.disconnect"}

    async def send(message: MutableMapping[str, Any]) -> None:
        if message.get("body"):
            told.set()

    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "method": "GET",
        "path": "/api/events",
        "query_string": b"",
        "headers": [(b"host", b"localhost")],
        "client": ("127.0.0.1", 50_000),
    }
    await asyncio.wait_for(application(scope, receive, send), 20)
    assert gone.is_set()
    assert not application.state.site.counts.is_polling


async def test_a_change_of_jobs_is_told_before_anybody_has_counted(boss: PgBoss) -> None:
    await boss.create_queue("mail")
    site: Site = app(boss).state.site
    before = await site.read(queue_news(site.schema))

    async def has_changed() -> bool:
        now = await site.read(queue_news(site.schema))
        return (now.queues == before.queues) and now.changes > before.changes

    await boss.send("mail", {})
    # A session tells the statistics of what it wrote when it has been idle for up to ten seconds.
    await eventually(has_changed, within=20)
