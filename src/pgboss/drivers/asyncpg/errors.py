"""asyncpg's exceptions in our words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import asyncpg

from pgboss.drivers.errors import database_error
from pgboss.errors import DatabaseError

__all__ = ["is_lost", "translated"]

_BAD_PARAMETER = "22000"


@contextmanager
def translated(connection: Any = None, where: str = "") -> Iterator[None]:
    """Raise what asyncpg raises as ours; ``connection`` is asked whether it is lost."""
    try:
        yield
    except asyncpg.InternalClientError as error:
        # asyncpg lost count of what its connection is at, as when that breaks between two steps of a statement.
        if connection is not None:
            with suppress(asyncpg.InterfaceError):
                connection.terminate()
        raise database_error(str(error), lost=True, where=where) from error
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
        raise _ours(error, connection, where) from error


def _ours(error: Exception, connection: Any, where: str) -> DatabaseError:
    if isinstance(error, asyncpg.PostgresError):
        return database_error(
            str(error), sqlstate=error.sqlstate, constraint=getattr(error, "constraint_name", None), where=where
        )
    # A connection that broke raises OSError, or InterfaceError from the next call on.
    lost = isinstance(error, OSError) or (connection is not None and is_lost(connection))
    # What asyncpg itself will not encode has no code of the server's.
    sqlstate = _BAD_PARAMETER if isinstance(error, asyncpg.DataError) else None
    return database_error(str(error) or type(error).__name__, sqlstate=sqlstate, lost=lost, where=where)


def is_lost(connection: Any) -> bool:
    try:
        return bool(connection.is_closed())
    except asyncpg.InterfaceError:
        # A pool takes a broken connection back by itself; then what the caller holds answers to nothing.
        return True
