"""Bringing dead letters back: refusals, callers' transactions, and several at once."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from pgboss import ConflictError, Jobs, PgBoss, QueueNotFoundError, ValidationError
from support.boss import BossFactory
from support.postgres import sql, sql_value

REFUSALS: list[tuple[dict[str, Any], str]] = [
    ({"limit": 0}, "limit must be an integer of 1 or more, not 0"),
    ({"limit": True}, "limit must be an integer of 1 or more, not True"),
    ({"destination": "no spaces"}, "The destination 'no spaces' may hold only"),
    ({"source_name": ""}, "The source_name is empty"),
    ({"data": [1]}, r"data must be a JSON object .* not \[1\]"),
    ({"data": None}, "data must be a JSON object .* not None"),
    ({"created_before": "today"}, "created_before must be a datetime, not 'today'"),
    ({"created_before": datetime(2030, 1, 1)}, "created_before is a datetime without a time zone"),  # noqa: DTZ001  that is the point
    ({"ids": []}, r"ids must be a list of at least one job id, not \[\]"),
    ({"ids": "6f1e8a0c-96fb-4b6e-9a53-3fd3a1b9bb11"}, "ids must be a list of at least one job id"),
    ({"ids": ["x"]}, "ids must be a UUID, not 'x'"),
]


async def dead_letters(boss: PgBoss, count: int, **options: Any) -> None:
    """That many jobs of ``work``, failed for good."""
    await boss.create_queue("dead")
    await boss.create_queue("work", dead_letter="dead", retry_limit=0, **options)
    await boss.insert("work", [{"data": {"n": number}} for number in range(count)])
    await boss.fail("work", await boss.fetch("work", batch_size=count))


@pytest.mark.parametrize(("filters", "message"), REFUSALS)
async def test_what_is_refused(boss: PgBoss, filters: dict[str, Any], message: str) -> None:
    await dead_letters(boss, 1)
    for call in (boss.redrive, boss.preview_redrive):
        expected = message.replace("of 1 or more", "from 1 to 100000") if call == boss.preview_redrive else message
        with pytest.raises(ValidationError, match=expected):
            await call("dead", **filters)
    assert len(await boss.find_jobs("dead")) == 1


async def test_queues_that_do_not_exist(boss: PgBoss) -> None:
    with pytest.raises(QueueNotFoundError, match="'dead' does not exist"):
        await boss.redrive("dead")
    await dead_letters(boss, 1)
    for call in (boss.redrive, boss.preview_redrive):
        with pytest.raises(QueueNotFoundError, match="'wrok' does not exist"):
            await call("dead", destination="wrok")


async def test_definitions_name_queues(boss: PgBoss) -> None:
    jobs = Jobs()
    dead, work, other = jobs.declare("dead"), jobs.declare("work"), jobs.declare("other")
    await dead_letters(boss, 2)
    await boss.create_queue(other)
    preview = await boss.preview_redrive(dead, destination=other, source_name=work)

    assert (preview.total, preview.destinations, preview.unroutable) == (2, {"other": 2}, 0)
    assert await boss.redrive(dead, destination=other, source_name=work, created_before=datetime.now(UTC)) == 2
    assert len(await boss.fetch(other, batch_size=9)) == 2


async def test_in_a_callers_transaction(boss: PgBoss, database_url: str) -> None:
    """It is the caller's to keep or to drop, and goes on after a refusal."""
    await dead_letters(boss, 3)
    await boss.create_queue("strict", policy="key_strict_fifo")
    async with await psycopg.AsyncConnection.connect(database_url) as connection:
        with pytest.raises(ConflictError, match="Nothing was redriven"):
            await boss.redrive("dead", destination="strict", connection=connection)
        assert await boss.redrive("dead", connection=connection) == 3
        await connection.rollback()
        assert (await boss.preview_redrive("dead")).total == 3
        assert await boss.redrive("dead", limit=2, connection=connection) == 2
        await connection.commit()
    assert (await boss.preview_redrive("dead")).total == 1


async def test_several_at_once_move_each_job_once(make_boss: BossFactory, boss: PgBoss, database_url: str) -> None:
    await dead_letters(boss, 500)
    others = [await make_boss() for _ in range(3)]

    async def drain(instance: PgBoss) -> int:
        moved = 0
        while (batch := await instance.redrive("dead", limit=20)) or (await instance.preview_redrive("dead")).total:
            moved += batch
        return moved

    assert sum(await asyncio.gather(*(drain(instance) for instance in (boss, *others)))) == 500
    counts = sql(database_url, "SELECT name, state::text, count(*) FROM pgboss.job GROUP BY 1, 2 ORDER BY 1, 2")
    assert [tuple(row.values()) for row in counts] == [("work", "created", 500), ("work", "failed", 500)]
    assert sql_value(database_url, "SELECT count(DISTINCT data) FROM pgboss.job WHERE state = 'created'") == 500


async def test_a_letter_somebody_holds_is_left(boss: PgBoss, database_url: str) -> None:
    await dead_letters(boss, 3)
    async with await psycopg.AsyncConnection.connect(database_url) as holder:
        cursor = await holder.execute("SELECT id FROM pgboss.job WHERE name = 'dead' LIMIT 1 FOR UPDATE")
        row = await cursor.fetchone()
        assert row is not None
        held = UUID(str(row[0]))
        assert await boss.redrive("dead") == 2
        await holder.rollback()
    assert [job.id for job in await boss.find_jobs("dead")] == [held]
    assert await boss.redrive("dead", ids=[uuid4()]) == 0
