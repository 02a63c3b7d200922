"""A claim walks the queue from its front, however many rows there are and whatever the planner believes of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, get_args

import psycopg
import pytest
from psycopg.rows import dict_row

from pgboss import PgBoss
from pgboss.core.checks import Policy
from pgboss.core.frontier import Frontier
from pgboss.core.options import FetchOptions
from pgboss.sql import claim
from support.plans import PlanMode, big_table, explain, fill, reference
from support.postgres import sql
from support.upkeep import SCHEMA

SIZE = 200_000
BATCHES = (1, 1000)
DEAD = 100_000
OPTIONS: list[dict[str, Any]] = [
    {},
    {"min_priority": 1, "max_priority": 2},
    {"ignore_groups": ["x"], "group_concurrency": {"default": 10, "tiers": {"gold": 20}}},
]
PRIORITY = {"priority": "(random() * 3)::int"}
DONE = {"state": "'completed'", "started_on": "now()", "completed_on": "now()"}
ACTIVE = {"state": "'active'", "started_on": "now()", "heartbeat_on": "now()", "group_id": "'g' || n"}


@dataclass(frozen=True)
class Case:
    """A filled queue; ``passed`` jobs have to be passed over before the first one that may start."""

    policy: Policy
    parts: tuple[tuple[int, Mapping[str, str]], ...]
    partition: bool = False
    passed: int = 0
    options: list[dict[str, Any]] = field(default_factory=lambda: [{}])


CASES = {
    "all queued": Case("standard", ((SIZE, PRIORITY),), options=OPTIONS),
    "few left": Case("standard", ((SIZE - 10_000, DONE), (10_000, PRIORITY), (500, ACTIVE)), options=OPTIONS),
    "most deferred": Case(
        "standard",
        ((SIZE - 10_000, {"start_after": "now() + interval '1 day'", "priority": "1"}), (10_000, {"priority": "1"})),
        partition=True,
    ),
    "singleton, the front is held": Case(
        "singleton",
        (
            (1, {**ACTIVE, "singleton_key": "'held'"}),
            (20_000, {"singleton_key": "'held'", "priority": "2"}),
            (SIZE - 20_000, {"priority": "n % 2"}),
        ),
        passed=20_000,
        options=OPTIONS,
    ),
    "stately": Case("stately", ((SIZE - 10_000, DONE), (10_000, PRIORITY)), partition=True),
    "many ordered keys": Case("key_strict_fifo", ((SIZE, PRIORITY),), options=OPTIONS),
    "few ordered keys": Case("key_strict_fifo", ((SIZE, {**PRIORITY, "singleton_key": "'k' || n % 900"}),)),
    "one ordered key, sent at once": Case(
        "key_strict_fifo", ((SIZE, {"singleton_key": "'k'", "created_on": "now()"}),), partition=True
    ),
}


@pytest.mark.timeout(120)
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
async def test_a_claim_reads_little_more_than_it_takes(boss: PgBoss, database_url: str, case: Case) -> None:
    await boss.create_queue("jobs", policy=case.policy, partition=case.partition)
    queue = reference(database_url, "jobs")
    with big_table(database_url, "jobs", *case.parts) as kinds:
        for kind in kinds:
            for batch in BATCHES:
                for options in case.options:
                    for mode in get_args(PlanMode):
                        query = claim.claim(queue, FetchOptions(batch_size=batch, **options))
                        found = explain(database_url, query, mode)
                        what = f"{kind}, {batch}, {options}, {mode}: {found}"
                        assert found.rows <= case.passed + most_rows(case.policy, batch), what
                        assert found.buffers <= case.passed + 2_500 + 70 * batch, what
                        assert "Seq Scan" not in found.paths, what
                        if case.policy != "key_strict_fifo":
                            assert "i11" in found.paths, what


def most_rows(policy: Policy, batch: int) -> int:
    # Each job once in the walk and once in the update, where bitmap and heap count separately; what is active, twice;
    # and of an ordered queue the first jobs of 100 keys, and of ten more for each one wanted.
    return 6 * batch + 1500 + (100 + 14 * batch if policy == "key_strict_fifo" else 0)


@pytest.mark.timeout(120)
async def test_behind_a_frontier_dead_rows_cost_nothing(boss: PgBoss, database_url: str) -> None:
    """While an old transaction keeps them, all the rows of claimed jobs lie before the first waiting one."""
    await boss.create_queue("jobs")
    queue = reference(database_url, "jobs")
    with psycopg.connect(database_url) as old:
        old.execute("SELECT pg_current_xact_id()")
        with big_table(database_url, "jobs", (DEAD, {})) as kinds:
            sql(database_url, "UPDATE pgboss.job SET state = 'completed', completed_on = now()")
            # Of three creations each, the youngest 1.1 s ago.
            waiting = "now() - interval '1 s' - interval '100 ms' * (n % 3 + 1)"
            fill(database_url, "jobs", 30, created_on=waiting)
            [head] = sql(database_url, "SELECT min(created_on) AS since FROM pgboss.job WHERE state = 'created'")
            for kind in kinds:
                for mode in get_args(PlanMode):
                    whole = explain(database_url, claim.claim(queue, FetchOptions(batch_size=9)), mode)
                    # Otherwise there is nothing to win.
                    assert whole.buffers > DEAD / 50
                    for frontier in (Frontier(0, None, 60.0), Frontier(0, head["since"], 0.0), Frontier(1, None, 60.0)):
                        query = claim.claim(queue, FetchOptions(batch_size=9), frontier=frontier)
                        found = explain(database_url, query, mode)
                        what = f"{kind}, {frontier}, {mode}: {found}"
                        assert found.rows <= 2 * whole.rows, what
                        assert found.paths == {"i11", "pkey"}, what
                        # Before PostgreSQL 18 the index entries of another priority are read, some hundred a page.
                        assert found.buffers < (whole.buffers / 8 if frontier.priority == 0 else whole.buffers / 2), (
                            what
                        )


async def test_a_frontier_leaves_out_what_is_before_it_and_keeps_the_order(boss: PgBoss, database_url: str) -> None:
    await boss.create_queue("jobs")
    for age, priority in ((50, 0), (40, 0), (30, 0), (9, 5), (50, 5), (9, -1), (50, -1)):
        created = f"now() - interval '{age} s'"
        fill(database_url, "jobs", 1, created_on=created, priority=str(priority), data=f"'[{priority}, {age}]'")
    since = datetime.now(UTC) - timedelta(seconds=41)
    for frontier, batch, expected in (
        (Frontier(0, None, 10.0), 9, [[5, 9], [-1, 9]]),
        (Frontier(0, since, 10.0), 2, [[5, 9], [0, 40]]),
        (Frontier(0, since, 10.0), 9, [[5, 9], [0, 40], [0, 30], [-1, 9]]),
        (Frontier(7, since, 45.0), 3, [[5, 9], [0, 40], [0, 30]]),
    ):
        query = claim.claim(reference(database_url, "jobs"), FetchOptions(batch_size=batch), frontier=frontier)
        with psycopg.connect(database_url) as connection, psycopg.RawCursor(connection, row_factory=dict_row) as cursor:
            cursor.execute(query.sql, query.parameters)
            claimed = sorted(cursor.fetchall(), key=lambda row: (-row["priority"], row["created_on"]))
            assert [json.loads(row["data"]) for row in claimed] == expected, frontier
            connection.rollback()


@pytest.mark.timeout(120)
async def test_looking_before_a_frontier_reads_neither_the_history_nor_what_is_behind_it(
    boss: PgBoss, database_url: str
) -> None:
    await boss.create_queue("jobs")
    parts = ((DEAD, DONE), (20_000, {"created_on": "now()"}), (20_000, {"start_after": "now() + interval '1 day'"}))
    frontier = Frontier(0, datetime.now(UTC) - timedelta(hours=1), 0.0)
    with big_table(database_url, "jobs", *parts) as kinds:
        for kind in kinds:
            for mode in get_args(PlanMode):
                found = explain(database_url, claim.next_left_out(SCHEMA, "jobs", frontier), mode)
                what = f"{kind}, {mode}: {found}"
                assert found.rows <= 10, what
                assert found.buffers < 1_000, what
                assert found.paths == {"i11", "i14"}, what


async def test_looking_before_a_frontier_finds_what_is_due_there_and_what_falls_due_next(
    boss: PgBoss, database_url: str
) -> None:
    await boss.create_queue("jobs")
    frontier = Frontier(0, None, 10.0)

    def seconds() -> Any:
        query = claim.next_left_out(SCHEMA, "jobs", frontier)
        with psycopg.connect(database_url) as connection, psycopg.RawCursor(connection) as cursor:
            [(found,)] = cursor.execute(query.sql, query.parameters).fetchall()
            return found

    assert seconds() is None
    fill(database_url, "jobs", 1, created_on="now() - interval '9 s'")
    assert seconds() is None
    fill(database_url, "jobs", 1, created_on="now() - interval '11 s'", state="'retry'", start_after="now() + '1 h'")
    assert seconds() == pytest.approx(3600, abs=10)
    fill(database_url, "jobs", 1, created_on="now() - interval '11 s'", blocked="true")
    assert seconds() == pytest.approx(3600, abs=10)
    fill(database_url, "jobs", 1, created_on="now() - interval '11 s'", priority="-1")
    assert seconds() < 0
