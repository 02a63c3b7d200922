"""psycopg's exceptions in our words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg_pool import PoolClosed, PoolTimeout, TooManyRequests

from pgboss.drivers.errors import database_error, not_started, pool_exhausted
from pgboss.errors import DatabaseError

__all__ = ["translated"]


@contextmanager
def translated(where: str = "") -> Iterator[None]:
    """Raise what psycopg raises as ours; ``where`` is the place that was to be reached."""
    try:
        yield
    except (PoolTimeout, TooManyRequests) as error:
        raise pool_exhausted(where, str(error), advice="raise PGBOSS_POOL_SIZE") from error
    except PoolClosed as error:
        raise not_started() from error
    except psycopg.Error as error:
        raise _ours(error, where) from error


def _ours(error: psycopg.Error, where: str) -> DatabaseError:
    broken = isinstance(error, psycopg.OperationalError) and error.sqlstate is None
    return database_error(
        str(error).strip(), sqlstate=error.sqlstate, constraint=error.diag.constraint_name, lost=broken, where=where
    )
