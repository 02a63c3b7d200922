"""psycopg's exceptions in our words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg_pool import PoolClosed, PoolTimeout, TooManyRequests

from pgboss.errors import DatabaseError, DatabaseUnavailableError, StoppedError

__all__ = ["not_started", "translated"]

# Connection exceptions, the server shutting down or starting up, and refused logins.
_UNAVAILABLE = ("08", "57P", "28", "53300")


@contextmanager
def translated(where: str = "") -> Iterator[None]:
    """Raise what psycopg raises as ours; ``where`` is the place that was to be reached."""
    try:
        yield
    except (PoolTimeout, TooManyRequests) as error:
        raise DatabaseUnavailableError(
            f"No connection to PostgreSQL ({where}) was to be had in time: {error}. "
            "Check that the server answers; if it does, raise PGBOSS_POOL_SIZE."
        ) from error
    except PoolClosed as error:
        raise not_started() from error
    except psycopg.Error as error:
        raise _ours(error, where) from error


def not_started() -> StoppedError:
    return StoppedError("Not started, or stopped already: call start() first, or use `with`.")


def _ours(error: psycopg.Error, where: str) -> DatabaseError:
    text, sqlstate = str(error).strip(), error.sqlstate
    broken = isinstance(error, psycopg.OperationalError) and sqlstate is None
    if broken or (sqlstate or "").startswith(_UNAVAILABLE):
        reached = f"PostgreSQL ({where})" if where else "PostgreSQL"
        return DatabaseUnavailableError(f"{reached} cannot be reached: {text}", sqlstate=sqlstate)
    return DatabaseError(text, sqlstate=sqlstate, constraint=error.diag.constraint_name)
