"""Changing queued jobs in place: in races, in the caller's transaction, with listeners, with typed definitions."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from pydantic import BaseModel

from pgboss import Jobs, PayloadError, PgBoss, QueueNotFoundError, SyncPgBoss, Updated, Upserted, ValidationError
from support.boss import BossFactory
from support.eventually import eventually
from support.postgres import sql, sql_value


async def sent(boss: PgBoss, data: Any = None, **options: Any) -> UUID:
    id = await boss.send("jobs", data, **options)
    assert id is not None
    return id


async def test_an_update_says_which_jobs_it_changed(boss: PgBoss) -> None:
    await boss.create_queue("jobs")
    ids = {await sent(boss, number, singleton_key="k") for number in range(2)}

    everything = await boss.update("jobs", {"new": 1}, singleton_key="k", match="all")

    assert set(everything.jobs) == ids
    assert everything.updated == 2
    assert [job.data for job in await boss.find_jobs("jobs")] == [{"new": 1}, {"new": 1}]
    assert await boss.update("jobs", id=uuid4()) == Updated(())


async def test_an_upsert_says_what_it_did(boss: PgBoss) -> None:
    await boss.create_queue("jobs")
    created = await boss.upsert("jobs", "first", singleton_key="k")
    assert created == Upserted(created.jobs, updated=0, inserted=1)
    assert await boss.upsert("jobs", "second", singleton_key="k") == Upserted(created.jobs, updated=1, inserted=0)
    assert [(job.id, job.data) for job in await boss.find_jobs("jobs")] == [(created.jobs[0], "second")]


def test_sync(database_url: str) -> None:
    with SyncPgBoss(database_url) as boss:
        boss.create_queue("jobs")
        [id] = boss.upsert("jobs", "first", singleton_key="k").jobs
        assert boss.update("jobs", "second", id=id).updated == 1
        job = boss.get_job(id)
        assert job is not None
        assert job.data == "second"


async def test_upserts_of_one_key_at_once_create_one_job(make_boss: BossFactory) -> None:
    bosses = [await make_boss(), await make_boss()]
    await bosses[0].create_queue("jobs")
    for round in range(20):
        key = f"key {round}"
        results = await asyncio.gather(*(bosses[n % 2].upsert("jobs", n, singleton_key=key) for n in range(8)))
        assert sorted((result.updated, result.inserted) for result in results) == [(0, 1)] + 7 * [(1, 0)]
        assert len({result.jobs for result in results}) == 1
        [job] = await bosses[0].find_jobs("jobs", key=key)
        assert job.data in range(8)


@pytest.mark.parametrize("partition", [False, True])
async def test_a_job_claimed_meanwhile_is_left_alone(boss: PgBoss, database_url: str, partition: bool) -> None:
    """The call has found its job and waits for the row, which is active by the time that it gets it."""
    await boss.create_queue("jobs", partition=partition)
    claimed = await sent(boss, "claimed", singleton_key="k")
    waiting = (
        "SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    )

    async with await psycopg.AsyncConnection.connect(database_url) as connection:
        assert [job.id for job in await boss.fetch("jobs", connection=connection)] == [claimed]
        upserting = asyncio.create_task(boss.upsert("jobs", "new", singleton_key="k"))
        await eventually(lambda: sql_value(database_url, waiting))
        await connection.commit()
        result = await upserting

    assert (result.updated, result.inserted) == (0, 1)
    assert {(job.data, job.state) for job in await boss.find_jobs("jobs")} == {
        ("claimed", "active"),
        ("new", "created"),
    }


async def test_it_belongs_to_the_callers_transaction(boss: PgBoss, database_url: str) -> None:
    await boss.create_queue("jobs")
    id = await sent(boss, "before")
    async with await psycopg.AsyncConnection.connect(database_url) as connection:
        assert (await boss.update("jobs", "after", id=id, connection=connection)).updated == 1
        assert (await boss.upsert("jobs", "new", singleton_key="k", connection=connection)).inserted == 1
        assert (await boss.upsert("jobs", "newer", singleton_key="k", connection=connection)).updated == 1
        await connection.rollback()
    assert [job.data for job in await boss.find_jobs("jobs")] == ["before"]


async def test_a_refusal_leaves_nothing_half_done(boss: PgBoss, database_url: str) -> None:
    await boss.create_queue("jobs")
    await boss.create_queue("ordered", policy="key_strict_fifo")
    id = await sent(boss, "before", singleton_key="k")
    refusals: list[tuple[type[Exception], str, str, dict[str, Any]]] = [
        (ValidationError, "start_after cannot be read", "jobs", {"start_after": "hello"}),
        (QueueNotFoundError, "Dead letter queue 'gone' does not exist", "jobs", {"dead_letter": "gone"}),
        (QueueNotFoundError, "Queue 'nowhere' does not exist", "nowhere", {}),
    ]
    async with await psycopg.AsyncConnection.connect(database_url) as connection:
        for error, message, queue, options in refusals:
            with pytest.raises(error, match=message):
                await boss.update(queue, "after", singleton_key="k", connection=connection, **options)
            for key in ("k", "new"):
                with pytest.raises(error, match=message):
                    await boss.upsert(queue, "after", singleton_key=key, connection=connection, **options)
        with pytest.raises(ValidationError, match="'ordered' has the policy key_strict_fifo"):
            await boss.upsert("ordered", "after", id=id, connection=connection)
        assert (await boss.update("jobs", id=id, priority=5, connection=connection)).updated == 1
        await connection.commit()
    [job] = await boss.find_jobs("jobs")
    assert (job.data, job.priority) == ("before", 5)


async def test_data_is_held_to_the_limit(make_boss: BossFactory) -> None:
    boss = await make_boss(max_payload_bytes=1000)
    await boss.create_queue("jobs")
    for call in (boss.update, boss.upsert):
        with pytest.raises(PayloadError, match="1002 bytes of JSON; at most 1000"):
            await call("jobs", "x" * 1000, singleton_key="k")
        with pytest.raises(PayloadError, match="set is not a JSON type"):
            await call("jobs", {1, 2}, singleton_key="k")
    assert await boss.find_jobs("jobs") == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "Give exactly one of id and singleton_key, not neither"),
        ({"id": uuid4(), "singleton_key": "k"}, "Give exactly one of id and singleton_key, not both"),
        ({"id": "no uuid"}, "id must be a UUID, not 'no uuid'"),
        ({"singleton_key": ""}, "singleton_key must not be empty"),
        ({"singleton_key": None}, "singleton_key must be a string, not None"),
        ({"id": uuid4(), "match": "newest"}, r"match \('newest'\) is for jobs named by singleton_key"),
        ({"singleton_key": "k", "match": "some"}, "match must be one of newest, oldest, all, not 'some'"),
        ({"singleton_key": "k", "start_after": None}, "start_after must be .* not None"),
        ({"singleton_key": "k", "priority": "high"}, "priority must be an integer .* not 'high'"),
        ({"singleton_key": "k", "retention_seconds": 0}, "retention_seconds must be an integer of 1 or more, not 0"),
        ({"singleton_key": "k", "delete_after_seconds": -1}, "delete_after_seconds must be an integer of 0 or more"),
        ({"singleton_key": "k", "heartbeat_seconds": 9}, "heartbeat_seconds must be an integer of 10 or more, not 9"),
        ({"singleton_key": "k", "retry_delay_max": 9}, "retry_delay_max .* needs retry_backoff=True"),
        ({"singleton_key": "k", "group_tier": "gold"}, "group_tier .* needs a group_id"),
    ],
)
async def test_bad_options_are_named(boss: PgBoss, options: dict[str, Any], message: str) -> None:
    await boss.create_queue("jobs")
    with pytest.raises(ValidationError, match=message):
        await boss.update("jobs", "data", **options)
    with pytest.raises(ValidationError, match=message):
        await boss.upsert("jobs", "data", **options)
    assert await boss.find_jobs("jobs") == []


async def test_due_jobs_are_announced_once_a_call(boss: PgBoss, database_url: str) -> None:
    await boss.create_queue("jobs", notify=True)
    await boss.create_queue("quiet", notify=False)
    for queue in ("jobs", "quiet"):
        for number in range(3):
            await boss.send(queue, number, singleton_key="k", start_after=600)
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as listener:
        await listener.execute(f'LISTEN "{boss.schema.channel}"')

        async def heard() -> list[str]:
            # Whatever was announced before this mark has arrived with it.
            await boss.send("mark", None)
            payloads: list[str] = []
            async for note in listener.notifies():
                if note.payload == "mark":
                    break
                payloads.append(note.payload)
            return payloads

        await boss.create_queue("mark", notify=True)
        await boss.update("jobs", "not due", singleton_key="k", match="all")
        await boss.upsert("jobs", "not due", singleton_key="l", start_after=600)
        await boss.update("jobs", "nothing there", singleton_key="m")
        await boss.update("quiet", singleton_key="k", match="all", start_after=0)
        assert await heard() == []
        await boss.update("jobs", singleton_key="k", match="all", start_after=0)
        assert await heard() == ["jobs"]
        await boss.upsert("jobs", singleton_key="k", match="oldest")
        assert await heard() == ["jobs"]
        await boss.upsert("jobs", "created", singleton_key="n")
        assert await heard() == ["jobs"]


class Mail(BaseModel):
    to: str


async def test_definitions_check_and_encode(boss: PgBoss) -> None:
    jobs = Jobs()
    mail = jobs.declare("mail", Mail)
    nothing = jobs.declare("nothing", None)
    for definition in (mail, nothing):
        await boss.create_queue(definition.name)

    await boss.upsert(mail, Mail(to="ada"), singleton_key="k")
    await boss.update(mail, singleton_key="k", priority=3)
    assert [(job.data, job.priority) for job in await boss.find_jobs("mail")] == [({"to": "ada"}, 3)]
    await boss.update(mail, Mail(to="grace"), singleton_key="k")
    assert [job.data for job in await boss.find_jobs("mail")] == [{"to": "grace"}]
    assert (await boss.upsert(nothing, singleton_key="k")).inserted == 1
    assert (await boss.upsert(nothing, None, singleton_key="k")).updated == 1

    with pytest.raises(PayloadError):
        await boss.update(mail, {"from": "ada"}, singleton_key="k")  # type: ignore[misc]  # the point
    with pytest.raises(PayloadError):
        # It might have to be created, and no worker could read a job without data.
        await boss.upsert(mail, singleton_key="k")  # type: ignore[arg-type]  # the point


async def test_a_job_put_off_is_kept_as_long_as_before(boss: PgBoss, database_url: str) -> None:
    await boss.create_queue("jobs")
    id = await sent(boss, retention_seconds=50)
    await boss.update("jobs", id=id, start_after="2030-01-02")
    [row] = sql(database_url, "SELECT keep_until - start_after AS kept FROM pgboss.job")
    assert row["kept"].total_seconds() == 50
