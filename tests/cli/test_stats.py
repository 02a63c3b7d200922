"""``pgboss queues stats``."""

from __future__ import annotations

import pytest

from pgboss import SyncPgBoss
from support.command_line import CommandLine
from support.postgres import sql

RECORDED = """
CREATE TABLE pgboss.queue_stats_before PARTITION OF pgboss.queue_stats FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
INSERT INTO pgboss.queue_stats (name, ready_count, total_count, captured_on, created_delta, completed_delta,
                                delta_seconds, delta_on, wait_bins, run_bins)
SELECT 'mail', n, n, '2026-01-31 12:00Z'::timestamptz + n * interval '1 minute', n, 1, 60,
       '2026-01-31 12:00Z'::timestamptz + n * interval '1 minute' - interval '10 s',
       array_fill(NULL::int, ARRAY[20]) || ARRAY[3] || array_fill(NULL::int, ARRAY[27]),
       array_fill(NULL::int, ARRAY[48])
  FROM generate_series(1, 3) n
"""


@pytest.fixture
def recorded(installed: SyncPgBoss, database_url: str) -> None:
    installed.create_queue("mail")
    sql(database_url, RECORDED)


def test_the_newest_comes_first(pgboss: CommandLine, recorded: None) -> None:
    titles, first, *_, last = pgboss.ok("queues", "stats", "mail").splitlines()

    assert titles.split() == "CAPTURED READY DEFERRED ACTIVE FAILED TOTAL CREATED COMPLETED SECONDS".split()
    assert first.split()[-8:] == "3 0 0 0 3 3 1 60".split()
    assert last.split()[-8:] == "1 0 0 0 1 1 1 60".split()


def test_buckets_and_percentiles(pgboss: CommandLine, recorded: None) -> None:
    titles, only = pgboss.ok(
        "queues", "stats", "mail", "--bucket-seconds", "3600", "--percentile", "50", "--percentile", "99.9"
    ).splitlines()

    assert titles.split()[-8:] == "WAIT P50 WAIT P99.9 RUN P50 RUN P99.9".split()
    # Three passes with three jobs each, all of them in the slot that begins at 7.24 s.
    assert only.split()[-7:] == "6 3 180 8.61 s 10 s".split()


def test_json_is_for_programs(pgboss: CommandLine, recorded: None) -> None:
    [newest] = pgboss("queues", "stats", "mail", "--json", "--from", "2026-01-31T12:03Z").json

    assert newest["captured_on"] == "2026-01-31T12:03:00+00:00"
    assert (newest["created_delta"], newest["wait_bins"][20]) == (3, 3)


def test_without_anything_recorded_there_is_the_last_count(pgboss: CommandLine, installed: SyncPgBoss) -> None:
    installed.create_queue("mail")
    installed.send("mail")

    [now] = pgboss("queues", "stats", "mail", "--json").json

    assert (now["ready_count"], now["created_delta"]) == (1, None)


def test_what_is_wrong_is_told(pgboss: CommandLine, recorded: None) -> None:
    assert "no queue 'post'" in pgboss("queues", "stats", "post").err
    assert "limit must be an integer" in pgboss("queues", "stats", "mail", "--limit", "0").err
    assert "has no zone" in pgboss("queues", "stats", "mail", "--from", "2026-01-31").err
    assert "max, min, avg" in pgboss("queues", "stats", "mail", "--aggregate", "sum", "--bucket-seconds", "60").err


def test_a_queue_shows_when_it_was_counted(pgboss: CommandLine, installed: SyncPgBoss) -> None:
    installed.create_queue("mail")
    assert "Counted          never" in pgboss.ok("queues", "show", "mail")
    installed.send("mail")
    installed.get_queue_stats("mail", force=True)

    assert "1 ready, 0 deferred, 0 blocked at " in pgboss.ok("queues", "show", "mail")
