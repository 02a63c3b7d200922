"""Statements over psycopg2, which Django and SQLAlchemy may have beneath them.

psycopg2 writes values into the text and reads answers as text, by rules that anybody may change for the connection or
the whole process. So values go as text of ours, and answers are read by casters of our cursor's own.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from io import BytesIO
from typing import Any
from uuid import UUID

import psycopg2
from psycopg2 import extensions

from pgboss.core.query import Copy, Query, Rows, Statement
from pgboss.drivers.errors import database_error
from pgboss.drivers.savepoints import RELEASE, ROLLBACK, SAVEPOINT, is_guarded
from pgboss.drivers.statements import as_literal, to_pyformat
from pgboss.errors import DatabaseError

__all__ = ["Psycopg2Session", "translated"]


class Psycopg2Session:
    """Statements over a ``psycopg2`` connection."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def execute(self, statement: Statement) -> Rows:
        if is_guarded(statement) and not self._commits_each():
            return self._execute_in_savepoint(statement)
        return self._execute(statement)

    def _commits_each(self) -> bool:
        """Whether the next statement is a transaction of its own."""
        return bool(self._connection.autocommit and self._is_idle())

    def _is_idle(self) -> bool:
        return bool(self._connection.info.transaction_status == extensions.TRANSACTION_STATUS_IDLE)

    def _execute_in_savepoint(self, statement: Statement) -> Rows:
        self._command(SAVEPOINT)
        try:
            rows = self._execute(statement)
        except DatabaseError:
            self._command(ROLLBACK)
            raise
        self._command(RELEASE)
        return rows

    def _execute(self, statement: Statement) -> Rows:
        if isinstance(statement, Copy):
            return self._copy(statement)
        with translated(), self._dates_in_iso(), self._cursor() as cursor:
            if isinstance(statement, Query) and statement.parameters:
                values = {f"p{number}": as_literal(value) for number, value in enumerate(statement.parameters, 1)}
                cursor.execute(to_pyformat(statement.sql), values)
            else:
                cursor.execute(statement.sql)
            rows = cursor.fetchall() if cursor.description else []
            return Rows(tuple(column.name for column in cursor.description or ()), rows, cursor.rowcount)

    def _copy(self, statement: Copy) -> Rows:
        with translated(), self._cursor() as cursor:
            cursor.copy_expert(statement.sql, BytesIO(b"".join(statement.blocks)))
            return Rows(affected=cursor.rowcount)

    def _cursor(self) -> Any:
        # The plain class: the connection's own may give dictionaries, or log, or be on the server.
        cursor = self._connection.cursor(cursor_factory=extensions.cursor)
        for caster in _CASTERS:
            extensions.register_type(caster, cursor)
        return cursor

    @contextmanager
    def _dates_in_iso(self) -> Iterator[None]:
        """Times of the answer in ISO form; what the caller has set comes back."""
        style = self._connection.get_parameter_status("DateStyle") or "ISO"
        if style.startswith("ISO"):
            yield
            return
        self._command("SET datestyle = 'ISO'")
        try:
            yield
        finally:
            # After an error the rollback sets it back: the caller's, or the one to the savepoint.
            if self._connection.info.transaction_status != extensions.TRANSACTION_STATUS_INERROR:
                self._command(f"SET datestyle = '{style}'")

    @contextmanager
    def atomic(self) -> Iterator[None]:
        if not self._commits_each():
            yield
            return
        self._command("BEGIN")
        try:
            yield
        except BaseException:
            # On a connection that is lost nothing is left to roll back, and why the block ended matters more.
            with suppress(DatabaseError):
                self._command("ROLLBACK")
            raise
        self._command("COMMIT")

    def _command(self, text: str) -> None:
        with translated(), self._connection.cursor(cursor_factory=extensions.cursor) as cursor:
            cursor.execute(text)


@contextmanager
def translated() -> Iterator[None]:
    """Raise what psycopg2 raises as ours."""
    try:
        yield
    except psycopg2.Error as error:
        # Without a code it is the connection: closed, refused or broken.
        lost = error.pgcode is None and isinstance(error, psycopg2.OperationalError | psycopg2.InterfaceError)
        constraint = error.diag.constraint_name
        raise database_error(str(error).strip(), sqlstate=error.pgcode, constraint=constraint, lost=lost) from error
    except (ValueError, UnicodeError) as error:
        # U+0000, and characters that the connection's encoding does not have.
        raise database_error(str(error), sqlstate="22021") from error


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def _caster(name: str, oid: int, read: Any) -> Any:
    return extensions.new_type((oid,), name, lambda text, _cursor: None if text is None else read(text))


def _casters() -> Iterator[Any]:
    plain = [
        (extensions.BOOLEAN, 1000),
        (extensions.INTEGER, 1005),
        (extensions.INTEGER, 1007),
        (extensions.INTEGER, 1016),
        (extensions.FLOAT, 1022),
        (extensions.UNICODE, 1009),
    ]
    yield from (extensions.BOOLEAN, extensions.INTEGER, extensions.LONGINTEGER, extensions.FLOAT, extensions.UNICODE)
    yield from (extensions.DECIMAL, extensions.PYINTERVAL, extensions.PYDATE, extensions.PYDATETIME)
    for element, array in plain:
        yield extensions.new_array_type((array,), f"pgboss_{array}", element)
    ours = (("uuid", 2950, 2951, UUID), ("timestamptz", 1184, 1185, _time), ("json", 114, 199, json.loads))
    for name, oid, array, read in (*ours, ("jsonb", 3802, 3807, json.loads)):
        element = _caster(f"pgboss_{name}", oid, read)
        yield element
        yield extensions.new_array_type((array,), f"pgboss_{name}s", element)


_CASTERS = tuple(_casters())
