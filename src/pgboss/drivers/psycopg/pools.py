"""Pools that run operations, async and sync, and connections outside of a pool."""

from __future__ import annotations

from select import POLLIN, poll
from typing import Any, Protocol, TypeVar

from psycopg import AsyncConnection, Connection
from psycopg_pool import AsyncConnectionPool, ConnectionPool

from pgboss.core.query import Operation
from pgboss.drivers.psycopg.conninfo import place, read_conninfo
from pgboss.drivers.psycopg.errors import not_started, translated
from pgboss.drivers.psycopg.sessions import AsyncPsycopgSession, PsycopgSession
from pgboss.drivers.runner import arun, run
from pgboss.errors import ConfigurationError

__all__ = ["AsyncDatabase", "Database", "connect_alone"]

T = TypeVar("T")

CHECKOUT_SECONDS = 10.0
CLOSE_SECONDS = 1.0
# Every connection of ours: no implicit transactions, no statements prepared by name.
CONNECTION_KEYWORDS: dict[str, Any] = {"autocommit": True, "prepare_threshold": None}


class _Socket(Protocol):
    def fileno(self) -> int: ...


def _has_news(connection: _Socket) -> bool:
    """Whether something arrived on an idle connection: most likely that its server has gone."""
    # Not select(), which cannot watch descriptors above 1023: a server with many connections has them.
    watched = poll()
    watched.register(connection, POLLIN)
    return bool(watched.poll(0))


async def _acheck(connection: AsyncConnection[Any]) -> None:
    if _has_news(connection):
        await AsyncConnectionPool.check_connection(connection)


def _check(connection: Connection[Any]) -> None:
    if _has_news(connection):
        ConnectionPool.check_connection(connection)


async def connect_alone(conninfo: str) -> AsyncConnection[Any]:
    """Open one connection outside of any pool.

    Raises:
        DatabaseUnavailableError: the server cannot be reached or does not let us in; the reason is libpq's text.
    """
    with translated(place(conninfo)):
        return await AsyncConnection.connect(conninfo, **CONNECTION_KEYWORDS)


class AsyncDatabase:
    """A pool of async connections that runs operations."""

    def __init__(self, conninfo: str, *, pool_size: int) -> None:
        self.conninfo = read_conninfo(conninfo)
        self.place = place(self.conninfo)
        self._pool_size = pool_size
        self._pool: AsyncConnectionPool[AsyncConnection[Any]] | None = None

    async def open(self) -> None:
        """Open the pool, once a first connection has shown that the server lets us in.

        Raises:
            DatabaseUnavailableError: it does not.
        """
        if self._pool is not None:
            return
        await (await connect_alone(self.conninfo)).close()
        pool = AsyncConnectionPool(
            self.conninfo,
            kwargs=CONNECTION_KEYWORDS,
            min_size=1,
            max_size=self._pool_size,
            timeout=CHECKOUT_SECONDS,
            check=_acheck,
            open=False,
            name="pgboss",
        )
        await pool.open()
        self._pool = pool

    async def close(self) -> None:
        pool, self._pool = self._pool, None
        if pool is not None:
            await pool.close(timeout=CLOSE_SECONDS)

    async def run(self, operation: Operation[T], connection: object | None = None) -> T:
        """Run an operation on a connection of the pool, or on the caller's, in the caller's transaction."""
        if connection is not None:
            return await arun(adopt_async(connection), operation)
        if self._pool is None:
            raise not_started()
        with translated(self.place):
            async with self._pool.connection() as own:
                return await arun(AsyncPsycopgSession(own), operation)


class Database:
    """A pool of sync connections that runs operations."""

    def __init__(self, conninfo: str, *, pool_size: int) -> None:
        self.conninfo = read_conninfo(conninfo)
        self.place = place(self.conninfo)
        self._pool_size = pool_size
        self._pool: ConnectionPool[Connection[Any]] | None = None

    def open(self) -> None:
        """Open the pool, once a first connection has shown that the server lets us in.

        Raises:
            DatabaseUnavailableError: it does not.
        """
        if self._pool is not None:
            return
        with translated(self.place):
            Connection.connect(self.conninfo, **CONNECTION_KEYWORDS).close()
        pool = ConnectionPool(
            self.conninfo,
            kwargs=CONNECTION_KEYWORDS,
            min_size=1,
            max_size=self._pool_size,
            timeout=CHECKOUT_SECONDS,
            check=_check,
            open=False,
            name="pgboss",
        )
        pool.open()
        self._pool = pool

    def close(self) -> None:
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.close(timeout=CLOSE_SECONDS)

    def run(self, operation: Operation[T], connection: object | None = None) -> T:
        """Run an operation on a connection of the pool, or on the caller's, in the caller's transaction."""
        if connection is not None:
            return run(adopt(connection), operation)
        if self._pool is None:
            raise not_started()
        with translated(self.place), self._pool.connection() as own:
            return run(PsycopgSession(own), operation)


def adopt_async(connection: object) -> AsyncPsycopgSession:
    """A session over the caller's connection.

    Raises:
        ConfigurationError: it is of a kind we cannot use here.
    """
    if isinstance(connection, AsyncConnection):
        return AsyncPsycopgSession(connection)
    raise ConfigurationError(
        f"connection= takes a psycopg.AsyncConnection here, not {type(connection).__name__}. "
        "A sync connection goes with SyncPgBoss."
    )


def adopt(connection: object) -> PsycopgSession:
    """A session over the caller's connection.

    Raises:
        ConfigurationError: it is of a kind we cannot use here.
    """
    if isinstance(connection, Connection):
        return PsycopgSession(connection)
    raise ConfigurationError(
        f"connection= takes a psycopg.Connection here, not {type(connection).__name__}. "
        "An async connection goes with PgBoss."
    )
