"""What is watched in the catalog costs little, however many job tables there are."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from pgboss import SyncPgBoss
from pgboss.core.query import Query
from pgboss.sql import bam, indexes, turns, vacuum
from support.postgres import PostgresServer, fresh_database_name, sql
from support.upkeep import SCHEMA

TABLES = 200

STATEMENTS = {
    "bloated": indexes.bloated(SCHEMA, None, 128, 5, 4),
    "leftovers": indexes.leftovers(SCHEMA, None, False),
    "dead rows": vacuum.dead_rows(SCHEMA),
    "bam": bam.claim(SCHEMA, False),
    "turn": turns.take(SCHEMA, "bam_on", 60),
}
# With 200 tables there are some 5,000 rows of the catalog to read. A join gone wrong reads millions of pages.
MOST_PAGES = 20_000
MOST_MILLISECONDS = 2_000


@pytest.fixture(scope="module")
def many_tables(postgres: PostgresServer) -> Iterator[str]:
    name = fresh_database_name("many_tables")
    url = postgres.create_database(name)
    with SyncPgBoss(url, pool_size=1) as client:
        for number in range(TABLES):
            client.create_queue(f"queue-{number}", partition=True)
    sql(url, "ANALYZE")
    yield url
    postgres.drop_database(name)


def cost(url: str, query: Query) -> tuple[int, float]:
    """Pages touched, and milliseconds, of a run that is taken back."""
    with psycopg.connect(url) as connection, psycopg.RawCursor(connection) as cursor:
        cursor.execute("EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) " + query.sql, query.parameters)
        [([explained],)] = cursor.fetchall()
        connection.rollback()
    top = explained["Plan"]
    return top["Shared Hit Blocks"] + top["Shared Read Blocks"], explained["Execution Time"]


@pytest.mark.timeout(120)
@pytest.mark.slow
def test_a_look_is_cheap_with_200_job_tables(many_tables: str) -> None:
    costs = {what: cost(many_tables, query) for what, query in STATEMENTS.items()}
    assert {what: spent for what, spent in costs.items() if spent[0] > MOST_PAGES} == {}, costs
    assert {what: spent for what, spent in costs.items() if spent[1] > MOST_MILLISECONDS} == {}, costs
