"""psycopg's exceptions in our words."""

from __future__ import annotations

from types import TracebackType

import psycopg
from psycopg_pool import PoolClosed, PoolTimeout, TooManyRequests

from pgboss.drivers.errors import database_error, not_started, pool_exhausted
from pgboss.errors import DatabaseError

__all__ = ["translated"]


class translated:  # noqa: N801  it reads like a function
    """Raise what psycopg raises in the block as ours; ``where`` is the place that was to be reached."""

    __slots__ = ("_where",)

    def __init__(self, where: str = "") -> None:
        self._where = where

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if isinstance(error, PoolTimeout | TooManyRequests):
            raise pool_exhausted(self._where, str(error), advice="raise PGBOSS_POOL_SIZE") from error
        if isinstance(error, PoolClosed):
            raise not_started() from error
        if isinstance(error, psycopg.Error):
            raise _ours(error, self._where) from error


def _ours(error: psycopg.Error, where: str) -> DatabaseError:
    broken = isinstance(error, psycopg.OperationalError) and error.sqlstate is None
    return database_error(
        str(error).strip(), sqlstate=error.sqlstate, constraint=error.diag.constraint_name, lost=broken, where=where
    )
