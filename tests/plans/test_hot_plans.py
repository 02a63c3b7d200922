"""Everything a job meets on its way reads by index, on a table of 200,000 jobs that nobody analysed, or everybody."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import get_args
from uuid import UUID

import pytest

from pgboss import PgBoss
from pgboss.core.frontier import Frontier
from pgboss.core.job import Attempt
from pgboss.core.options import FetchOptions, UpdateOptions
from pgboss.core.query import Query
from pgboss.core.queue import QueueRef
from pgboss.sql import claim, copying, express, fail, find, insert, settle, update
from support.plans import Explained, PlanMode, big_table, explain, reference
from support.postgres import sql
from support.upkeep import SCHEMA

DONE = {"state": "'completed'", "started_on": "now()", "completed_on": "now()"}
ACTIVE = {"state": "'active'", "started_on": "now()", "heartbeat_on": "now()"}


def settling(queue: QueueRef, attempts: list[Attempt]) -> Iterator[tuple[str, Query, int]]:
    """Statements on attempts: what, the statement, and how many rows it is about."""
    number = len(attempts)
    names, outputs = [queue.name] * number, ['{"done": true}'] * number
    yield "complete_each", settle.complete_each(queue, attempts, outputs), number
    yield "complete", settle.complete(queue, attempts, None, include_queued=False), number
    yield "fail_each", fail.fail_each(queue, attempts, outputs, [False] * number), number
    yield "give_back", settle.give_back(queue, attempts, [0.0] * number), number
    yield "touch", settle.touch(queue, attempts), number
    yield "beat", settle.beat(SCHEMA, names, attempts), number
    yield "states", find.states(SCHEMA, names, [attempt.id for attempt in attempts]), number
    yield "still_held", settle.still_held(SCHEMA, names, attempts), number
    yield "cancel", settle.cancel(queue, attempts), number
    yield "delete", settle.delete(queue, attempts), number


def expressly(queue: QueueRef, ids: list[UUID]) -> Iterator[tuple[str, Query, int]]:
    """What an express worker asks about queued jobs."""
    number, outputs = len(ids), ['{"done": true}'] * len(ids)
    yield "express lock", express.lock(queue, FetchOptions(batch_size=number), 1), number
    behind = Frontier(0, None, 1.5)
    yield "express lock, behind", express.lock(queue, FetchOptions(batch_size=number), 1, frontier=behind), number
    for delete in (False, True):
        done = express.complete_each(queue, 1, ids, outputs, datetime.now(UTC), delete=delete)
        yield f"express complete_each, deleting {delete}", done, number
    yield "express activate", express.activate(queue, ids, datetime.now(UTC)), number
    yield "express count_lost", express.count_lost(queue, ids, datetime.now(UTC)), number


def others(queue: QueueRef) -> Iterator[tuple[str, Query, int]]:
    name = queue.name
    thousand = "[" + ",".join(["{}"] * 1000) + "]"
    for given in (("data",), tuple(insert.COLUMNS)):
        yield (
            f"insert of {len(given)} columns",
            insert.insert(SCHEMA, name, thousand, given=given, return_ids=True),
            1000,
        )
    keyed = '{"singleton_key": "k7"}'
    yield "send", insert.insert_one(SCHEMA, name, "1", given=("data",)), 1
    yield "send with a key", insert.insert_one(SCHEMA, name, keyed, given=("data", "singleton_key")), 1
    yield "send with everything", insert.insert_one(SCHEMA, name, keyed, given=insert.COLUMNS, next_slot=True), 1
    yield "queue of a copy", copying.settings(SCHEMA, name, [name]), 1
    yield "next_due", claim.next_due(SCHEMA, [name]), 1
    for options in (UpdateOptions(singleton_key="k7", priority=1), UpdateOptions(singleton_key="k7", match="all")):
        yield f"update {options.match}", update.update(SCHEMA, name, options, "null"), 1
    found = find.find(SCHEMA, name, id=None, key="k7", data_json=None, queued=True, after=None, limit=1000)
    yield "find by key", found, 1


def compares_all(plan: Explained, number: int, query: Query, mode: PlanMode) -> bool:
    """Whether it compares each of so many with each other; only statements that are kept ever get a generic plan."""
    return plan.compared > 2 * number and (mode == "force_custom_plan" or query.is_repeated)


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    "partition",
    [pytest.param(False, id="shared table"), pytest.param(True, id="partition", marks=pytest.mark.prove)],
)
async def test_no_statement_reads_much_more_than_it_is_about(boss: PgBoss, database_url: str, partition: bool) -> None:
    await boss.create_queue("jobs", partition=partition)
    queue = reference(database_url, "jobs")
    sql(database_url, express.create_table(SCHEMA).sql)
    with big_table(database_url, "jobs", (99_000, DONE), (1000, ACTIVE), (100_000, {})) as kinds:
        attempts = [
            Attempt(row["id"], row["retry_count"], row["started_on"])
            for row in sql(database_url, "SELECT id, retry_count, started_on FROM pgboss.job WHERE state = 'active'")
        ]
        waiting = sql(database_url, "SELECT id FROM pgboss.job WHERE state = 'created' LIMIT 1000")
        queued = [row["id"] for row in waiting]
        dear = []
        for kind in kinds:
            one = list(islice(attempts, 1))
            ways = (
                *settling(queue, attempts),
                *settling(queue, one),
                *expressly(queue, queued),
                *expressly(queue, queued[:1]),
                *others(queue),
            )
            for what, query, number in ways:
                # A search leaves its filters open, so PostgreSQL itself plans it anew each time.
                for mode in ("force_custom_plan",) if what.startswith("find") else get_args(PlanMode):
                    plan = explain(database_url, query, mode)
                    # Three looks at each row at most; where one is by bitmap, it counts for the index and for the heap,
                    # and up to PostgreSQL 16 once more.
                    reads_much = plan.rows > 9 * number + 100 or plan.buffers > 80 * number + 2_500
                    is_quadratic = compares_all(plan, number, query, mode)
                    if reads_much or is_quadratic or "Seq Scan" in plan.paths:
                        dear.append(f"{kind}, {what}, {number}, {mode}: {plan}")
    assert not dear, "\n".join(dear)


@pytest.mark.parametrize("mode", get_args(PlanMode))
async def test_settling_many_compares_no_job_with_each_of_them_whatever_was_analysed(
    boss: PgBoss, database_url: str, mode: PlanMode
) -> None:
    await boss.create_queue("jobs")
    queue = reference(database_url, "jobs")
    sql(database_url, express.create_table(SCHEMA).sql)
    with big_table(database_url, "jobs", (20_000, {})) as kinds:
        dear = []
        # When it was analysed no job was active.
        for kind in kinds:
            changed = sql(
                database_url,
                "UPDATE pgboss.job SET state = 'active', started_on = now(), heartbeat_on = now() WHERE id IN "
                "(SELECT id FROM pgboss.job WHERE state = 'created' LIMIT 1000) RETURNING id, retry_count, started_on",
            )
            attempts = [Attempt(row["id"], row["retry_count"], row["started_on"]) for row in changed]
            waiting = sql(database_url, "SELECT id FROM pgboss.job WHERE state = 'created' LIMIT 1000")
            queued = [row["id"] for row in waiting]
            for what, query, number in (*settling(queue, attempts), *expressly(queue, queued)):
                plan = explain(database_url, query, mode)
                if compares_all(plan, number, query, mode):
                    dear.append(f"{kind}, {what}: {plan}")
    assert not dear, "\n".join(dear)
