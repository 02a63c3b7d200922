"""The kinds of connections and pools of callers, as type checkers see them.

Described by what they can do, so that a checker knows them also in a project that lacks some of their libraries. Which
object goes where at run time is decided in ``adopt`` and ``database``.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, Protocol, TypeAlias

from psycopg import AsyncConnection, Connection
from psycopg_pool import AsyncConnectionPool, ConnectionPool

__all__ = ["AsyncCallersConnection", "AsyncCallersPool", "CallersConnection", "CallersPool"]


class AsyncpgConnection(Protocol):
    """``asyncpg.Connection``, also as a pool gives it."""

    def is_in_transaction(self) -> bool: ...

    @property
    def prepare(self) -> Any: ...

    @property
    def fetchrow(self) -> Any: ...


class AsyncpgPool(Protocol):
    """``asyncpg.Pool``."""

    def get_max_size(self) -> int: ...

    def get_idle_size(self) -> int: ...


class AsyncSQLAlchemy(Protocol):
    """``AsyncConnection``, ``AsyncSession`` and ``async_scoped_session`` of SQLAlchemy."""

    def commit(self) -> Coroutine[Any, Any, None]: ...

    @property
    def begin_nested(self) -> Any: ...


class SQLAlchemyConnection(Protocol):
    """``Connection`` of SQLAlchemy."""

    def in_transaction(self) -> bool: ...

    def commit(self) -> None: ...

    @property
    def exec_driver_sql(self) -> Any: ...


class SQLAlchemySession(Protocol):
    """``Session`` and ``scoped_session`` of SQLAlchemy."""

    def commit(self) -> None: ...

    @property
    def begin_nested(self) -> Any: ...

    @property
    def connection(self) -> Any: ...


class DjangoConnection(Protocol):
    """``django.db.connection``, or one of ``django.db.connections``."""

    @property
    def ensure_connection(self) -> Any: ...

    @property
    def in_atomic_block(self) -> Any: ...


class Psycopg2Connection(Protocol):
    """A connection of psycopg2."""

    @property
    def get_parameter_status(self) -> Any: ...

    @property
    def set_isolation_level(self) -> Any: ...


AsyncCallersConnection: TypeAlias = AsyncConnection[Any] | AsyncpgConnection | AsyncSQLAlchemy
CallersConnection: TypeAlias = (
    Connection[Any] | SQLAlchemyConnection | SQLAlchemySession | DjangoConnection | Psycopg2Connection
)
AsyncCallersPool: TypeAlias = AsyncConnectionPool[Any] | AsyncpgPool
CallersPool: TypeAlias = ConnectionPool[Any]
