"""The history of a schedule is read by index, and no further than it says, however many occurrences there were."""

from __future__ import annotations

import pytest

from pgboss.core.names import SEND_IT_QUEUE
from pgboss.sql import schedule_history
from support.boss import BossFactory
from support.plans import big_table, explain, fill
from support.upkeep import SCHEMA

HISTORY = 20
OCCURRENCES = {
    "singleton_on": "now()::timestamp - n * interval '1 minute'",
    "singleton_key": "'mail__' || n % 100",
    "state": "'completed'",
    "started_on": "now() - n * interval '10 milliseconds'",
    "completed_on": "now() - n * interval '10 milliseconds'",
    "data": """'{"name": "mail", "data": null}'""",
}


@pytest.mark.timeout(120)
async def test_the_history_of_a_schedule(make_boss: BossFactory, database_url: str) -> None:
    boss = await make_boss(schedule=True)
    await boss.create_queue("mail")
    fill(database_url, "mail", 60_000)
    query = schedule_history.history(SCHEMA, "mail", "mail__7", HISTORY)
    with big_table(database_url, SEND_IT_QUEUE, (60_000, OCCURRENCES)) as kinds:
        for kind in kinds:
            found = explain(database_url, query, is_walking=True)
            # PostgreSQL 14 to 16 look once more at each row that they find by bitmap.
            assert found.rows <= 2 * (schedule_history.WINDOW + HISTORY) + 5, (kind, found)
            assert "Seq Scan" not in found.paths, (kind, found)
