"""Connections of our own, and whether one that lies idle has something to say."""

from __future__ import annotations

from select import POLLIN, poll
from typing import Any, Protocol

from psycopg import AsyncConnection

from pgboss.drivers.psycopg.conninfo import place
from pgboss.drivers.psycopg.errors import translated

__all__ = ["CONNECTION_KEYWORDS", "connect_alone", "has_news"]

# Every connection of ours: no implicit transactions, no statements prepared by name.
CONNECTION_KEYWORDS: dict[str, Any] = {"autocommit": True, "prepare_threshold": None}


class _Socket(Protocol):
    def fileno(self) -> int: ...


def has_news(connection: _Socket) -> bool:
    """Whether something arrived on an idle connection: most likely that its server has gone."""
    # Not select(), which cannot watch descriptors above 1023: a server with many connections has them.
    watched = poll()
    watched.register(connection, POLLIN)
    return bool(watched.poll(0))


async def connect_alone(conninfo: str) -> AsyncConnection[Any]:
    """Open one connection outside of any pool.

    Raises:
        DatabaseUnavailableError: the server cannot be reached or does not let us in; the reason is libpq's text.
    """
    with translated(place(conninfo)):
        return await AsyncConnection.connect(conninfo, **CONNECTION_KEYWORDS)
