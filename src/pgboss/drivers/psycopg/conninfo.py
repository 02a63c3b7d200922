"""Connection strings: reading them, our defaults beneath them, and how they appear in messages."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from pgboss.errors import ConfigurationError

__all__ = ["place", "read_conninfo"]

# A dead peer is noticed in about half a minute instead of hours; anything in the connection string wins.
CONNECTION_DEFAULTS: dict[str, Any] = {
    "application_name": "pgboss",
    # Also where the database says SQL_ASCII, of which psycopg would give bytes.
    "client_encoding": "utf8",
    "connect_timeout": 10,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 25_000,
}


def read_conninfo(conninfo: str) -> str:
    """Check a connection string and put our defaults beneath what it says.

    Raises:
        ConfigurationError: it is empty, or libpq cannot read it.
    """
    if not conninfo:
        raise ConfigurationError(
            "No database is configured. Set DATABASE_URL, for example "
            "postgresql://user:password@localhost:5432/app, or pass the DSN to PgBoss()."
        )
    try:
        given = conninfo_to_dict(conninfo)
    except psycopg.ProgrammingError as error:
        raise ConfigurationError(f"The connection string cannot be read: {str(error).strip()}.") from None
    return make_conninfo(**{**CONNECTION_DEFAULTS, **given})


def place(conninfo: str) -> str:
    """Where a connection string leads, without its password."""
    parts = conninfo_to_dict(conninfo)
    named = [
        f"{label} {parts[key]}"
        for key, label in (("host", "host"), ("port", "port"), ("dbname", "database"), ("user", "user"))
        if parts.get(key)
    ]
    return ", ".join(named) or "the local socket"
