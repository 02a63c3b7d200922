"""A session over the caller's connection, whichever library it is of.

No library is imported here: an object of one that nobody has imported cannot exist.
"""

from __future__ import annotations

import sys
from typing import Any

from pgboss.drivers.runner import AsyncSession, Session
from pgboss.errors import ConfigurationError

__all__ = ["adopt", "adopt_async"]

_ASYNC_KINDS = "psycopg.AsyncConnection, asyncpg.Connection, or SQLAlchemy's AsyncConnection or AsyncSession"
_SYNC_KINDS = "psycopg.Connection, a connection of psycopg2, SQLAlchemy's Connection or Session, or Django's connection"


async def adopt_async(connection: object) -> AsyncSession:
    """A session over the caller's connection, which is part of his transaction.

    Raises:
        ConfigurationError: it is of a kind that does not go with ``PgBoss``.
        DatabaseError: the transaction could not be begun.
    """
    if _is_a(connection, "sqlalchemy.ext.asyncio", "AsyncConnection", "AsyncSession", "async_scoped_session"):
        from pgboss.drivers.sqlalchemy import async_driver_connection

        return over_async_driver(await async_driver_connection(connection), connection)
    return over_async_driver(connection, connection)


def adopt(connection: object) -> Session:
    """The same for the sync kinds and ``SyncPgBoss``."""
    if _is_django(connection):
        from pgboss.drivers.django import DjangoSession

        return DjangoSession(connection, over_driver)
    if _is_a(connection, "sqlalchemy.orm", "Session", "scoped_session") or _is_a(
        connection, "sqlalchemy", "Connection"
    ):
        from pgboss.drivers.sqlalchemy import driver_connection

        return over_driver(driver_connection(connection), connection)
    return over_driver(connection, connection)


def over_async_driver(raw: object, given: object) -> AsyncSession:
    """A session over a driver's own connection; ``given`` is what the caller gave, for the refusal."""
    if _is_a(raw, "psycopg", "AsyncConnection"):
        from pgboss.drivers.psycopg.sessions import AsyncPsycopgSession

        return AsyncPsycopgSession(_any(raw))
    if _is_a(raw, "asyncpg", "Connection") or _is_a(raw, "asyncpg.pool", "PoolConnectionProxy"):
        from pgboss.drivers.asyncpg.sessions import AsyncpgSession

        return AsyncpgSession(raw)
    raise _refused(given, raw, _ASYNC_KINDS, elsewhere="SyncPgBoss" if _is_sync(given) else None)


def over_driver(raw: object, given: object) -> Session:
    """The same for sync drivers."""
    if _is_a(raw, "psycopg", "Connection"):
        from pgboss.drivers.psycopg.sessions import PsycopgSession

        return PsycopgSession(_any(raw))
    if _is_a(raw, "psycopg2.extensions", "connection"):
        from pgboss.drivers.psycopg2 import Psycopg2Session

        return Psycopg2Session(raw)
    raise _refused(given, raw, _SYNC_KINDS, elsewhere="PgBoss" if _is_async(given) else None)


def _is_a(value: object, module: str, *names: str) -> bool:
    loaded = sys.modules.get(module)
    return loaded is not None and isinstance(value, tuple(getattr(loaded, name) for name in names))


def _is_django(connection: object) -> bool:
    # django.db.connection stands for the wrapper of whichever thread asks.
    return _is_a(connection, "django.utils.connection", "ConnectionProxy") or _is_a(
        connection, "django.db.backends.base.base", "BaseDatabaseWrapper"
    )


def _is_sync(connection: object) -> bool:
    return (
        _is_django(connection)
        or _is_a(connection, "psycopg", "Connection")
        or _is_a(connection, "psycopg2.extensions", "connection")
        or _is_a(connection, "sqlalchemy", "Connection")
        or _is_a(connection, "sqlalchemy.orm", "Session", "scoped_session")
    )


def _is_async(connection: object) -> bool:
    return (
        _is_a(connection, "psycopg", "AsyncConnection")
        or _is_a(connection, "asyncpg", "Connection")
        or _is_a(connection, "asyncpg.pool", "PoolConnectionProxy")
        or _is_a(connection, "sqlalchemy.ext.asyncio", "AsyncConnection", "AsyncSession", "async_scoped_session")
    )


def _refused(given: object, raw: object, kinds: str, *, elsewhere: str | None) -> ConfigurationError:
    kind = _name(given) if raw is given else f"{_name(given)} over {_name(raw)}"
    advice = f" This one goes with {elsewhere}." if elsewhere else ""
    return ConfigurationError(f"connection= takes {kinds} here, not {kind}.{advice}")


def _name(value: object) -> str:
    kind = type(value)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def _any(value: object) -> Any:
    return value
