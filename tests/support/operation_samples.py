"""Queues in trouble and in order, figures over hours, instances, warnings and builds, for pages to show."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from pgboss import SyncPgBoss
from pgboss.sql import queue_stats
from support.postgres import sql
from support.upkeep import SCHEMA

__all__ = ["fill"]


def fill(boss: SyncPgBoss, url: str, busy: str = "document-parse") -> None:
    """Fill a database with queues, the busy one among them, and with what upkeeps and instances would have left."""
    boss.create_queue("dead-letters")
    for name, options in {
        busy: {"dead_letter": "dead-letters", "heartbeat_seconds": 60},
        "document-embed": {"policy": "key_strict_fifo"},
        "mail": {},
        "invoices/monthly": {"policy": "singleton"},
        "quiet": {},
    }.items():
        boss.create_queue(name, **options)  # type: ignore[arg-type]  # keywords of different types
    boss.subscribe("document.uploaded", busy)
    boss.insert("mail", [{"data": {"to": f"{number}@example.com"}} for number in range(7)])
    boss.insert(busy, [{"data": {"page": number}} for number in range(30)])
    boss.fetch(busy, batch_size=4)
    _record(url, busy)


def _record(url: str, busy: str) -> None:
    """What an upkeep would have found and recorded in the last hours, and what instances tell of themselves."""
    today = datetime.now(UTC).date()
    # The last hours may have begun yesterday.
    sql(url, queue_stats.make_day(SCHEMA, today - timedelta(days=1), today).sql)
    for statement in (
        "UPDATE pgboss.queue SET ready_count = 26, queued_count = 26, active_count = 4, failed_count = 12,"
        " total_count = 8042, failed_delta = 3, completed_delta = 40, delta_on = now(), monitor_on = now()"
        " WHERE name = 'document-parse'",
        "UPDATE pgboss.queue SET ready_count = 7, queued_count = 7, total_count = 7, monitor_on = now()"
        " WHERE name = 'mail'",
        "UPDATE pgboss.job SET start_after = now() - interval '17 minutes' WHERE name = 'mail'",
        "INSERT INTO pgboss.queue_stats (name, ready_count, queued_count, active_count, created_delta, completed_delta,"
        " failed_delta, captured_on, delta_seconds, delta_on, wait_bins, run_bins)"
        " SELECT 'document-parse', 30 + 20 * sin(n / 15.0), 45 + 20 * sin(n / 15.0), 4 + n % 3,"
        " 40 + 15 * sin(n / 9.0), 38 + 15 * sin(n / 10.0), greatest(0, 4 * sin(n / 20.0))::int,"
        " now() - n * interval '1 minute', 60, now() - n * interval '1 minute',"
        " array_fill(0, ARRAY[8]) || ARRAY[5, 20, 9, 2 + n % 4, 1],"
        " array_fill(0, ARRAY[12]) || ARRAY[2, 9, 20, 6, n % 3]"
        " FROM generate_series(0, 400) n",
        "INSERT INTO pgboss.warning (type, message, data, created_on)"
        " SELECT (ARRAY['queue_backlog', 'slow_query'])[1 + n % 2], 'Queue mail has ' || n || ' queued jobs.',"
        """ '{"queue": "mail", "limit": 5}',"""
        " now() - n * interval '7 minutes' FROM generate_series(1, 8) n",
        "INSERT INTO pgboss.bam (name, version, status, table_name, command, error) VALUES"
        " ('create_index_py', 46, 'completed', 'job_common', 'CREATE INDEX CONCURRENTLY job_i14 ON job (name)', NULL),"
        " ('create_index_py', 46, 'failed', 'job_common', 'CREATE INDEX CONCURRENTLY job_i15 ON pgboss.job (id)',"
        " 'canceling statement due to lock timeout')",
        "INSERT INTO pgboss.instance (id, name, host, pid, version, node_version, heartbeat_seconds, supervise,"
        " schedule, migrate, persist_queue_stats, persist_warnings, workers, metrics, config, started_on, heartbeat_on)"
        " SELECT gen_random_uuid(), 'worker-' || n, 'host-' || n, 4000 + n, '1.0.0',"
        " CASE n WHEN 3 THEN 'v22.1.0' ELSE 'Python 3.12.4' END, 60, true, true, true, true, true,"
        """ '[{"queue": "document-parse", "active": 2, "localConcurrency": 5, "lastFetchedOn": "2026-01-01T00:00Z"},"""
        """ {"queue": "quiet", "active": 0, "localConcurrency": 2}]', '{"rss": 187654321, "cpu": 0.21}', '{}',"""
        " now() - n * interval '5 hours', now() FROM generate_series(1, 3) n",
    ):
        sql(url, statement.replace("document-parse", busy))
