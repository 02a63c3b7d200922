"""Statements over Django's connection, within its atomic blocks.

Outside of ``atomic()`` Django's connections are in autocommit mode, and each call commits by itself. Inside, each
statement has a savepoint, so that an error which the caller catches leaves the block as it was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from django.db import Error, transaction
from django.db.transaction import TransactionManagementError

from pgboss.core.query import Rows, Statement
from pgboss.core.sqlstate import IN_FAILED_TRANSACTION
from pgboss.drivers.errors import database_error
from pgboss.drivers.runner import Session
from pgboss.errors import ConfigurationError, DatabaseUnavailableError

__all__ = ["DjangoSession"]


class DjangoSession:
    """Statements over a ``DatabaseWrapper`` of Django's, or the stand-in for one that ``django.db.connection`` is.

    Args:
        wrapper: Django's connection.
        over_driver: makes a session over the driver's own connection, given also what the caller gave.

    Raises:
        ConfigurationError: its database is no PostgreSQL.
        DatabaseError: it could not connect, or its atomic block is broken.
    """

    def __init__(self, wrapper: Any, over_driver: Callable[[object, object], Session]) -> None:
        if wrapper.vendor != "postgresql":
            raise ConfigurationError(
                f"connection= takes Django's connections to PostgreSQL; {wrapper.alias!r} is one to {wrapper.vendor}. "
                'Give it django.db.connections["the other alias"].'
            )
        self._wrapper = wrapper
        with _translated():
            wrapper.validate_thread_sharing()
            wrapper.ensure_connection()
        self._session = over_driver(wrapper.connection, wrapper)

    def execute(self, statement: Statement) -> Rows:
        try:
            if not self._wrapper.in_atomic_block:
                return self._session.execute(statement)
            with _translated(), transaction.atomic(using=self._wrapper.alias):
                self._wrapper.validate_no_broken_transaction()
                return self._session.execute(statement)
        except DatabaseUnavailableError:
            # So that Django looks at the connection before it uses it again.
            self._wrapper.errors_occurred = True
            raise

    def atomic(self) -> AbstractContextManager[None]:
        return self._atomic() if self._wrapper.in_atomic_block else self._session.atomic()

    @contextmanager
    def _atomic(self) -> Iterator[None]:
        """What an operation has done goes as a whole when the caller catches its error."""
        with _translated(), transaction.atomic(using=self._wrapper.alias):
            yield


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except TransactionManagementError as error:
        raise database_error(str(error), sqlstate=IN_FAILED_TRANSACTION) from error
    except Error as error:
        cause: Any = error.__cause__
        sqlstate = getattr(cause, "sqlstate", None) or getattr(cause, "pgcode", None)
        lost = sqlstate is None and type(error).__name__ in {"OperationalError", "InterfaceError"}
        raise database_error(str(error).strip(), sqlstate=sqlstate, lost=lost) from error
