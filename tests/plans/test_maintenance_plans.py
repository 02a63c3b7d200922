"""The upkeep reads by index, also on tables never analysed: a big table must not make idle turns expensive."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import psycopg
import pytest

from pgboss import PgBoss
from pgboss.core.query import Atomic, Query, Rows
from pgboss.operations import maintain as operations
from pgboss.sql import fail, maintain, walk
from support.postgres import sql
from support.upkeep import SCHEMA, add_jobs

QUEUES = ["q1", "q2", "q3"]
NOW = datetime.now(UTC)

CLAIM = operations.QueueClaim("q1", "job_common", NOW, "database")

STATEMENTS = {
    "overdue": maintain.overdue(SCHEMA, {"job_common": QUEUES}),
    "fail_expired": fail.fail_expired(SCHEMA, "job_common", QUEUES),
    "fail_silent": fail.fail_silent(SCHEMA, "job_common", QUEUES),
    "delete_old": maintain.delete_old(SCHEMA, "job_common", "q1", None, NOW),
    "delete_old, further on": maintain.delete_old(SCHEMA, "job_common", "q1", UUID(int=2**127), NOW),
    "set_retained": maintain.set_retained(SCHEMA, "job_common", "q1", 0, NOW),
    "delete_orphans, child": maintain.delete_orphans(SCHEMA, "job_common", "q1", "child", None),
    "delete_orphans, parent": maintain.delete_orphans(SCHEMA, "job_common", "q1", "parent", UUID(int=2**127)),
}


@pytest.fixture(params=[False, True], ids=["never analysed", "analysed"])
async def big_table(request: pytest.FixtureRequest, boss: PgBoss, database_url: str) -> str:
    """30,000 finished jobs and 12,000 waiting ones of three queues, and as many dependencies; a few jobs are active."""
    for name in QUEUES:
        await boss.create_queue(name)
    # Nobody shall analyse them behind the test's back.
    for table in ("job_common", "job_dependency"):
        sql(database_url, f"ALTER TABLE pgboss.{table} SET (autovacuum_enabled = false)")
    for name in QUEUES:
        add_jobs(database_url, name, 10_000, state="'completed'", started_on="now()", completed_on="now()")
        add_jobs(database_url, name, 4_000)
        add_jobs(database_url, name, 20, state="'active'", started_on="now()", heartbeat_on="now()")
    sql(
        database_url,
        "INSERT INTO pgboss.job_dependency "
        "SELECT name, id, name, gen_random_uuid() FROM pgboss.job WHERE state < 'active'",
    )
    if request.param:
        sql(database_url, "ANALYZE pgboss.job_common, pgboss.job_dependency")
    return database_url


def plan(url: str, query: Query) -> list[dict[str, Any]]:
    """The nodes of the statement's plan, as the walks run it."""
    with psycopg.connect(url) as connection, psycopg.RawCursor(connection) as cursor:
        cursor.execute(walk.walk_by_key().sql)
        cursor.execute("EXPLAIN (FORMAT JSON) " + query.sql, query.parameters)
        [(explained,)] = cursor.fetchall()
    return list(nodes(explained[0]["Plan"]))


def nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for child in node.get("Plans", ()):
        yield from nodes(child)


async def test_no_statement_of_the_upkeep_reads_a_whole_table(big_table: str) -> None:
    for what, query in STATEMENTS.items():
        scanned = {
            node["Relation Name"]
            for node in plan(big_table, query)
            if node["Node Type"] == "Seq Scan" and node["Relation Name"].startswith("job")
        }
        assert not scanned, what


@pytest.mark.parametrize("what", ["overdue", "fail_expired", "fail_silent"])
async def test_the_sweeps_read_active_rows_only(big_table: str, what: str) -> None:
    [scan] = [node for node in plan(big_table, STATEMENTS[what]) if node.get("Index Name") == "job_common_i14"]
    assert "state = 'active'" in scan["Index Cond"]


@pytest.mark.parametrize(
    "batch", [operations.delete_old(SCHEMA, CLAIM, None), operations.delete_orphans(SCHEMA, CLAIM, "child", None)]
)
async def test_every_batch_asks_for_the_order_of_keys(batch: Atomic[Any]) -> None:
    steps = iter(batch)
    before_last = [next(steps), steps.send(Rows()), steps.send(Rows())]
    assert walk.walk_by_key() in before_last
    steps.close()


@pytest.mark.parametrize("what", [name for name in STATEMENTS if name.startswith("delete")])
async def test_a_walk_reads_keys_in_order_and_no_further_than_its_batch(big_table: str, what: str) -> None:
    found = plan(big_table, STATEMENTS[what])
    [limit] = [node for node in found if node.get("Subplan Name") == "CTE edge"]
    assert [child["Node Type"] for child in limit["Plans"]] == ["Index Only Scan"]
    assert not [node for node in found if node["Node Type"] == "Sort"]
