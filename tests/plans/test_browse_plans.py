"""A page of a listing costs a window of rows, whatever its filter, also on big tables that nobody has analysed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any, get_args
from uuid import UUID

import psycopg
import pytest

from pgboss import PgBoss
from pgboss.core.job_filter import JobFilter, JobPosition
from pgboss.core.query import Query
from pgboss.core.queue import QueueRef
from pgboss.sql import job_windows
from support.plans import PlanMode, big_table, explain, reference
from support.upkeep import SCHEMA

ENDED = {"started_on": "now()", "completed_on": "now() - interval '1 day' + n * interval '10 ms'"}
COMPLETED = {"state": "'completed'", **ENDED}
FAILED = {"state": "'failed'", **ENDED, "output": """'{"name": "E", "message": "job timed out", "stack": ""}'"""}
SPREAD = {"start_after": "now() - interval '1 day' + n * interval '10 ms'"}
PARTS = ((99_000, COMPLETED | SPREAD), (4_000, FAILED | SPREAD), (97_000, SPREAD))

WINDOW = 2_000
LIMIT = 51
FIRST, LAST = UUID(int=2**127), UUID(int=2**127 + 2**121)
"""Between them lie some three thousand ids of 200,000."""
RARE = {"key": "nobody"}
NOW = datetime.now(UTC)
FILTERS: list[dict[str, Any]] = [
    {},
    RARE,
    {"data": {"rare": True}},
    {"states": ("created",)},
    {"creation": "oldest_first", "is_queued": True},
    {"creation": "oldest_first", "states": ("failed",), **RARE},
    {"creation": "newest_first", "states": ("completed",), "finished_before": NOW, **RARE},
    {"states": ("created",), **RARE},
    {"states": ("created", "retry", "active"), **RARE},
    {"states": ("failed",), **RARE},
    {"states": ("completed",), **RARE},
    {"states": ("created", "completed"), **RARE},
    {"states": ("retry", "failed"), "is_expired": True},
    {"created_from": NOW - timedelta(days=2), "created_before": NOW, **RARE},
    {"finished_from": NOW - timedelta(days=2), "finished_before": NOW, **RARE},
]


def statements(queue: QueueRef | None, at: str) -> Iterator[tuple[str, Query]]:
    """The statements of a page in the midst of each list; the window ends where that of ``edge`` does."""
    position = JobPosition(at, ("jobs", FIRST))
    for given in FILTERS:
        wanted = JobFilter(**given)
        yield f"edge {given}", job_windows.edge(SCHEMA, queue, wanted, position, WINDOW)
        for only_ids in (False, True):
            yield f"tied {given}", job_windows.tied(SCHEMA, queue, wanted, position, LIMIT, only_ids=only_ids)
        yield f"tied_count {given}", job_windows.tied_count(SCHEMA, queue, wanted, position, WINDOW)
        yield f"tied_queue {given}", job_windows.tied_queue(SCHEMA, wanted, position)


def by_key(queue: QueueRef, at: str) -> Iterator[tuple[str, Query]]:
    yield "key_edge", job_windows.key_edge(queue, FIRST, WINDOW)
    for given, only_ids in product(FILTERS, (False, True)):
        yield (
            f"tied_by_key {given}",
            job_windows.tied_by_key(queue, JobFilter(**given), at, FIRST, LAST, LIMIT, only_ids=only_ids),
        )


def stretches(url: str, queue: QueueRef | None, at: str) -> Iterator[tuple[str, Query]]:
    """The statements that read a window, whose edge is asked for."""
    position = JobPosition(at)
    for given in FILTERS:
        wanted = JobFilter(**given)
        query = job_windows.edge(SCHEMA, queue, wanted, position, WINDOW)
        with psycopg.connect(url) as connection, psycopg.RawCursor(connection) as cursor:
            [(_, edge, _)] = cursor.execute(query.sql, query.parameters).fetchall()
        for only_ids in (False, True):
            yield (
                f"within {given}",
                job_windows.within(SCHEMA, queue, wanted, position, edge, LIMIT, only_ids=only_ids),
            )


@pytest.mark.timeout(240)
@pytest.mark.parametrize(
    "partition",
    [pytest.param(False, id="shared table"), pytest.param(True, id="partition", marks=pytest.mark.prove)],
)
async def test_no_page_reads_more_than_its_window(boss: PgBoss, database_url: str, partition: bool) -> None:
    await boss.create_queue("jobs", partition=partition)
    await boss.create_queue("empty")
    dear = []
    with big_table(database_url, "jobs", *PARTS) as kinds:
        at = str(NOW - timedelta(days=1) + timedelta(seconds=300))
        for kind in kinds:
            for queue in (reference(database_url, "jobs"), None):
                for what, query in (
                    *statements(queue, at),
                    *stretches(database_url, queue, at),
                    *(by_key(queue, at) if queue else ()),
                ):
                    for mode in get_args(PlanMode):
                        found = explain(database_url, query, mode, is_walking=True)
                        if found.rows > 2 * 3 * 2 * WINDOW or "Seq Scan" in found.paths:
                            dear.append(f"{kind}, {queue and queue.table_name}, {what}, {mode}: {found}")
    assert not dear, "\n".join(dear)
