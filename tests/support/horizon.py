"""Dead rows in the shared job table, and ways of keeping VACUUM from removing them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from support.eventually import eventually_sync
from support.postgres import sql, sql_value
from support.upkeep import add_jobs

__all__ = ["BUDGET", "SERVER_SETTINGS", "holding", "make_dead_rows", "vacuum"]

SERVER_SETTINGS = {
    "wal_level": "logical",
    "max_wal_senders": "2",
    "max_replication_slots": "2",
    "max_prepared_transactions": "2",
}
"""What a server needs for all of them."""

BUDGET = 50
DEAD_ROWS = 4 * BUDGET


def make_dead_rows(url: str, schema: str = "pgboss", *, queue: str = "mail") -> None:
    """More than the server's own budget for a table without rows, which is 50; known to its statistics."""
    dead = _statistic(url, schema, "n_dead_tup")
    add_jobs(url, queue, DEAD_ROWS, schema=schema)
    sql(url, f"DELETE FROM {schema}.job WHERE name = %s", [queue])
    eventually_sync(lambda: _statistic(url, schema, "n_dead_tup") >= dead + DEAD_ROWS)


def vacuum(url: str, schema: str = "pgboss") -> None:
    """Remove the dead rows that can be removed."""
    count = _statistic(url, schema, "vacuum_count")
    sql(url, f"VACUUM {schema}.job_common")
    eventually_sync(lambda: _statistic(url, schema, "vacuum_count") > count)


def _statistic(url: str, schema: str, name: str) -> int:
    # Backends report what they have done when they end, which may be a moment after their clients.
    value: int = sql_value(url, f"SELECT {name} FROM pg_stat_user_tables WHERE relid = '{schema}.job_common'::regclass")
    return value


@contextmanager
def holding(url: str, how: str, *, application_name: str = "report") -> Iterator[int | None]:
    """Hold the horizon back; where a backend does it, its pid.

    A logical slot holds back that of the catalogs alone, and looks like one that holds back everything; so for it a
    backend keeps the rows, younger than the slot.
    """
    with psycopg.connect(url, autocommit=True, application_name=application_name) as connection:
        if how == "backends":
            connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
            connection.execute("SELECT txid_current_snapshot()")
            yield connection.info.backend_pid
            connection.execute("ROLLBACK")
        elif how == "prepared":
            connection.execute("BEGIN; SELECT txid_current(); PREPARE TRANSACTION 'forgotten'")
            try:
                yield None
            finally:
                connection.execute("ROLLBACK PREPARED 'forgotten'")
        else:
            connection.execute("SELECT pg_create_logical_replication_slot('forsaken', 'pgoutput')")
            connection.execute("SELECT txid_current()")
            connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1")
            try:
                yield None
            finally:
                connection.execute("ROLLBACK")
                connection.execute("SELECT pg_drop_replication_slot('forsaken')")
