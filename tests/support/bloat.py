"""Indexes that are much larger than they need be, as a drained backlog leaves them."""

from __future__ import annotations

from pgboss.core.names import SchemaName
from support.postgres import sql, sql_value
from support.upkeep import add_jobs

__all__ = ["BACKLOG", "drain_a_backlog", "file_of", "leave_a_leftover", "pages_of"]

BACKLOG = 6_000
"""So many jobs fill about 40 pages of the primary key."""


def drain_a_backlog(url: str, queue: str, *, schema: str = "pgboss", table: str = "job_common") -> None:
    """Fill a queue, empty it, and let the server know."""
    add_jobs(url, queue, BACKLOG, schema=schema)
    sql(url, f"DELETE FROM {SchemaName(schema).table('job')} WHERE name = %s", [queue])
    # In one call they would be one transaction, in which there can be no VACUUM.
    sql(url, f"VACUUM {SchemaName(schema).table(table)}")


def pages_of(url: str, index: str, schema: str = "pgboss") -> int:
    """How many pages an index takes right now."""
    pages: int = sql_value(url, f"SELECT pg_relation_size('{schema}.\"{index}\"') / 8192")
    return pages


def file_of(url: str, index: str, schema: str = "pgboss") -> int:
    """What changes when an index is rebuilt."""
    number: int = sql_value(url, f"SELECT relfilenode FROM pg_class WHERE oid = '{schema}.\"{index}\"'::regclass")
    return number


def leave_a_leftover(url: str, name: str, *, schema: str = "pgboss", table: str = "job_common") -> None:
    """An invalid index of the name that a rebuild gives its new one, as one that was interrupted leaves it."""
    sql(url, f'CREATE INDEX "{name}" ON {schema}."{table}" (created_on)')
    sql(
        url,
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = %s::regclass",
        [f'{schema}."{name}"'],
    )
