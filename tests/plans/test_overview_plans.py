"""What shows all queues reads no job, and of recorded figures only the stretch it shows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from pgboss import PgBoss
from pgboss.core.queue import QueueRef
from pgboss.sql import overview, pubsub, queue_stats
from support.plans import explain
from support.postgres import sql
from support.upkeep import SCHEMA


@pytest.mark.parametrize("analysed", [False, True])
async def test_figures_of_the_last_hour(boss: PgBoss, database_url: str, analysed: bool) -> None:
    names = [f"queue{number}" for number in range(10)]
    for name in names:
        await boss.create_queue(name)
    _record(database_url, names)
    if analysed:
        sql(database_url, "ANALYZE pgboss.queue_stats")
    found = explain(database_url, overview.totals_over_time(SCHEMA, 3600, 60, 1000), "force_generic_plan")
    assert not found.paths
    # 10 queues with 60 figures each, of 100,000 figures on some 2,000 pages.
    assert found.buffers < 1_200


async def test_lists_for_people_read_no_job(boss: PgBoss, database_url: str) -> None:
    await boss.create_queue("mail")
    for query in (
        overview.counts(SCHEMA, 1000),
        overview.search(SCHEMA, "a", "b", 100),
        overview.changes(SCHEMA),
        pubsub.find(SCHEMA, "paid", "mail", ("a", "b"), 100),
    ):
        assert not explain(database_url, query).paths


@pytest.mark.parametrize("analysed", [False, True])
async def test_counting_up_to_a_number_reads_no_more_than_that(boss: PgBoss, database_url: str, analysed: bool) -> None:
    await boss.create_queue("mail")
    sql(
        database_url,
        "INSERT INTO pgboss.job (name, state)"
        " SELECT 'mail', (ARRAY['created', 'completed'])[1 + n % 2]::pgboss.job_state FROM generate_series(1, 40000) n",
    )
    if analysed:
        sql(database_url, "ANALYZE pgboss.job")
    found = explain(database_url, overview.counted_up_to(QueueRef(SCHEMA, "mail", "job_common", "standard", True), 100))
    # Of some thousand pages.
    assert found.buffers < 300


def _record(url: str, queues: list[str]) -> None:
    """A figure each six seconds of the last seventeen hours: ten thousand a queue."""
    today = datetime.now(UTC).date()
    day = timedelta(days=1)
    with psycopg.connect(url) as connection:
        connection.execute(queue_stats.make_day(SCHEMA, today - day, today).sql.encode())
    sql(
        url,
        "INSERT INTO pgboss.queue_stats (name, captured_on, created_delta) "
        "SELECT name, now() - n * interval '6 seconds', 1 FROM unnest(%s::text[]) name, generate_series(1, 10000) n",
        [queues],
    )
