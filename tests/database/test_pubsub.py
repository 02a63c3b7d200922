"""Publishing: in all subscribed queues or in none, and what is refused."""

from __future__ import annotations

import asyncio
from typing import Any

import psycopg
import pytest

from pgboss import Jobs, PayloadError, PgBoss, QueueNotFoundError, ValidationError
from support.boss import BossFactory
from support.postgres import sql_value


async def subscribed(boss: PgBoss, *queues: str, **options: Any) -> None:
    for queue in queues:
        await boss.create_queue(queue, **options)
        await boss.subscribe("event", queue)


def jobs_in(url: str) -> int:
    count: int = sql_value(url, "SELECT count(*) FROM pgboss.job")
    return count


async def test_every_subscriber_gets_a_job(boss: PgBoss) -> None:
    await subscribed(boss, "a", "b")
    await subscribed(boss, "short", policy="short")
    published = await boss.publish("event", {"n": 1}, priority=7)
    again = await boss.publish("event", {"n": 2}, priority=7)

    assert list(published) == ["a", "b", "short"]
    [job] = await boss.find_jobs("a", id=published["a"])
    assert (job.data, job.priority) == ({"n": 1}, 7)
    # Its slot is taken.
    assert again["short"] is None
    assert again["b"] is not None
    assert await boss.publish("unheard of", {}) == {}


async def test_a_refusal_leaves_nothing(boss: PgBoss, database_url: str) -> None:
    """Also in a caller's transaction, which goes on."""
    await subscribed(boss, "a", "b")
    await subscribed(boss, "strict", policy="key_strict_fifo")
    refusals: list[tuple[dict[str, Any], type[Exception], str]] = [
        ({}, ValidationError, "'strict' has the policy key_strict_fifo"),
        ({"singleton_key": "k", "start_after": "whenever"}, ValidationError, "start_after cannot be read"),
        ({"singleton_key": "k", "dead_letter": "gone"}, QueueNotFoundError, "'gone' does not exist"),
        ({"singleton_key": "k", "priority": "high"}, ValidationError, "priority must be an integer"),
    ]
    async with await psycopg.AsyncConnection.connect(database_url) as connection:
        for options, kind, message in refusals:
            with pytest.raises(kind, match=message):
                await boss.publish("event", None, **options)
            with pytest.raises(kind, match=message):
                await boss.publish("event", None, connection=connection, **options)
        await connection.commit()
        assert jobs_in(database_url) == 0
        await boss.publish("event", None, singleton_key="k", connection=connection)
        await connection.rollback()
        assert jobs_in(database_url) == 0
        await boss.publish("event", None, singleton_key="k", connection=connection)
        await connection.commit()
    assert jobs_in(database_url) == 3


async def test_what_is_refused(boss: PgBoss, database_url: str) -> None:
    with pytest.raises(QueueNotFoundError, match="'missing' does not exist"):
        await boss.subscribe("event", "missing")
    for call in (boss.subscribe, boss.unsubscribe):
        with pytest.raises(ValidationError, match="event must not be empty"):
            await call("", "queue")
        with pytest.raises(ValidationError, match="may hold only"):
            await call("event", "no spaces")
    with pytest.raises(ValidationError, match="event must not be empty"):
        await boss.publish("")
    await boss.create_queue("queue")
    async with await psycopg.AsyncConnection.connect(database_url) as connection:
        with pytest.raises(QueueNotFoundError):
            await boss.subscribe("event", "missing", connection=connection)
        await boss.subscribe("event", "queue", connection=connection)
        await connection.commit()
    assert list(await boss.publish("event")) == ["queue"]
    await boss.unsubscribe("event", "queue")
    await boss.unsubscribe("event", "queue")
    assert await boss.publish("event") == {}


async def test_events_with_a_payload_of_a_type(boss: PgBoss) -> None:
    jobs = Jobs()
    counted = jobs.event("things counted", dict[str, int])
    happened = jobs.event("happened", None)
    await boss.create_queue("jobs")
    await boss.subscribe(counted, "jobs")
    await boss.subscribe(happened, jobs.declare("jobs"))
    await boss.publish(counted, {"n": 1})
    await boss.publish(happened)
    with pytest.raises(PayloadError, match="things counted"):
        await boss.publish(counted, {"n": "many"})  # type: ignore[misc]  # what mypy refuses is refused at run time too

    assert [job.data for job in await boss.find_jobs("jobs")] == [{"n": 1}, None]
    await boss.unsubscribe(counted, "jobs")
    assert await boss.publish(counted, {"n": 2}) == {}


async def test_subscriptions_declared_in_code_are_made_at_the_start(make_boss: BossFactory) -> None:
    jobs = Jobs()
    happened = jobs.event("happened", int)
    heard = asyncio.Queue[int]()

    @jobs.job("listener")
    async def listen(payload: int) -> None:
        await heard.put(payload)

    jobs.subscribe(happened, listen)
    for registry in (jobs, Jobs.merge(jobs, Jobs())):
        instance = await make_boss(jobs=[registry])
        assert list(await instance.publish(happened, 7)) == ["listener"]
        assert await asyncio.wait_for(heard.get(), 5) == 7
