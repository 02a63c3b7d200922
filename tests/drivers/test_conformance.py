"""What every driver must do alike: run each call, and run it in the caller's transaction without ending it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from pgboss import ConfigurationError, ConflictError, PayloadError, QueueNotFoundError, ValidationError
from support.postgres import sql, sql_value

if TYPE_CHECKING:
    from drivers.callers import Driver


def count(url: str, table: str = "job") -> int:
    value: int = sql_value(url, f"SELECT count(*) FROM pgboss.{table}")
    return value


def state(url: str) -> str:
    value: str = sql_value(url, "SELECT state::text FROM pgboss.job WHERE name = 'jobs'")
    return value


async def test_a_jobs_whole_life(driver: Driver) -> None:
    await driver.call("create_queue", "jobs", retry_limit=0)
    job_id = await driver.call("send", "jobs", {"text": "ü%s$1 ✓", "n": [1, None, 2.5]}, priority=2, group_id="g")

    [job] = await driver.call("fetch", "jobs", batch_size=5)
    assert (job.id, job.data, job.priority, job.group_id) == (job_id, {"text": "ü%s$1 ✓", "n": [1, None, 2.5]}, 2, "g")
    assert (await driver.call("touch", "jobs", job)).affected == 1
    assert (await driver.call("fail", "jobs", job, {"why": "not"})).settled == (job_id,)
    assert (await driver.call("retry", "jobs", job_id)).affected == 1
    [again] = await driver.call("fetch", "jobs")
    assert again.retry_count == 1
    assert (await driver.call("complete", "jobs", job)).affected == 0
    assert (await driver.call("complete", "jobs", again, "done")).affected == 1
    assert (await driver.call("get_job", job_id)).output == {"value": "done"}
    assert (await driver.call("delete_job", "jobs", job_id)).affected == 1
    assert await driver.call("get_job", job_id) is None


async def test_bulk_insert_and_paging(driver: Driver) -> None:
    await driver.call("create_queue", "jobs")
    ids = await driver.call("insert", "jobs", [{"data": {"n": number}} for number in range(25)], return_id=True)

    first = await driver.call("find_jobs", "jobs", limit=20)
    rest = await driver.call("find_jobs", "jobs", limit=20, after=first[-1].id)

    assert {job.id for job in first + rest} == set(ids)
    assert [len(first), len(rest)] == [20, 5]
    assert [job.data for job in await driver.call("find_jobs", "jobs", data={"n": 7})] == [{"n": 7}]
    assert await driver.call("insert", "jobs", [], return_id=True) == []
    assert await driver.call("insert", "jobs", [{}]) is None


async def test_queues(driver: Driver) -> None:
    await driver.call("create_queue", "b", partition=True, policy="short")
    await driver.call("create_queue", "a", dead_letter="b", retry_delay=timedelta(minutes=2))
    await driver.call("update_queue", "a", retry_limit=9)

    queue = await driver.call("get_queue", "a")
    assert (queue.retry_limit, queue.retry_delay, queue.dead_letter) == (9, 120, "b")
    assert [queue.name for queue in await driver.call("get_queues")] == ["a", "b"]
    with pytest.raises(ConflictError, match="queue 'a' uses it"):
        await driver.call("delete_queue", "b")
    await driver.call("delete_queue", "a")
    await driver.call("delete_queue", "b")
    assert await driver.call("get_queues") == []


async def test_many_jobs_are_part_of_the_callers_transaction(driver: Driver, database_url: str) -> None:
    await driver.call("create_queue", "jobs")
    jobs = [{"data": {"text": "ü\t\\n", "n": number}} for number in range(1200)]
    async with driver.connection() as connection:
        await driver.execute(connection, "CREATE TABLE mine (n int)")
        await driver.call_in(connection, "insert", "jobs", jobs)
        assert count(database_url) == 0
        await driver.commit(connection)
    assert count(database_url) == len(jobs)
    assert (
        sql_value(database_url, "SELECT count(DISTINCT data) FROM pgboss.job WHERE data->>'text' = E'ü\\t\\\\n'")
        == 1200
    )
    # All went by COPY: that makes ids of version 7.
    assert sql_value(database_url, "SELECT count(*) FROM pgboss.job WHERE substr(id::text, 15, 1) <> '7'") == 0


async def test_a_send_exists_only_if_the_caller_commits(driver: Driver, database_url: str) -> None:
    await driver.call("create_queue", "jobs")
    async with driver.connection() as connection:
        await driver.execute(connection, "CREATE TABLE mine (n int)")
        await driver.call_in(connection, "send", "jobs", {"n": 1})
        assert count(database_url) == 0
        await driver.rollback(connection)
        assert count(database_url) == 0

        await driver.execute(connection, "CREATE TABLE mine (n int)")
        await driver.call_in(connection, "send", "jobs", {"n": 2})
        await driver.commit(connection)
    assert count(database_url) == 1
    assert sql(database_url, "SELECT * FROM mine") == []


@pytest.mark.parametrize(
    ("method", "before", "after"),
    [("complete", "active", "completed"), ("fail", "active", "retry"), ("cancel", "active", "cancelled")],
)
async def test_settling_is_part_of_the_callers_transaction(
    driver: Driver, database_url: str, method: str, before: str, after: str
) -> None:
    await driver.call("create_queue", "jobs")
    await driver.call("send", "jobs")
    [job] = await driver.call("fetch", "jobs")
    async with driver.connection() as connection:
        assert (await driver.call_in(connection, method, "jobs", job)).affected == 1
        await driver.rollback(connection)
        assert state(database_url) == before

        await driver.call_in(connection, method, "jobs", job)
        await driver.commit(connection)
    assert state(database_url) == after


async def test_a_queue_of_this_very_transaction_can_be_used(driver: Driver, database_url: str) -> None:
    async with driver.connection() as connection:
        await driver.call_in(connection, "create_queue", "new")
        job_id = await driver.call_in(connection, "send", "new", {"n": 1})
        [job] = await driver.call_in(connection, "fetch", "new")
        assert job.id == job_id
        await driver.call_in(connection, "complete", "new", job)
        await driver.commit(connection)
    assert [job.state for job in await driver.call("find_jobs", "new")] == ["completed"]


async def test_a_queue_that_was_rolled_back_is_not_remembered(driver: Driver) -> None:
    async with driver.connection() as connection:
        await driver.call_in(connection, "create_queue", "other", partition=True)
        await driver.call_in(connection, "send", "other")
        await driver.call_in(connection, "fetch", "other")
        await driver.rollback(connection)
    for method in ("send", "fetch"):
        with pytest.raises(QueueNotFoundError, match="'other' does not exist"):
            await driver.call(method, "other")


async def test_a_retry_that_conflicts_fails_and_rolls_back_with_the_caller(driver: Driver, database_url: str) -> None:
    """On a stately queue a second job cannot enter retry: it fails instead, without an error in the transaction."""
    await driver.call("create_queue", "jobs", policy="stately")
    first = await driver.call("send", "jobs", priority=1)
    await driver.call("fetch", "jobs")
    second = await driver.call("send", "jobs", priority=2)
    await driver.call("fail", "jobs", first)
    [job] = await driver.call("fetch", "jobs")
    assert job.id == second

    async with driver.connection() as connection:
        assert (await driver.call_in(connection, "fail", "jobs", job)).affected == 1
        assert (await driver.call_in(connection, "get_job", second)).state == "failed"
        assert await driver.execute(connection, "SELECT 1") == [(1,)]
        await driver.rollback(connection)

    assert (await driver.call("get_job", second)).state == "active"
    assert (await driver.call("fail", "jobs", job)).affected == 1
    assert (await driver.call("get_job", second)).state == "failed"


async def test_a_refusal_leaves_the_callers_transaction_usable(driver: Driver, database_url: str) -> None:
    await driver.call("create_queue", "jobs")
    async with driver.connection() as connection:
        await driver.execute(connection, "CREATE TABLE mine (n int)")
        with pytest.raises(QueueNotFoundError):
            await driver.call_in(connection, "send", "nowhere")
        with pytest.raises(QueueNotFoundError):
            await driver.call_in(connection, "send", "jobs", dead_letter="nowhere")
        with pytest.raises(QueueNotFoundError):
            await driver.call_in(connection, "create_queue", "new", dead_letter="nowhere")
        with pytest.raises(QueueNotFoundError):
            await driver.call_in(connection, "update_queue", "jobs", dead_letter="nowhere")
        with pytest.raises(ValidationError):
            await driver.call_in(connection, "send", "jobs", retry_limit=-1)
        # Found when the copying has begun.
        with pytest.raises(PayloadError, match="cannot be stored as JSON"):
            await driver.call_in(
                connection, "insert", "jobs", [{"data": n} for n in range(1000)] + [{"data": object()}]
            )
        await driver.call_in(connection, "send", "jobs")
        await driver.commit(connection)
    assert (count(database_url), count(database_url, "queue")) == (1, 1)
    assert sql(database_url, "SELECT * FROM mine") == []


async def test_settings_of_the_callers_transaction_stay_as_they_were(driver: Driver) -> None:
    async with driver.connection() as connection:
        await driver.execute(connection, "SET LOCAL lock_timeout = '1234ms'")
        await driver.call_in(connection, "create_queue", "new")
        assert await driver.execute(connection, "SHOW lock_timeout") == [("1234ms",)]
        assert await driver.execute(connection, "SHOW idle_in_transaction_session_timeout") == [("0",)]


async def test_a_connection_in_autocommit_mode_commits_each_call(driver: Driver, database_url: str) -> None:
    async with driver.connection(autocommit=True) as connection:
        await driver.call_in(connection, "create_queue", "jobs")
        await driver.call_in(connection, "send", "jobs")
        assert count(database_url) == 1


async def test_another_kind_of_connection_is_refused(driver: Driver) -> None:
    await driver.call("create_queue", "jobs")
    with pytest.raises(ConfigurationError, match=r"connection= takes psycopg\..* here, not object\."):
        await driver.call_in(object(), "send", "jobs")


async def test_no_statement_is_prepared_by_name(driver: Driver) -> None:
    """A transaction-mode pooler hands each transaction another server connection, which would not know the name."""
    async with driver.connection() as connection:
        await driver.call_in(connection, "create_queue", "jobs")
        for _ in range(8):
            await driver.call_in(connection, "send", "jobs")
            await driver.call_in(connection, "fetch", "jobs")
        # SQLAlchemy names its own statements where it runs over asyncpg.
        ours = "SELECT statement FROM pg_prepared_statements WHERE position('pgboss.' IN statement) > 0"
        assert [text for (text,) in await driver.execute(connection, ours) if text != ours] == []


async def test_ids_are_taken_in_any_spelling(driver: Driver) -> None:
    await driver.call("create_queue", "jobs")
    job_id = UUID("6f1e8a0c-96fb-4b6e-9a53-3fd3a1b9bb11")
    assert await driver.call("send", "jobs", id=str(job_id).upper()) == job_id
    assert await driver.call("send", "jobs", id=job_id) is None
    assert (await driver.call("cancel", "jobs", "{6F1E8A0C96FB4B6E9A533FD3A1B9BB11}")).settled == (job_id,)
