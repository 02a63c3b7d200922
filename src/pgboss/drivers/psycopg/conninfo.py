"""Connection strings: reading them, our defaults beneath them, and how they appear in messages."""

from __future__ import annotations

import os
from typing import Any

import psycopg
from psycopg import pq
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from pgboss.errors import ConfigurationError

__all__ = ["FIRST_CONNECT_SECONDS", "conninfo_of_pool", "named", "place", "read_conninfo", "with_setting"]

# A peer that no longer answers packets is noticed in 5 s instead of hours, while a statement may take as long as it
# likes. Anything in the connection string wins.
CONNECTION_DEFAULTS: dict[str, Any] = {
    "application_name": "pgboss",
    # Also where the database says SQL_ASCII, of which psycopg would give bytes.
    "client_encoding": "utf8",
    # Short, for an attempt that was begun while the server was away hardly notices when it returns.
    "connect_timeout": 5,
    "keepalives_idle": 4,
    "keepalives_interval": 1,
    "keepalives_count": 3,
    "tcp_user_timeout": 5_000,
}
FIRST_CONNECT_SECONDS = 10
"""What the first connection may take: a database that has to wake up first would fail the start otherwise."""


def read_conninfo(conninfo: str, **defaults: object) -> str:
    """Check a connection string and put our defaults beneath what it says, with these above them.

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
    return make_conninfo(**{**CONNECTION_DEFAULTS, **defaults, **given})


def named(conninfo: str, application_name: str) -> str:
    """The connection string with a name for our sessions, unless it gives them one; what cannot be read stays as it is.

    The place where it is used says what is wrong with it.
    """
    try:
        given = conninfo_to_dict(conninfo)
    except psycopg.ProgrammingError:
        return conninfo
    if not conninfo or "application_name" in given:
        return conninfo
    return make_conninfo(conninfo, application_name=application_name)


def place(conninfo: str) -> str:
    """Where a connection string leads, without its password."""
    parts = conninfo_to_dict(conninfo)
    named = [
        f"{label} {parts[key]}"
        for key, label in (("host", "host"), ("port", "port"), ("dbname", "database"), ("user", "user"))
        if parts.get(key)
    ]
    return ", ".join(named) or "the local socket"


def conninfo_of_pool(pool: Any) -> str:
    """Where the connections of a caller's ``psycopg_pool`` lead; empty where there is no telling."""
    conninfo, keywords = getattr(pool, "conninfo", ""), getattr(pool, "kwargs", None)
    if not isinstance(conninfo, str) or callable(keywords):
        return ""
    known = {option.keyword.decode() for option in pq.Conninfo.get_defaults()}
    return make_conninfo(conninfo, **{name: value for name, value in (keywords or {}).items() if name in known})


def with_setting(conninfo: str, name: str, value: str) -> str:
    """The connection string of sessions that have a setting from their start, besides those they have already."""
    given = conninfo_to_dict(read_conninfo(conninfo)).get("options") or os.environ.get("PGOPTIONS", "")
    return make_conninfo(conninfo, options=f"{given} -c {name}={value}".strip())
