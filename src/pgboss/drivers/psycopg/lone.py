"""One connection that one thread uses alone, opened when it is needed and again after it broke."""

from __future__ import annotations

from typing import Any

from psycopg import Connection

from pgboss.core.query import Rows, Statement
from pgboss.drivers.psycopg.conninfo import place
from pgboss.drivers.psycopg.errors import translated
from pgboss.drivers.psycopg.pools import CONNECTION_KEYWORDS
from pgboss.drivers.psycopg.sessions import PsycopgSession
from pgboss.errors import DatabaseUnavailableError

__all__ = ["LoneConnection"]


class LoneConnection:
    """Runs single statements; after an error of the connection the next statement opens a new one."""

    def __init__(self, conninfo: str) -> None:
        self._conninfo = conninfo
        self._connection: Connection[Any] | None = None

    def execute(self, statement: Statement) -> Rows:
        """Run one statement.

        Raises:
            DatabaseError: the server refused it, or cannot be reached.
        """
        if self._connection is None or self._connection.closed:
            with translated(place(self._conninfo)):
                self._connection = Connection.connect(self._conninfo, **CONNECTION_KEYWORDS)
        try:
            return PsycopgSession(self._connection).execute(statement)
        except DatabaseUnavailableError:
            self.close()
            raise

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
