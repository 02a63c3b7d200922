"""Counting costs what a queue has in flight, not what it keeps; also on tables never analysed."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pgboss import PgBoss
from pgboss.core.query import Query
from pgboss.sql import monitor, trueup
from support.plans import big_table, explain
from support.postgres import sql
from support.upkeep import SCHEMA

FINISHED = 200_000
LIVE = 500
RECENT = 300

DONE = {
    "state": "'completed'",
    "started_on": "now() - interval '1 day' + n * interval '10 ms'",
    "completed_on": "now() - interval '23 hours' + n * interval '10 ms'",
}
JUST_DONE = {
    "state": "'completed'",
    "created_on": "now() - interval '40 seconds'",
    "started_on": "now() - interval '35 seconds'",
    "completed_on": "now() - interval '30 seconds'",
}

STATEMENTS: dict[str, Callable[[str, list[str]], Query]] = {
    "count": lambda table, names: monitor.count(SCHEMA, table, names, None),
    "count with throughput": lambda table, names: monitor.count(SCHEMA, table, names, 7200.0),
    "count for who asks": lambda table, names: monitor.recount_one(SCHEMA, table, names[0]),
    "raise": lambda table, names: trueup.raise_counts(SCHEMA, table, names),
}


@pytest.mark.timeout(120)
@pytest.mark.parametrize("partition", [False, True], ids=["shared table", "own table"])
async def test_counting_reads_what_is_alive_and_what_just_ended(
    boss: PgBoss, database_url: str, partition: bool
) -> None:
    names = ["mail"] if partition else ["mail", "print", "idle"]
    for name in names:
        await boss.create_queue(name, partition=partition)
    [table] = {row["table_name"] for row in sql(database_url, "SELECT table_name FROM pgboss.queue")}
    # Counted a minute ago, with an hour of snapshots behind it.
    sql(
        database_url,
        """
        UPDATE pgboss.queue SET delta_on = now() - interval '70 seconds', retained_count = 0,
                                retained_on = now() - interval '70 seconds';
        DELETE FROM pgboss.queue_stats;
        INSERT INTO pgboss.queue_stats (name, captured_on, delta_on, delta_seconds, created_delta, completed_delta,
                                        failed_delta)
        SELECT name, captured_on, captured_on - interval '10 seconds', 60, 0, 0, 0
          FROM pgboss.queue, generate_series(1, 9) n, LATERAL (SELECT now() - n * interval '1 minute' AS captured_on) c
         WHERE captured_on AT TIME ZONE 'UTC' >= date_trunc('day', now() AT TIME ZONE 'UTC');
        """,
    )
    live = {"state": "CASE n % 3 WHEN 0 THEN 'created' WHEN 1 THEN 'active' ELSE 'failed' END::pgboss.job_state"}
    with big_table(database_url, "mail", (FINISHED, DONE), (LIVE, live), (RECENT, JUST_DONE)) as both:
        for told in both:
            for what, statement in STATEMENTS.items():
                done = explain(database_url, statement(table, names))
                assert "Seq Scan" not in done.paths, (told, what, done)
                # The recent ones are counted as created, as finished, as retained, and in the check for late ones.
                assert done.rows <= 4 * (LIVE + 3 * RECENT), (told, what, done)
                assert done.buffers < 1_000, (told, what, done)
