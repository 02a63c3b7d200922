"""Sync connections for handlers in threads, beside a pool of asyncpg's, which has none to lend."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

from pgboss.drivers.psycopg import Database
from pgboss.drivers.runner import Session
from pgboss.drivers.transactions import OpenTransaction

__all__ = ["DatabaseForThreads"]


class DatabaseForThreads:
    """Connections of psycopg's, opened when the first thread asks."""

    def __init__(self, conninfo: str, *, pool_size: int) -> None:
        self._conninfo = conninfo
        self._pool_size = pool_size
        self._database: Database | None = None
        self._opening = Lock()

    @contextmanager
    def transaction(self) -> Iterator[OpenTransaction[Session]]:
        """See :class:`~pgboss.drivers.transactions.Transactions`."""
        with self._opening:
            if self._database is None:
                database = Database(self._conninfo, pool_size=self._pool_size)
                database.open()
                self._database = database
            database = self._database
        with database.transaction() as opened:
            yield opened

    @property
    def is_open(self) -> bool:
        return self._database is not None

    def close(self) -> None:
        with self._opening:
            database, self._database = self._database, None
        if database is not None:
            database.close()
