"""What a client is given to reach its database, and which kind of it a pool asks for."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from psycopg_pool import AsyncConnectionPool, ConnectionPool

from pgboss.core.instance import PoolCounts
from pgboss.core.instance_options import Pooler
from pgboss.core.query import Operation
from pgboss.drivers.alone import Alone
from pgboss.drivers.psycopg import AsyncDatabase, Database, Listener
from pgboss.drivers.transactions import Transactions
from pgboss.errors import ConfigurationError

__all__ = ["AnyAsyncDatabase", "AnyDatabase", "choose_async_database", "choose_database"]

T = TypeVar("T")


class AnyAsyncDatabase(Transactions, Alone, Protocol):
    """Connections that run operations.

    Attributes:
        conninfo: the connection string of those that are outside of the pool.
        place: where it leads, without its password.
    """

    conninfo: str
    place: str

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def run(
        self, operation: Operation[T], connection: object | None = None, *, within_seconds: float | None = None
    ) -> T:
        """Run an operation on a connection of the pool, or on the caller's, in the caller's transaction.

        Raises:
            NoAnswerError: on a connection of the pool it took longer than ``within_seconds``.
        """

    def pool_counts(self) -> PoolCounts | None:
        """The connections of our own pool; ``None`` for one of the caller's."""

    def heed(self, pooler: Pooler) -> None:
        """What is known of a pooler in between, which decides whether statements are prepared by name."""

    def listener(self, channel: str, on_heard: Callable[[str], object]) -> Listener:
        """A connection that listens, beside the pool; it runs operations, too, if the pool is ours."""

    def cut(self) -> None:
        """Break the connections that are in use."""


class AnyDatabase(Protocol):
    """The same without async."""

    conninfo: str
    place: str

    def open(self) -> None: ...

    def close(self) -> None: ...

    def run(self, operation: Operation[T], connection: object | None = None) -> T: ...

    def heed(self, pooler: Pooler) -> None:
        """What is known of a pooler in between, which decides whether statements are prepared by name."""


def choose_async_database(conninfo: str, pool: Any, *, pool_size: int) -> AnyAsyncDatabase:
    """The database behind the caller's pool, or behind one of our own.

    Raises:
        ConfigurationError: the pool is of a kind that does not go with ``PgBoss``, or no database is configured.
    """
    if pool is None or isinstance(pool, AsyncConnectionPool):
        return AsyncDatabase(conninfo, pool_size=pool_size, pool=pool)
    if _is_of_asyncpg(pool):
        from pgboss.drivers.asyncpg import AsyncpgDatabase

        return AsyncpgDatabase(conninfo, pool)
    raise _refused(pool, "a psycopg_pool.AsyncConnectionPool or an asyncpg.Pool", "A ConnectionPool", "SyncPgBoss")


def choose_database(conninfo: str, pool: Any, *, pool_size: int) -> AnyDatabase:
    """The same for ``SyncPgBoss``."""
    if pool is None or isinstance(pool, ConnectionPool):
        return Database(conninfo, pool_size=pool_size, pool=pool)
    raise _refused(pool, "a psycopg_pool.ConnectionPool", "An async pool", "PgBoss")


def _is_of_asyncpg(pool: object) -> bool:
    # Without an import: a pool of asyncpg's cannot exist before somebody has imported it.
    asyncpg = sys.modules.get("asyncpg")
    return asyncpg is not None and isinstance(pool, asyncpg.Pool)


def _refused(pool: object, kinds: str, other: str, elsewhere: str) -> ConfigurationError:
    kind = type(pool)
    return ConfigurationError(
        f"pool= takes {kinds} here, not {kind.__module__}.{kind.__qualname__}. {other} goes with {elsewhere}."
    )
