"""Down to the driver's connection beneath SQLAlchemy's, with a transaction begun by SQLAlchemy's own rules.

SQLAlchemy commits only what it has begun itself. So its transaction is begun first where there is none: by the
session, or by ``begin()`` as its first statement would have done.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import psycopg
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError, SQLAlchemyError, UnboundExecutionError
from sqlalchemy.ext.asyncio import AsyncConnection

from pgboss.drivers.errors import database_error
from pgboss.errors import ConfigurationError

__all__ = ["async_driver_connection", "driver_connection"]


def driver_connection(given: Any) -> Any:
    """The driver's connection of a ``Connection`` or a ``Session``, within its transaction.

    Raises:
        ConfigurationError: the session does not know its database.
        DatabaseError: the connection was closed or could not be had.
    """
    with _translated():
        connection: Connection = given if isinstance(given, Connection) else given.connection()
        if not connection.in_transaction():
            connection.begin()
        return connection.connection.driver_connection


async def async_driver_connection(given: Any) -> Any:
    """The same for an ``AsyncConnection`` or an ``AsyncSession``."""
    with _translated():
        connection: AsyncConnection = given if isinstance(given, AsyncConnection) else await given.connection()
        if not connection.in_transaction():
            await connection.begin()
        raw: Any = (await connection.get_raw_connection()).driver_connection
        if connection.dialect.driver == "asyncpg" and not raw.is_in_transaction():
            # Its adapter sends BEGIN with the first statement that goes through it, and ours would go past it. In
            # autocommit mode it sends none, and each call commits by itself.
            await connection.exec_driver_sql("SELECT 1")
        return raw


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except UnboundExecutionError as error:
        raise ConfigurationError(
            f"The session does not know which database is meant ({error}). "
            "Give connection=session.connection(bind_arguments={...}) instead."
        ) from error
    except DBAPIError as error:
        cause = cast(Any, error.orig)
        sqlstate = getattr(cause, "sqlstate", None) or getattr(cause, "pgcode", None)
        lost = error.connection_invalidated or (
            sqlstate is None and isinstance(cause, psycopg.OperationalError | OSError)
        )
        raise database_error(str(cause).strip(), sqlstate=sqlstate, lost=lost) from error
    except (SQLAlchemyError, OSError) as error:
        raise database_error(str(error), lost=isinstance(error, OSError)) from error
