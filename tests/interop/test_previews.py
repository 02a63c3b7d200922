"""Expressions are read as real pg-boss reads them: the same occurrences, the same refusals, on the days of change too.

``make test`` asks 150 random questions, ``make prove`` 5,500 (``PREVIEWS`` times ten, if set) and prints the seed,
which ``PREVIEWS_SEED`` repeats. The questions of the proof are about passes as well.
"""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from random import Random, SystemRandom

import pytest

from support.node_process import NodeProcess
from support.recurrences import Question, disagreements, questions

pytestmark = pytest.mark.node

MANY = int(os.environ.get("PREVIEWS", "550")) * 10
SEED = int(os.environ.get("PREVIEWS_SEED") or SystemRandom().randrange(2**32))
BATCH = 10
# Node searches years of seconds for some rules.
BATCH_SECONDS = 300.0


@pytest.fixture
async def node() -> AsyncIterator[NodeProcess]:
    async with NodeProcess() as process:
        yield process


async def check(node: NodeProcess, asked: list[Question]) -> int:
    """Compare the answers; returns how many questions both sides refuse."""
    found, refused = list[str](), 0
    for first in range(0, len(asked), BATCH):
        batch = asked[first : first + BATCH]
        answers = await node.request("previews", within=BATCH_SECONDS, questions=batch)
        for question, answer in zip(batch, answers, strict=True):
            found += disagreements(question, answer)
            refused += "refused" in answer["preview"]
    assert not found, "\n".join([f"seed {SEED}: {len(found)} disagreements", *found[:20]])
    return refused


async def test_cron_expressions(node: NodeProcess) -> None:
    refused = await check(node, questions(Random(SEED), 120, rules=False, passes=False))

    assert refused > 0


async def test_recurrence_rules(node: NodeProcess) -> None:
    refused = await check(node, questions(Random(SEED), 30, rules=True, passes=False))

    assert refused > 0


NAMED = {
    "a time that clocks skip": ("30 2 * * *", "Europe/Zurich", "2026-03-28T12:00"),
    "a time that comes twice": ("30 2 * * *", "Europe/Zurich", "2026-10-24T12:00"),
    "half an hour": ("15 2 * * *", "Australia/Lord_Howe", "2026-10-03T00:00"),
    "no midnight": ("0 0 * * *", "America/Havana", "2026-03-07T00:00"),
    "two midnights": ("0 0 * * *", "America/Havana", "2026-10-31T00:00"),
    "no day": ("0 12 30 * *", "Pacific/Apia", "2011-12-28T00:00"),
    "fields at the left": ("5 4", "UTC", "2026-01-01T00:00"),
    "either day": ("0 0 13 * 5", "UTC", "2026-01-01T00:00"),
    "the last Friday": ("0 17 * * 5L", "UTC", "2026-01-01T00:00"),
    "29 February": ("0 0 29 2 *", "UTC", "2026-01-01T00:00"),
    "30 February": ("0 0 30 2 *", "UTC", "2026-01-01T00:00"),
    "31 June or a Monday": ("0 0 31 6 1", "UTC", "2026-01-01T00:00"),
    "a rule in a skipped hour": ("FREQ=DAILY;BYHOUR=2;BYMINUTE=30", "Europe/Zurich", "2026-03-28T12:00"),
    "hours when clocks go back": ("FREQ=HOURLY", "Europe/Zurich", "2026-10-24T22:30"),
    "the phase of an interval": ("FREQ=WEEKLY;INTERVAL=2;BYDAY=MO", "UTC", "2026-01-01T00:00"),
    "the last workday": ("FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1", "Asia/Tokyo", "2026-01-01T00:00"),
    "the 31st": ("FREQ=MONTHLY;BYMONTHDAY=31", "UTC", "2026-01-01T00:00"),
    "week 53": ("FREQ=YEARLY;BYWEEKNO=53;BYDAY=MO", "UTC", "2026-01-01T00:00"),
    "a rule that never comes": ("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", "UTC", "2026-01-01T00:00"),
    "a count": (
        "DTSTART:20260101T000000Z\nRRULE:FREQ=DAILY;COUNT=3\nEXDATE:20260102T000000Z",
        "UTC",
        "2025-01-01T00:00",
    ),
}


async def test_named_cases(node: NodeProcess) -> None:
    asked = []
    for expression, tz, start in NAMED.values():
        at = int(datetime.fromisoformat(start).replace(tzinfo=UTC).timestamp() * 1000)
        asked.append({"expression": expression, "tz": tz, "from": at, "count": 4, "until": at + 86_400_000})
    await check(node, asked)


@pytest.mark.prove
@pytest.mark.timeout(3600)
async def test_many_questions(node: NodeProcess) -> None:
    random = Random(SEED)
    cron = questions(random, MANY * 6 // 11, rules=False, passes=True)
    rules = questions(random, MANY - len(cron), rules=True, passes=True)
    refused = await check(node, cron) + await check(node, rules)
    sys.stderr.write(f"\nseed {SEED}: {len(cron)} cron expressions and {len(rules)} rules agree, {refused} refused\n")
