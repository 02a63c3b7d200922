"""What is too much: requests that are too large, and wrong keys that are too many."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import httpx
import pytest
from starlette.requests import HTTPConnection

from pgboss import PgBoss
from pgboss.web import WebOptions, app
from pgboss.web.access import ApiKey
from pgboss.web.attempts import MOST_ADDRESSES, MOST_ATTEMPTS, WINDOW_SECONDS, Attempts
from pgboss.web.problems import Problem
from support.web import calling

MAIL = "/api/queues/mail"
SMALL = WebOptions(max_body_bytes=100)
KEYS = WebOptions(keys=(ApiKey("ci", "full", "full-secret"),))
PAGE = {"Accept": "text/html"}


@pytest.mark.parametrize("size", [100, 101, 100_000])
@pytest.mark.parametrize("announced", [True, False])
async def test_a_body_that_is_too_large(boss: PgBoss, size: int, announced: bool) -> None:
    body = b'{"retry_limit": 1}'.ljust(size)

    async def chunks() -> AsyncIterator[bytes]:
        for start in range(0, size, 50):
            yield body[start : start + 50]

    async with calling(app(boss, SMALL)) as client:
        headers = {"Content-Type": "application/json"}
        answer = await client.put(MAIL, content=body if announced else chunks(), headers=headers)
    assert ("content-length" in answer.request.headers) is announced
    if size == 100:
        assert answer.status_code == 200
    else:
        assert (answer.status_code, answer.json()["error"]) == (413, "too_large")
        assert "100 bytes at most" in answer.json()["message"]
        assert await boss.get_queue("mail") is None


async def test_a_form_that_is_too_large_is_answered_with_a_page(boss: PgBoss) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield b"key=" + b"x" * 200

    async with calling(app(boss, replace(SMALL, keys=KEYS.keys))) as client:
        headers = PAGE | {"Content-Type": "application/x-www-form-urlencoded"}
        for content in (b"x" * 200, chunks()):
            answer = await client.post("/login", content=content, headers=headers)
            assert (answer.status_code, "Too large" in answer.text) == (413, True)


async def test_whoever_guesses_keys_is_not_listened_to(boss: PgBoss) -> None:
    application = app(boss, KEYS)
    right, wrong = {"X-API-Key": "full-secret"}, {"X-API-Key": "wrong"}
    async with calling(application, address="203.0.113.9") as client:
        for _ in range(MOST_ATTEMPTS):
            assert (await client.get("/api/queues", headers=wrong)).status_code == 401
        late = await client.get("/api/queues", headers=right)
        assert (late.status_code, late.json()["error"]) == (429, "too_many_attempts")
        assert 0 < int(late.headers["retry-after"]) <= WINDOW_SECONDS
    async with calling(application, address="203.0.113.10") as client:
        assert (await client.get("/api/queues", headers=right)).status_code == 200


async def test_logins_count_and_sessions_do_not(boss: PgBoss) -> None:
    application = app(boss, KEYS)
    async with calling(application) as client, calling(application) as logged_in:

        async def log_in(client: httpx.AsyncClient, key: str) -> httpx.Response:
            form = (await client.get("/login", headers=PAGE)).text
            token = form.split('name="csrf_token" value="')[1][:64]
            return await client.post("/login", data={"csrf_token": token, "key": key}, headers=PAGE)

        await log_in(logged_in, "full-secret")
        for _ in range(MOST_ATTEMPTS):
            assert (await log_in(client, "wrong")).status_code == 401
        refused = await log_in(client, "full-secret")
        assert (refused.status_code, "Too many wrong keys" in refused.text) == (429, True)
        assert (await logged_in.get("/api/queues")).status_code == 200


class Hand:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def asking(address: str) -> HTTPConnection:
    return HTTPConnection({"type": "http", "headers": [], "client": (address, 1)})


def test_attempts_are_forgotten_after_a_minute() -> None:
    clock = Hand()
    attempts = Attempts(clock=clock)
    for _ in range(MOST_ATTEMPTS):
        attempts.check(asking("a"))
        attempts.failed(asking("a"))
        clock.now += 1
    with pytest.raises(Problem, match="in 40 seconds"):
        attempts.check(asking("a"))
    clock.now = WINDOW_SECONDS
    attempts.check(asking("a"))


def test_only_so_many_addresses_are_remembered() -> None:
    attempts = Attempts(clock=Hand())
    for number in range(MOST_ADDRESSES + 5):
        attempts.failed(asking(str(number)))
    assert len(attempts._failures) == MOST_ADDRESSES
