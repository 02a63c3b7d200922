"""One conformance suite for every driver: the same tests through each way of reaching the database."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from drivers.callers import DRIVERS, Driver
from pgboss import SyncPgBoss
from support.postgres import PostgresServer, fresh_database_name, sql

EMPTIED = """
    UPDATE pgboss.queue SET dead_letter = NULL;
    DELETE FROM pgboss.job;
    SELECT pgboss.delete_queue(name) FROM pgboss.queue;
    DROP TABLE IF EXISTS mine;
"""


@pytest.fixture(scope="session")
def shared_url(postgres: PostgresServer) -> Iterator[str]:
    """A database with the schema in it for all tests of this folder: they are many, and installing takes longer."""
    name = fresh_database_name("drivers")
    url = postgres.create_database(name, "template0")
    with SyncPgBoss(url):
        yield url
    postgres.drop_database(name)


@pytest.fixture
def database_url(shared_url: str) -> str:
    """The URL of a database with the schema and nothing in it."""
    sql(shared_url, EMPTIED)
    return shared_url


@pytest.fixture(params=DRIVERS)
async def driver(request: pytest.FixtureRequest, database_url: str) -> AsyncIterator[Driver]:
    async with DRIVERS[request.param](database_url) as made:
        yield made
