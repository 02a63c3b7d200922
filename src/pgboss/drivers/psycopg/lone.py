"""One connection that one thread uses alone, opened when it is needed and again after it broke."""

from __future__ import annotations

from threading import Lock, Timer
from typing import Any

from psycopg import Connection

from pgboss.core.query import Rows, Statement
from pgboss.drivers.errors import unanswered
from pgboss.drivers.psycopg.answers import cut
from pgboss.drivers.psycopg.connections import CONNECTION_KEYWORDS, has_news
from pgboss.drivers.psycopg.conninfo import place
from pgboss.drivers.psycopg.errors import translated
from pgboss.drivers.psycopg.sessions import PsycopgSession
from pgboss.errors import DatabaseUnavailableError

__all__ = ["LoneConnection"]


class LoneConnection:
    """Runs single statements; after an error of the connection the next statement opens a new one."""

    def __init__(self, conninfo: str) -> None:
        self._conninfo = conninfo
        self._connection: Connection[Any] | None = None
        # So that another thread never shuts the socket of a connection that is closed, and whose number is reused.
        self._closing = Lock()

    def execute(self, statement: Statement, *, within_seconds: float) -> Rows:
        """Run one statement.

        Raises:
            NoAnswerError: the server did not answer in time; connecting is not counted.
            DatabaseError: the server refused it, or cannot be reached.
        """
        connection = self._connect()
        limit = Timer(within_seconds, self.cut)
        limit.daemon = True
        limit.start()
        try:
            return PsycopgSession(connection).execute(statement)
        except DatabaseUnavailableError as error:
            self.close()
            if limit.finished.is_set():
                raise unanswered(place(self._conninfo), within_seconds) from error
            raise
        finally:
            limit.cancel()

    def cut(self) -> None:
        """Break the connection, from whatever thread: a statement under way ends with an error."""
        with self._closing:
            if self._connection is not None:
                cut(self._connection)

    def close(self) -> None:
        with self._closing:
            connection, self._connection = self._connection, None
            if connection is not None:
                connection.close()

    def _connect(self) -> Connection[Any]:
        # An idle connection on which something arrived is most likely one that the other side has closed.
        if self._connection is not None and (self._connection.closed or has_news(self._connection)):
            self.close()
        if self._connection is None:
            with translated(place(self._conninfo)):
                self._connection = Connection.connect(self._conninfo, **CONNECTION_KEYWORDS)
        return self._connection
