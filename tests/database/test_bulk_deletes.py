"""Deleting many jobs: batches that commit one by one, words for what is dangerous, and callers' transactions."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from pgboss import Jobs, PgBoss, QueueNotFoundError, ValidationError
from pgboss.core.names import SchemaName
from pgboss.sql import deletes, find
from pgboss.sql.walk import walk_by_key
from support.postgres import sql, sql_value

FINISHED = "CASE WHEN n % 3 = 0 THEN 'completed' ELSE 'created' END::pgboss.job_state"


def add(url: str, queue: str, count: int, state: str = FINISHED) -> None:
    sql(
        url,
        f"""INSERT INTO pgboss.job (name, state, completed_on, created_on)
            SELECT '{queue}', {state}, now() - interval '1 hour', now() + n * interval '1 millisecond'
              FROM generate_series(1, {count}) n""",
    )


def jobs_in(url: str, queue: str) -> int:
    count: int = sql_value(url, f"SELECT count(*) FROM pgboss.job WHERE name = '{queue}'")
    return count


@pytest.mark.parametrize("batch", [1, 7, 30, 31])
async def test_batches_of_every_size(
    boss: PgBoss, database_url: str, monkeypatch: pytest.MonkeyPatch, batch: int
) -> None:
    monkeypatch.setattr(deletes, "WALK_BATCH", batch)
    await boss.create_queue("jobs")
    await boss.create_queue("other")
    add(database_url, "jobs", 30)
    add(database_url, "other", 5)
    assert await boss.delete_stored_jobs("jobs") == 10
    assert await boss.delete_stored_jobs("jobs") == 0
    assert await boss.delete_queued_jobs("jobs") == 20
    assert await boss.delete_all_jobs("jobs") == 0
    assert jobs_in(database_url, "other") == 5


async def test_what_broke_off_keeps_what_it_did(
    boss: PgBoss, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each batch is committed by itself, and leaves the counts although a later one fails."""
    monkeypatch.setattr(deletes, "WALK_BATCH", 10)
    await boss.create_queue("jobs")
    add(database_url, "jobs", 30, "'created'::pgboss.job_state")
    sql(
        database_url,
        """
        UPDATE pgboss.queue SET total_count = 30;
        CREATE FUNCTION forbid() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN RAISE EXCEPTION 'not this one'; END $$;
        CREATE TRIGGER forbid BEFORE DELETE ON pgboss.job_common
           FOR EACH ROW WHEN (OLD.priority = 1) EXECUTE FUNCTION forbid();
        UPDATE pgboss.job SET priority = 1 WHERE id = (SELECT id FROM pgboss.job ORDER BY id OFFSET 15 LIMIT 1);
        """,
    )
    with pytest.raises(Exception, match="not this one"):
        await boss.delete_queued_jobs("jobs")

    assert jobs_in(database_url, "jobs") == 20
    assert sql_value(database_url, "SELECT total_count FROM pgboss.queue") == 20


async def test_everything_takes_words(boss: PgBoss, database_url: str) -> None:
    await boss.create_queue("jobs")
    await boss.send("jobs")
    calls: list[dict[str, Any]] = [
        {},
        {"every_queue": False},
        {"every_queue": 1},
        {"queue": "jobs", "every_queue": True},
    ]
    for call in calls:
        with pytest.raises(ValidationError, match="every_queue=True"):
            await boss.delete_all_jobs(**call)
    assert jobs_in(database_url, "jobs") == 1
    await boss.delete_all_jobs(every_queue=True)
    assert jobs_in(database_url, "jobs") == 0


async def test_queues_that_do_not_exist(boss: PgBoss) -> None:
    for call in (boss.delete_queued_jobs, boss.delete_stored_jobs, boss.delete_all_jobs):
        with pytest.raises(QueueNotFoundError, match="'missing' does not exist"):
            await call("missing")


async def test_definitions_name_queues(boss: PgBoss) -> None:
    definition = Jobs().declare("jobs", partition=True)
    await boss.create_queue(definition, partition=True)
    await boss.send(definition, 1)
    assert await boss.delete_queued_jobs(definition) == 1
    assert await boss.delete_stored_jobs(definition) == 0
    assert await boss.delete_all_jobs(definition) is None


@pytest.mark.parametrize("partition", [False, True], ids=["shared", "own table"])
async def test_in_a_callers_transaction(boss: PgBoss, database_url: str, partition: bool) -> None:
    """All is the caller's, the counts are left to the next monitor pass, and nothing stays set."""
    await boss.create_queue("jobs", partition=partition)
    add(database_url, "jobs", 9)
    sql(database_url, "UPDATE pgboss.queue SET total_count = 9, retained_count = 3, retained_on = now()")
    async with await psycopg.AsyncConnection.connect(database_url) as connection:
        assert await boss.delete_stored_jobs("jobs", connection=connection) == 3
        cursor = await connection.execute("SELECT current_setting('enable_sort'), total_count FROM pgboss.queue")
        assert await cursor.fetchone() == ("on", 9)
        await connection.rollback()
        assert jobs_in(database_url, "jobs") == 9
        await boss.delete_all_jobs("jobs", connection=connection)
        await connection.commit()
    assert jobs_in(database_url, "jobs") == 0


@pytest.mark.parametrize("analysed", [False, True], ids=["never analysed", "analysed"])
async def test_pages_of_a_long_queue_are_read_by_index(boss: PgBoss, database_url: str, analysed: bool) -> None:
    """A page costs what is on it, wherever it is: its plan walks the index on created_on and sorts ties alone."""
    schema = SchemaName()
    for queue in ("jobs", "other"):
        await boss.create_queue(queue)
    sql(database_url, "ALTER TABLE pgboss.job_common SET (autovacuum_enabled = false)")
    add(database_url, "jobs", 50_000)
    add(database_url, "other", 5_000)
    if analysed:
        sql(database_url, "ANALYZE pgboss.job_common")
    middle = sql(
        database_url, "SELECT created_on, id FROM pgboss.job WHERE name = 'jobs' ORDER BY 1, 2 OFFSET 25000 LIMIT 1"
    )[0]
    searches: list[dict[str, Any]] = [{"data_json": None}, {"data_json": '{"a": 1}', "after": None}]
    for search in searches:
        place = (middle["created_on"], middle["id"])
        query = find.find(
            schema, "jobs", **({"id": None, "key": None, "queued": False, "after": place, "limit": 100} | search)
        )
        with psycopg.connect(database_url) as connection, psycopg.RawCursor(connection) as cursor:
            cursor.execute(walk_by_key().sql)
            cursor.execute("EXPLAIN (ANALYZE, FORMAT JSON) " + query.sql, query.parameters)
            row = cursor.fetchone()
            assert row is not None
        nodes = list(walk(row[0][0]["Plan"]))
        [scan] = [node for node in nodes if node["Node Type"] == "Index Scan"]
        assert scan["Index Name"] == "job_common_i15"
        assert "Sort" not in [node["Node Type"] for node in nodes]
        if search["data_json"] is None:
            assert scan["Actual Rows"] < 200

    [first] = await boss.find_jobs("jobs", limit=1, after=middle["id"])
    assert first.created_on > middle["created_on"]


def walk(node: dict[str, Any]) -> list[dict[str, Any]]:
    return [node, *(inner for child in node.get("Plans", []) for inner in walk(child))]


async def test_pages_follow_each_other(boss: PgBoss, database_url: str) -> None:
    """Also among jobs created at the same instant, and from one that is gone there is an error and no end."""
    await boss.create_queue("jobs")
    add(database_url, "jobs", 25)
    sql(database_url, "UPDATE pgboss.job SET created_on = date_trunc('second', created_on)")
    seen = [job.id for job in await boss.find_jobs("jobs", limit=4)]
    while page := await boss.find_jobs("jobs", limit=4, after=seen[-1]):
        seen += [job.id for job in page]
    assert len(seen) == len(set(seen)) == 25
    await boss.delete_job("jobs", seen[3])
    with pytest.raises(ValidationError, match=f"after names a job that queue 'jobs' does not hold .*{seen[3]}"):
        await boss.find_jobs("jobs", after=seen[3])
    for limit in (0, 100_001, True):
        with pytest.raises(ValidationError, match="limit must be an integer from 1 to 100000"):
            await boss.find_jobs("jobs", limit=limit)
        with pytest.raises(ValidationError, match="limit must be an integer from 1 to 100000"):
            await boss.get_queues(limit=limit)
    with pytest.raises(ValidationError, match="after must not be empty"):
        await boss.get_queues(after="")
