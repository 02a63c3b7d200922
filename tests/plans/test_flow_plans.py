"""The resolver reads by key, also on tables never analysed, and costs next to nothing where nobody waits."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import psycopg
import pytest

from pgboss import DependencyRef, PgBoss, SyncPgBoss
from pgboss.core.query import Query
from pgboss.sql import flows
from support.postgres import PostgresServer, Template, fresh_database_name, sql, sql_value
from support.upkeep import SCHEMA, add_jobs

QUEUES = ["q1", "q2", "own"]
JOBS_A_QUEUE = 65_000
FEW_PAGES = 20


@pytest.fixture(scope="module", params=[False, True], ids=["never analysed", "analysed"])
def big_template(request: pytest.FixtureRequest, postgres: PostgresServer, template: Template) -> Iterator[str]:
    """Three queues of many finished and waiting jobs, with as many dependencies, all of them resolved long ago."""
    database = fresh_database_name("flows")
    url = postgres.create_database(database, template("pgboss"))
    with SyncPgBoss(url, pool_size=1) as boss:
        for name in QUEUES:
            boss.create_queue(name, partition=name == "own")
    own = sql_value(url, "SELECT table_name FROM pgboss.queue WHERE name = 'own'")
    tables = ("job_common", "job_dependency", own)
    # Nobody shall analyse them behind the test's back.
    for table in tables:
        sql(url, f"ALTER TABLE pgboss.{table} SET (autovacuum_enabled = false)")
    for name in QUEUES:
        add_jobs(url, name, JOBS_A_QUEUE, state="'completed'", completed_on="now()")
        add_jobs(url, name, 2_000)
    sql(
        url,
        "INSERT INTO pgboss.job_dependency "
        "SELECT name, id, name, gen_random_uuid() FROM pgboss.job WHERE state = 'completed'",
    )
    if request.param:
        for table in tables:
            sql(url, f"ANALYZE pgboss.{table}")
    yield database
    postgres.drop_database(database)


@pytest.fixture
def database_url(postgres: PostgresServer, big_template: str) -> Iterator[str]:
    """A copy of the big tables that the test has for itself."""
    name = fresh_database_name()
    yield postgres.create_database(name, big_template)
    postgres.drop_database(name)


def explain(url: str, query: Query) -> dict[str, Any]:
    """Run the statement, undo it, and return its plan with what it read."""
    with psycopg.connect(url) as connection, psycopg.RawCursor(connection) as cursor:
        cursor.execute(flows.probe_by_key().sql)
        cursor.execute("EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) " + query.sql, query.parameters)
        [(explained,)] = cursor.fetchall()
        connection.rollback()
    plan: dict[str, Any] = (json.loads(explained) if isinstance(explained, str) else explained)[0]["Plan"]
    return plan


def nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for child in node.get("Plans", ()):
        yield from nodes(child)


def pages(plan: dict[str, Any]) -> int:
    return int(plan["Shared Hit Blocks"]) + int(plan["Shared Read Blocks"])


def read_whole(plan: dict[str, Any]) -> set[str]:
    return {
        node["Relation Name"]
        for node in nodes(plan)
        if node["Node Type"] == "Seq Scan" and node["Relation Name"] not in ("queue", "version")
    }


def job_tables(url: str) -> list[str]:
    return [row["table_name"] for row in sql(url, flows.tables(SCHEMA, None).sql.replace("$1", "NULL"))]


async def test_where_nobody_waits_a_turn_reads_a_few_pages(database_url: str) -> None:
    tables = job_tables(database_url)
    look = explain(database_url, flows.unresolved(SCHEMA, tables))
    assert read_whole(look) == set()
    assert {node["Index Name"] for node in nodes(look) if "Index Name" in node} == {f"{table}_i9" for table in tables}
    assert pages(look) < FEW_PAGES
    for table in tables:
        assert pages(explain(database_url, flows.resolve(SCHEMA, table))) < FEW_PAGES


async def test_what_a_turn_resolves_is_found_by_key(boss: PgBoss, database_url: str) -> None:
    for queue in ("q1", "own"):
        await boss.flow(
            [{"ref": "parent", "name": queue, "options": {"priority": 9}}]
            + [{"ref": name, "name": name, "depends_on": ["parent"]} for name in QUEUES]
        )
        [parent] = await boss.fetch(queue)
        await boss.complete(queue, parent)
        [table] = [
            row["table_name"] for row in sql(database_url, "SELECT * FROM pgboss.queue WHERE name = %s", [queue])
        ]
        plan = explain(database_url, flows.resolve(SCHEMA, table))
        assert read_whole(plan) == set()
        assert [node["Actual Rows"] for node in nodes(plan) if node.get("Subplan Name") == "CTE counted"] == [3]
        # Four rows are probed, locked and written, each in a table with a dozen indexes.
        assert pages(plan) < 40 * FEW_PAGES
    assert await boss.resolve_flow() == 6


async def test_dependencies_are_read_by_key(database_url: str) -> None:
    [some] = sql(database_url, "SELECT child_name, child_id, parent_id FROM pgboss.job_dependency LIMIT 1")
    after = DependencyRef("a", UUID(int=1))
    for query in (
        flows.dependencies(SCHEMA, some["child_name"], some["child_id"], 10, None),
        flows.dependencies(SCHEMA, some["child_name"], some["child_id"], 10, after),
        flows.dependents(SCHEMA, some["child_name"], some["parent_id"], 10, after),
    ):
        plan = explain(database_url, query)
        assert plan["Actual Rows"] == 1
        assert read_whole(plan) == set()
        assert pages(plan) < FEW_PAGES
