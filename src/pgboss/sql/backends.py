"""Statements about the server process that carries them out."""

from __future__ import annotations

from pgboss.core.query import Query


def backend() -> Query:
    """Which process that is: its number, and since when, as numbers recur on other hosts of a connection string.

    A role that may not see when (one that was taken by SET ROLE, say) has the number alone.
    """
    since = "SELECT ' since ' || backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid()"
    return Query(f"SELECT pg_backend_pid() || COALESCE(({since}), '')")
