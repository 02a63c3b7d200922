"""The connection that listens: notifications come in, and nothing else is done on it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from psycopg import AsyncConnection, sql

from pgboss.core.query import Rows, Statement
from pgboss.drivers.psycopg.answers import AnsweredWithin
from pgboss.drivers.psycopg.conninfo import place
from pgboss.drivers.psycopg.errors import translated
from pgboss.drivers.psycopg.pools import connect_alone
from pgboss.drivers.psycopg.sessions import AsyncPsycopgSession
from pgboss.errors import DatabaseUnavailableError

__all__ = ["Listener"]

# A half-open connection never says that it is gone: ask it now and then.
PROBE_SECONDS = 10.0
ANSWER_SECONDS = 5.0


class Listener:
    """Payloads of one channel, as an async iterator that ends by raising when the connection is lost.

    Whoever reads them is given a turn while nothing arrives, every 10 s, in which to ask the connection something.
    """

    def __init__(self, conninfo: str, channel: str) -> None:
        self._conninfo = conninfo
        self._channel = channel
        self._connection: AsyncConnection[Any] | None = None

    async def open(self) -> None:
        """Connect.

        Raises:
            DatabaseUnavailableError: the server cannot be reached.
        """
        self._connection = await connect_alone(self._conninfo)

    async def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()

    async def execute(self, statement: Statement) -> Rows:
        """Run a statement on this connection.

        Raises:
            DatabaseUnavailableError: it is lost, or did not answer within 5 s.
        """
        connection = self._opened()
        async with AnsweredWithin(connection, ANSWER_SECONDS, place(self._conninfo)):
            return await AsyncPsycopgSession(connection).execute(statement)

    async def listen(self) -> None:
        """Begin to listen.

        Raises:
            DatabaseError: the server refuses to, as some poolers do.
        """
        connection = self._opened()
        async with AnsweredWithin(connection, ANSWER_SECONDS, place(self._conninfo)):
            with translated():
                await connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(self._channel)))

    async def payloads(self) -> AsyncIterator[str | None]:
        """The payloads as they arrive, and ``None`` when none has for 10 s.

        Raises:
            DatabaseUnavailableError: the connection is lost.
        """
        connection = self._opened()
        while True:
            with translated():
                async for notification in connection.notifies(timeout=PROBE_SECONDS):
                    yield notification.payload
            yield None

    def _opened(self) -> AsyncConnection[Any]:
        if self._connection is None:
            raise DatabaseUnavailableError("The listener is not connected.")
        return self._connection
