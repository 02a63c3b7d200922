"""A claim walks the queue from its front, however many rows there are and whatever the planner believes of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, get_args

import pytest

from pgboss import PgBoss
from pgboss.core.checks import Policy
from pgboss.core.options import FetchOptions
from pgboss.sql import claim
from support.plans import PlanMode, big_table, explain, reference

SIZE = 200_000
BATCHES = (1, 1000)
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
