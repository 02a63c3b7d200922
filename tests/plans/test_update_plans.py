"""Updates and upserts find their jobs by index, whatever the statistics say: one job among very many is a few pages."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from pgboss import PgBoss
from pgboss.core.options import UpdateKeywords, UpdateOptions
from pgboss.sql import update as sql_update
from support.postgres import sql, sql_value
from support.upkeep import SCHEMA, add_jobs

QUEUED = 30_000
FINISHED = 60_000
# The indexes of the row that is found and changed, and the queue's row, are among them.
FEW_PAGES = 80


@pytest.fixture(params=[False, True], ids=["never analysed", "analysed"])
async def big_table(request: pytest.FixtureRequest, boss: PgBoss, database_url: str) -> str:
    """Two queues with many finished and many queued jobs: half of those share a key, the others have their own."""
    for name in ("common", "own"):
        await boss.create_queue(name, partition=name == "own")
        table = sql_value(database_url, "SELECT table_name FROM pgboss.queue WHERE name = %s", [name])
        # Nobody shall analyse them behind the test's back.
        sql(database_url, f"ALTER TABLE pgboss.{table} SET (autovacuum_enabled = false)")
        age = "now() - n * interval '1 second'"
        shared = "CASE WHEN n % 2 = 0 THEN 'shared' ELSE 'key ' || n END"
        add_jobs(database_url, name, FINISHED, state="'completed'", completed_on="now()", singleton_key=shared)
        add_jobs(database_url, name, QUEUED, singleton_key=shared, created_on=age)
        if request.param:
            sql(database_url, f"ANALYZE pgboss.{table}")
    return database_url


@pytest.mark.parametrize("queue", ["common", "own"])
async def test_one_job_is_found_and_changed_by_reading_a_few_pages(big_table: str, queue: str) -> None:
    id = sql_value(
        big_table, "SELECT id FROM pgboss.job WHERE name = %s AND state = 'created' ORDER BY id LIMIT 1", [queue]
    )
    targets: list[UpdateKeywords] = [
        {"id": id},
        {"singleton_key": "key 20001"},
        {"singleton_key": "key 20001", "match": "oldest"},
        {"singleton_key": "key 20001", "match": "all"},
        {"singleton_key": "shared"},
        {"singleton_key": "shared", "match": "oldest"},
        {"singleton_key": "nobody's"},
    ]
    for target in targets:
        plan = explain(big_table, queue, UpdateOptions(**target))
        assert not read_whole(plan), target
        assert plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] < FEW_PAGES, target


def explain(url: str, queue: str, options: UpdateOptions) -> dict[str, Any]:
    """Run the statement, undo it, and return its plan with what it read."""
    query = sql_update.update(SCHEMA, queue, options, "{}")
    with psycopg.connect(url) as connection, psycopg.RawCursor(connection) as cursor:
        cursor.execute("EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) " + query.sql, query.parameters)
        [(explained,)] = cursor.fetchall()
        connection.rollback()
    plan: dict[str, Any] = explained[0]["Plan"]
    return plan


def read_whole(plan: dict[str, Any]) -> set[str]:
    return {node["Relation Name"] for node in nodes(plan) if node["Node Type"] == "Seq Scan"} - {"queue"}


def nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for child in node.get("Plans", ()):
        yield from nodes(child)
