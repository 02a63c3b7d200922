"""The connection that listens: notifications come in, and nothing else is done on it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from psycopg import AsyncConnection, sql

from pgboss.drivers.psycopg.errors import translated
from pgboss.drivers.psycopg.pools import connect_alone
from pgboss.errors import DatabaseUnavailableError

__all__ = ["Listener"]

# A half-open connection never says that it is gone: ask it now and then.
PROBE_SECONDS = 10.0
PROBE_TIMEOUT_SECONDS = 5.0


class Listener:
    """Payloads of one channel, as an async iterator that ends by raising when the connection is lost.

    While nothing arrives the connection is probed every 10 s, so that a dead one is noticed within 15 s.
    """

    def __init__(self, conninfo: str, channel: str) -> None:
        self._conninfo = conninfo
        self._channel = channel
        self._connection: AsyncConnection[Any] | None = None

    async def open(self) -> None:
        """Connect and listen.

        Raises:
            DatabaseUnavailableError: the server cannot be reached.
            DatabaseError: it refused to listen, as some poolers do.
        """
        connection = await connect_alone(self._conninfo)
        try:
            with translated():
                await connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(self._channel)))
        except BaseException:
            await connection.close()
            raise
        self._connection = connection

    async def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()

    async def payloads(self) -> AsyncIterator[str]:
        """The payloads as they arrive.

        Raises:
            DatabaseUnavailableError: the connection is lost.
        """
        if self._connection is None:
            raise DatabaseUnavailableError("The listener is not connected.")
        while True:
            with translated():
                async for notification in self._connection.notifies(timeout=PROBE_SECONDS):
                    yield notification.payload
                await self._probe(self._connection)

    async def _probe(self, connection: AsyncConnection[Any]) -> None:
        try:
            async with asyncio.timeout(PROBE_TIMEOUT_SECONDS):
                await connection.execute("SELECT 1")
        except TimeoutError:
            raise DatabaseUnavailableError(
                f"The listening connection did not answer within {PROBE_TIMEOUT_SECONDS:.0f} s."
            ) from None
