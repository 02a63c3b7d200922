"""Waiting for answers no longer than is sensible, and ending a wait from outside of whoever waits.

A connection whose packets are dropped looks like a server that is slow. TCP tells the two apart where the packets of a
dead peer stay unanswered (see ``conninfo``), but not where something in between, a pooler or a proxy, has taken the
statement and lost its own way to the server. So a wait that has become too long ends in two steps:

1. The server is asked to cancel the statement. One that was only slow does: nothing of the statement is stored.
2. If no answer comes then either, the socket is shut, and the wait ends like that on any broken connection.

The request to cancel travels on its own and may come late. Therefore a connection on which one was sent is closed.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from types import TracebackType
from typing import Any

import psycopg
from psycopg import AsyncConnection, Connection

from pgboss.drivers.alone import hang_up_socket
from pgboss.drivers.errors import unanswered
from pgboss.errors import DatabaseError

__all__ = ["AnsweredWithin", "cut", "hang_up"]

CANCEL_SECONDS = 1.0


def cut(connection: AsyncConnection[Any] | Connection[Any]) -> None:
    """Shut the socket of a connection, from whatever thread: whoever waits on it finds it broken."""
    # psycopg raises when it is closed already, and the system when the peer is gone.
    with suppress(psycopg.Error, OSError):
        hang_up_socket(connection.fileno())


async def hang_up(connection: AsyncConnection[Any]) -> None:
    """End the statement under way, by cancelling it or else by shutting the socket, within two seconds."""
    with suppress(psycopg.Error):
        await connection.cancel_safe(timeout=CANCEL_SECONDS)
        await asyncio.sleep(CANCEL_SECONDS)
    cut(connection)


class AnsweredWithin:
    """Ends the block with an error when its statements have not been answered within so many seconds."""

    def __init__(self, connection: AsyncConnection[Any], seconds: float | None, where: str) -> None:
        self._connection = connection
        self._seconds = seconds
        self._where = where
        self._timer: asyncio.TimerHandle | None = None
        self._ending: asyncio.Task[None] | None = None

    async def __aenter__(self) -> None:
        if self._seconds is not None:
            self._timer = asyncio.get_running_loop().call_later(self._seconds, self._give_up)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._ending is None or self._seconds is None:
            return
        self._ending.cancel()
        await self._connection.close()
        if isinstance(error, DatabaseError):
            raise unanswered(self._where, self._seconds) from error

    def _give_up(self) -> None:
        self._ending = asyncio.create_task(hang_up(self._connection), name="pgboss hangs up")
