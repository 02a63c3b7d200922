"""Failures, histories and flows are read by index, and no further than they say, however full the table is."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

import pytest

from pgboss import PgBoss
from pgboss.core.query import Query
from pgboss.sql import failures, lineage
from support.plans import big_table, explain, reference
from support.postgres import sql
from support.upkeep import SCHEMA

DONE = {"state": "'completed'", "started_on": "now()", "completed_on": "now()"}
FAILED = {
    "state": "'failed'",
    "started_on": "now()",
    "completed_on": "now()",
    "output": "jsonb_build_object('name', 'ValueError', 'message', 'no user ' || n)",
    "start_after": "now() - n * interval '1 second'",
}
SHARE, MOST = 500, 1000


def statements(url: str) -> Iterator[tuple[str, Query, int]]:
    """What, the statement, and how many rows it may look at."""
    yield "failures of a queue", failures.latest(SCHEMA, reference(url, "mail"), SHARE, MOST), SHARE
    yield "failures of all", failures.latest(SCHEMA, None, SHARE, MOST), SHARE
    # Of each letter it is looked whether the job is still there.
    yield "left letters", failures.letters(SCHEMA, SHARE, MOST), 2 * SHARE
    ids = [row["id"] for row in sql(url, "SELECT id FROM pgboss.job LIMIT 100")]
    yield "glances", lineage.glances(SCHEMA, ["mail"] * len(ids), ids), len(ids)
    yield "history", lineage.history(SCHEMA, uuid4(), MOST), 0
    yield "letters", lineage.letters(SCHEMA, ids, ids), 0


@pytest.mark.timeout(120)
async def test_they_read_no_more_than_they_say(boss: PgBoss, database_url: str) -> None:
    await boss.create_queue("mail")
    await boss.create_queue("other", dead_letter="mail")
    letter = {"source_name": "'other'", "source_id": "gen_random_uuid()", "source_output": "to_jsonb(n)"}
    with big_table(database_url, "mail", (99_000, DONE), (99_000, letter), (5000, FAILED)) as kinds:
        for kind in kinds:
            for what, query, rows in statements(database_url):
                found = explain(database_url, query)
                # PostgreSQL 14 to 16 look once more at each row that they find by bitmap.
                assert found.rows <= 2 * rows + 5, (kind, what, found)
                assert "Seq Scan" not in found.paths, (kind, what, found)


async def test_links_are_read_by_their_two_indexes(boss: PgBoss, database_url: str) -> None:
    sql(
        database_url,
        "SET session_replication_role = replica; INSERT INTO pgboss.job_dependency "
        "SELECT 'work', gen_random_uuid(), 'work', gen_random_uuid() FROM generate_series(1, 100000)",
    )
    [one] = sql(database_url, "SELECT parent_id, child_id FROM pgboss.job_dependency LIMIT 1")
    query = lineage.edges(SCHEMA, ["work", "work"], [one["parent_id"], one["child_id"]], MOST)
    for turn in ("never analysed", "analysed"):
        assert explain(database_url, query).buffers < 100, turn
        sql(database_url, "ANALYZE pgboss.job_dependency")
