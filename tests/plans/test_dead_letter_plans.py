"""Redriving, its preview and the keys that stand still read one queue's rows by index, however full the table is."""

from __future__ import annotations

import pytest

from pgboss import PgBoss
from pgboss.core.query import Query
from pgboss.core.queue import QueueRef
from pgboss.sql import keys, redrive
from support.plans import big_table, explain, fill, reference

DEAD = {"source_name": "'mail'", "source_id": "gen_random_uuid()", "output": "'{}'"}
DONE = {"state": "'completed'", "started_on": "now()", "completed_on": "now()"}
FAILED = {"state": "'failed'", "started_on": "now()", "completed_on": "now()"}
LETTERS, LIMIT, KEYS = 2000, 500, 20


def redriving(queue: QueueRef) -> dict[str, Query]:
    filters = {"destination": None, "source_name": "mail", "data_json": None, "created_before": None, "ids": None}
    return {
        "redrive": redrive.redrive(queue, **filters, limit=LIMIT),  # type: ignore[arg-type]  # one dict for both calls
        "preview": redrive.preview(queue, **filters, limit=LIMIT),  # type: ignore[arg-type]  # as above
    }


@pytest.mark.timeout(120)
async def test_dead_letters_among_many_other_jobs(boss: PgBoss, database_url: str) -> None:
    for name in ("dead", "mail"):
        await boss.create_queue(name)
    with big_table(database_url, "mail", (99_000, DONE), (99_000, {})) as kinds:
        fill(database_url, "dead", LETTERS, **DEAD)
        for kind in kinds:
            for what, query in redriving(reference(database_url, "dead")).items():
                found = explain(database_url, query)
                assert "Seq Scan" not in found.paths, (kind, what, found)
                # To find the oldest, all letters of the queue are looked at, and the chosen ones a few times more.
                assert found.rows < 3 * LETTERS + 20 * LIMIT, (kind, what, found)


@pytest.mark.timeout(120)
async def test_keys_that_stand_still(boss: PgBoss, database_url: str) -> None:
    await boss.create_queue("fifo", policy="key_strict_fifo")
    held = FAILED | {"singleton_key": "'held' || n"}
    with big_table(database_url, "fifo", (99_000, DONE), (99_000, {}), (LETTERS, held)) as kinds:
        for kind in kinds:
            for after in (None, "held1"):
                found = explain(database_url, keys.blocked(reference(database_url, "fifo"), after, KEYS))
                assert found.rows <= 2 * KEYS, (kind, after, found)
                assert found.buffers < 200, (kind, after, found)
