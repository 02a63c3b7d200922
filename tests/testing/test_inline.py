"""Inline mode: whoever sends a job waits for its handler."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import psycopg
import pytest
from pydantic import BaseModel

from pgboss import ConfigurationError, Job, Jobs, SyncPgBoss
from pgboss.testing import inline, sync_inline
from support.boss import BossFactory


class Visit(BaseModel):
    at: datetime


async def test_a_send_returns_when_the_handler_has(make_boss: BossFactory) -> None:
    jobs = Jobs()
    visits: list[Visit] = []

    @jobs.job("visit")
    async def visit(payload: Visit, job: Job) -> str:
        visits.append(payload)
        await boss.send(echo, {"of": str(job.id)})
        return "seen"

    @jobs.job("echo")
    async def echo(payload: dict[str, str]) -> None: ...

    boss = await make_boss(jobs=[jobs], work=False)
    sent = Visit(at=datetime.fromisoformat("2026-01-31T12:00:00Z"))
    async with inline(boss) as ran:
        id = await boss.send(visit, sent)

        # Through JSON and back: equal, and not the same.
        assert visits == [sent]
        assert visits[0] is not sent
        assert [(one.name, one.state) for one in ran] == [("echo", "completed"), ("visit", "completed")]
        assert id is not None
        job = await boss.get_job(id)
        assert job is not None
        assert (job.state, job.output) == ("completed", {"value": "seen"})
        await boss.send(visit, sent, start_after=60)
        assert len(visits) == 1
    await boss.send(visit, sent)
    assert len(visits) == 1


async def test_an_error_of_the_handler_is_the_senders(make_boss: BossFactory) -> None:
    jobs = Jobs()

    @jobs.job("broken", retry_limit=0)
    async def broken(payload: dict[str, Any]) -> None:
        raise LookupError("gone")

    boss = await make_boss(jobs=[jobs], work=False)
    async with inline(boss) as ran:
        with pytest.raises(LookupError, match="gone"):
            await boss.send(broken, {})
        assert [one.state for one in ran] == ["failed"]
    async with inline(boss, raise_errors=False) as ran:
        assert await boss.send(broken, {}) is not None
        assert isinstance(ran[0].error, LookupError)


async def test_in_a_transaction_everything_is_part_of_it(make_boss: BossFactory, database_url: str) -> None:
    jobs = Jobs()
    ran_with: list[int] = []

    @jobs.job("count")
    async def count(payload: int) -> None:
        ran_with.append(payload)

    @jobs.job("apart", transactional=True)
    async def apart(payload: None, job: Job, connection: psycopg.AsyncConnection[object]) -> None: ...

    boss = await make_boss(jobs=[jobs], work=False)
    async with inline(boss), await psycopg.AsyncConnection.connect(database_url) as connection:
        ids = await boss.insert(count, [{"data": 1}, {"data": 2}], return_id=True, connection=connection)
        assert sorted(ran_with) == [1, 2]
        with pytest.raises(ConfigurationError, match="Commit first"):
            await boss.send(apart, connection=connection)
        await connection.rollback()
    assert [await boss.get_job(id) for id in ids] == [None, None]


def test_without_asyncio_too(database_url: str) -> None:
    jobs = Jobs()
    seen: list[int] = []

    @jobs.job("count")
    def count(payload: int) -> None:
        seen.append(payload)

    with SyncPgBoss(database_url) as boss, psycopg.connect(database_url) as connection:
        boss.create_queue("count")
        with sync_inline(boss, jobs) as ran:
            boss.send(count, 1)
            boss.send(count, 2, connection=connection)
            assert seen == [1, 2]
            assert [one.state for one in ran] == ["completed", "completed"]
            connection.rollback()
        boss.send(count, 3)
        assert seen == [1, 2]
        assert len(boss.find_jobs("count")) == 2
