"""Ordinary roles: the owner of a schema runs everything, a role with rights to rows alone sends and works."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
from psycopg.conninfo import make_conninfo

from pgboss import Job, PgBoss, embedded
from pgboss.embedded import EmbeddedServer
from support.eventually import eventually
from support.postgres import sql, sql_value


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddedServer]:
    """A server of our own, whose log nobody else writes to."""
    with embedded.throwaway(settings={"log_min_messages": "warning", "log_min_error_statement": "error"}) as server:
        sql(server.dsn, "CREATE ROLE owner; CREATE ROLE worker")
        yield server


def complaints(server: EmbeddedServer, since: int) -> list[str]:
    """What the server has complained of, other than that a stop has ended a statement under way."""
    lines = server.log_path.read_text()[since:].splitlines()
    serious = [line for line in lines if any(word in line for word in ("WARNING", "ERROR", "FATAL", "PANIC"))]
    return [line for line in serious if "canceling statement due to user request" not in line]


async def run_a_job(dsn: str, queue: str) -> None:
    async def handler(job: Job) -> str:
        return "worked"

    async with PgBoss(dsn) as boss:
        await boss.work(queue, handler)
        await boss.send(queue)
        await eventually(lambda: sql_value(dsn, "SELECT bool_and(state = 'completed') FROM pgboss.job"))


async def test_roles(server: EmbeddedServer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    url = server.create_database("app")
    log_before = len(server.log_path.read_text())
    owner, worker = (make_conninfo(url, options=f"-c role={role}") for role in ("owner", "worker"))
    sql(url, "GRANT CREATE ON DATABASE app TO owner")

    async with PgBoss(owner) as boss:
        await boss.create_queue("shared")
        await boss.create_queue("apart", partition=True)
    sql(
        owner,
        """
        GRANT USAGE ON SCHEMA pgboss TO worker;
        GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA pgboss TO worker
        """,
    )
    for dsn in (owner, worker):
        for queue in ("shared", "apart"):
            await run_a_job(dsn, queue)

    assert [record.message for record in caplog.records] == []
    assert complaints(server, log_before) == []
