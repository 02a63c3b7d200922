"""Many jobs at once go by COPY where nothing can be in their way; the rows are those of the INSERT."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta, timezone
from enum import Enum
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from pgboss import NewJob, PayloadError, PgBoss, QueueNotFoundError, SyncPgBoss, ValidationError
from pgboss.operations import copying
from support.postgres import sql, sql_value

MANY = copying.LEAST_JOBS


class Nothing(Enum):
    """Becomes JSON null like None."""

    AT_ALL = None


DIFFERENT: list[dict[str, Any]] = [
    {},
    {"data": Nothing.AT_ALL},
    {"data": Nothing.AT_ALL, "priority": 1},
    {"data": None, "priority": -5, "group_id": "g\t\\N", "group_tier": "\r\n"},
    {"data": {"text": 'a\tb\\n\n"ü\u2028\\.', "n": [1, None, 2.5]}, "singleton_key": "\\N"},
    {"data": "\\.", "retry_limit": 0, "retry_backoff": False, "heartbeat_seconds": None},
    {"data": [], "retry_backoff": True, "retry_delay_max": 9, "retry_delay": 3, "dead_letter": "dead"},
    {"data": 1, "expire_in_seconds": 5, "retention_seconds": 77, "delete_after_seconds": 0, "heartbeat_seconds": 11},
    {"data": True, "start_after": -5.5},
    {"data": False, "start_after": 1.2345678},
    {"data": 0, "start_after": timedelta(days=900_000)},
    {"data": "", "start_after": datetime(2030, 1, 2, 3, 4, 5, 678901, tzinfo=timezone(timedelta(hours=5)))},
]

# Every column but the id; times as they are to the transaction's own.
ROWS = """
    SELECT to_jsonb(j) - 'id' || jsonb_build_object(
               'created_on', created_on - now(), 'keep_until', keep_until - start_after,
               'start_after', CASE WHEN start_after = '2030-01-01 22:04:05.678901Z' THEN interval '0'
                                   ELSE start_after - now() END) AS row
      FROM pgboss.job j
     WHERE id = ANY(%s)
"""


def copied(connection: psycopg.Connection[Any]) -> bool:
    """Whether this transaction has created its jobs by COPY: ids of version 7 are what only that one makes."""
    versions = connection.execute("SELECT DISTINCT substr(id::text, 15, 1) FROM pgboss.job").fetchall()
    return versions == [("7",)]


def test_the_rows_are_those_of_the_insert(database_url: str) -> None:
    with SyncPgBoss(database_url) as boss, psycopg.connect(database_url) as connection:
        boss.create_queue("dead")
        boss.create_queue("jobs", dead_letter="dead", retry_backoff=True, retry_delay_max=99)

        def created(jobs: list[dict[str, Any]]) -> list[str]:
            ids = boss.insert("jobs", jobs, return_id=True, connection=connection)
            rows = connection.execute(ROWS, (ids,)).fetchall()
            assert copied(connection) == (len(jobs) >= MANY)
            connection.rollback()
            return [json.dumps(row, sort_keys=True) for [row] in rows]

        one_by_one = [row for job in DIFFERENT for row in created([job])]
        assert {json.loads(row)["data"] for row in one_by_one[:4]} == {None}
        assert sorted(created(DIFFERENT)) == sorted(one_by_one)
        assert sorted(created(DIFFERENT * MANY)) == sorted(one_by_one * MANY)


def test_a_connection_in_another_encoding_takes_the_insert(database_url: str) -> None:
    with SyncPgBoss(database_url) as boss, psycopg.connect(database_url, client_encoding="latin1") as connection:
        boss.create_queue("jobs")
        boss.insert("jobs", [{"data": "grün", "group_id": "süd"}] * MANY, connection=connection)
        assert not copied(connection)
        connection.commit()
    assert sql(database_url, "SELECT DISTINCT data, group_id FROM pgboss.job") == [{"data": "grün", "group_id": "süd"}]


async def test_ids_come_back_in_the_order_of_the_jobs(boss: PgBoss, database_url: str) -> None:
    await boss.create_queue("jobs")
    ids = await boss.insert("jobs", [NewJob(number) for number in range(MANY)], return_id=True)

    assert ids == sorted(set(ids))
    rows = {row["id"]: row["data"] for row in sql(database_url, "SELECT id, data FROM pgboss.job")}
    assert [rows[id] for id in ids] == list(range(MANY))


@pytest.mark.parametrize("partition", [False, True], ids=["shared table", "partition"])
@pytest.mark.parametrize("policy", ["standard", "singleton", "key_strict_fifo", "short", "stately", "exclusive"])
async def test_what_a_policy_refuses_is_left_out(boss: PgBoss, database_url: str, policy: Any, partition: bool) -> None:
    await boss.create_queue("jobs", policy=policy, partition=partition)
    ids = await boss.insert("jobs", [NewJob(n, options) for n in range(2) for options in KEYED], return_id=True)

    expected = 2 * MANY if policy in ("standard", "singleton", "key_strict_fifo") else MANY
    assert len(ids) == expected == sql_value(database_url, "SELECT count(*) FROM pgboss.job")
    assert {policy} == {row["policy"] for row in sql(database_url, "SELECT policy FROM pgboss.job")}


KEYED = [NewJob.of({"singleton_key": f"k{number}"}).options for number in range(MANY)]


async def test_slots_and_given_ids_are_minded(boss: PgBoss) -> None:
    await boss.create_queue("jobs")
    throttled = await boss.insert("jobs", [{"singleton_seconds": 3600}] * MANY, return_id=True)
    assert len(throttled) == 1
    taken = {"id": throttled[0]}
    assert len(await boss.insert("jobs", [taken, *[{}] * MANY], return_id=True)) == MANY


async def test_a_unique_index_of_the_users_own_leaves_jobs_out(boss: PgBoss, database_url: str) -> None:
    await boss.create_queue("jobs")
    sql(database_url, "CREATE UNIQUE INDEX mine ON pgboss.job_common (name, (data->>'n'))")
    ids = await boss.insert("jobs", [{"data": {"n": number % 7}} for number in range(MANY)], return_id=True)
    assert len(ids) == 7


@pytest.mark.parametrize("table", ["gone", "that of another queue"])
async def test_a_queue_that_was_made_anew_in_between_takes_the_insert(
    boss: PgBoss, database_url: str, table: str
) -> None:
    """What we have read of it names a table by then that does not take its jobs."""
    await boss.create_queue("jobs")
    await boss.create_queue("other", partition=True)
    other = sql_value(database_url, "SELECT table_name FROM pgboss.queue WHERE name = 'other'")
    named = "missing" if table == "gone" else other
    sql(database_url, "UPDATE pgboss.queue SET table_name = %s WHERE name = 'jobs'", [named])
    assert len(await boss.insert("jobs", [{}] * MANY, return_id=True)) == MANY
    assert sql_value(database_url, "SELECT count(*) FROM pgboss.job_common WHERE name = 'jobs'") == MANY


def test_who_may_write_to_the_parent_table_only_takes_the_insert(database_url: str) -> None:
    with SyncPgBoss(database_url) as boss, psycopg.connect(database_url) as connection:
        boss.create_queue("jobs")
        role = f"sender_{uuid4().hex}"
        connection.execute(f"CREATE ROLE {role}")
        connection.execute(f"GRANT USAGE ON SCHEMA pgboss TO {role}")
        connection.execute(f"GRANT SELECT ON pgboss.queue TO {role}")
        connection.execute(f"GRANT SELECT, INSERT ON pgboss.job TO {role}")
        connection.execute(f"SET ROLE {role}")
        assert len(boss.insert("jobs", [{}] * MANY, return_id=True, connection=connection)) == MANY
        assert not copied(connection)
        connection.rollback()


async def test_a_refusal_leaves_the_callers_transaction_as_it_was(database_url: str) -> None:
    with SyncPgBoss(database_url) as boss, psycopg.connect(database_url) as connection:
        boss.create_queue("fifo", policy="key_strict_fifo")
        boss.create_queue("jobs")
        connection.execute("CREATE TABLE mine AS SELECT 1 AS n")
        with pytest.raises(QueueNotFoundError, match="'nowhere'"):
            boss.insert("nowhere", [{}] * MANY, connection=connection)
        with pytest.raises(QueueNotFoundError, match="'lost'"):
            boss.insert("jobs", [{"dead_letter": "lost"}, *[{}] * MANY], connection=connection)
        with pytest.raises(ValidationError, match="singleton_key"):
            boss.insert("fifo", [{}, *[{"singleton_key": "k"}] * MANY], connection=connection)
        boss.insert("jobs", [{}] * MANY, connection=connection)
        connection.commit()
    assert sql_value(database_url, "SELECT count(*) FROM pgboss.job, mine") == MANY


async def test_listeners_are_notified_once_if_a_job_is_due(boss: PgBoss, database_url: str) -> None:
    await boss.create_queue("jobs", notify=True)
    await boss.create_queue("quiet", notify=False)
    with psycopg.connect(database_url, autocommit=True) as listener:
        listener.execute(f"LISTEN {boss.schema.channel}")
        later = datetime.now(UTC) + timedelta(hours=1)
        await boss.insert("jobs", [{"start_after": later}] * MANY)
        await boss.insert("quiet", [{}] * MANY)
        await boss.insert("jobs", [{"data": "due"}, *[{"start_after": 60}] * MANY])
        # One of our own comes after whatever was there.
        listener.execute("SELECT pg_notify(%s, 'the end')", (boss.schema.channel,))
        heard = [notification.payload for notification in listener.notifies(timeout=10, stop_after=2)]
    assert heard == ["jobs", "the end"]


def test_a_callers_pipeline_takes_the_insert(database_url: str) -> None:
    with SyncPgBoss(database_url) as boss, psycopg.connect(database_url) as connection:
        boss.create_queue("jobs")
        with connection.pipeline():
            boss.insert("jobs", [{}] * MANY, connection=connection)
    assert sql_value(database_url, "SELECT count(*) FROM pgboss.job") == MANY


async def test_a_stream_is_created_chunk_by_chunk(boss: PgBoss, database_url: str) -> None:
    await boss.create_queue("jobs")

    async def source() -> AsyncIterator[NewJob[Any]]:
        for number in range(2 * MANY + 3):
            yield NewJob(number)

    progress: list[int] = []
    assert await boss.insert_stream("jobs", source(), chunk_size=MANY, on_progress=progress.append) == 2 * MANY + 3
    assert progress == [MANY, 2 * MANY, 2 * MANY + 3]
    assert sql_value(database_url, "SELECT count(DISTINCT data) FROM pgboss.job") == 2 * MANY + 3
    assert await boss.insert_stream("jobs", []) == 0


async def test_a_stream_that_fails_keeps_whole_chunks(boss: PgBoss, database_url: str) -> None:
    await boss.create_queue("jobs")
    taken = UUID(int=1)
    jobs: list[dict[str, Any]] = [{"id": taken}, {"id": taken.hex.upper()}, {"data": 1}, {"data": 2}, {"data": {1, 2}}]
    with pytest.raises(PayloadError) as caught:
        # The second is left out, as its id is taken by then.
        await boss.insert_stream("jobs", jobs, chunk_size=1)
    assert caught.value.__notes__ == ["insert_stream had created 3 jobs before this."]
    assert sql_value(database_url, "SELECT count(*) FROM pgboss.job") == 3
    with pytest.raises(ValidationError, match="chunk_size"):
        await boss.insert_stream("jobs", jobs, chunk_size=0)


def test_a_stream_in_the_callers_transaction_is_all_or_nothing(database_url: str) -> None:
    with SyncPgBoss(database_url) as boss, psycopg.connect(database_url) as connection:
        boss.create_queue("jobs")
        created = boss.insert_stream("jobs", ({"data": n} for n in range(9)), chunk_size=2, connection=connection)
        connection.rollback()
    assert created == 9
    assert sql_value(database_url, "SELECT count(*) FROM pgboss.job") == 0
