"""Putting a schema on the clock of a test, moving that, and giving the schema its real time back."""

from __future__ import annotations

from datetime import datetime

from pgboss.core.names import SchemaName
from pgboss.core.query import Query, Rows, Steps, atomic
from pgboss.core.sqlstate import UNDEFINED_TABLE
from pgboss.errors import DatabaseError, SchemaError
from pgboss.schema.texts import managed_functions
from pgboss.sql import clock as sql

__all__ = ["attach", "move", "release"]


def attach(schema: SchemaName, now: datetime) -> Steps[str | None]:
    """Let sessions that ask for it read this time; whatever another test clock has left is taken over.

    Returns:
        The statement that undoes it; ``None`` when a test clock was there already.
    """
    if not schema.has("job_now()"):
        raise SchemaError("A test clock needs a schema of version 42 or later, whose time is job_now().")
    stored = (yield sql.stored_function(schema)).first()
    yield _replace(schema, now)
    return None if stored is None or stored["is_test_clock"] else stored["definition"]


@atomic
def _replace(schema: SchemaName, now: datetime) -> Steps[Rows]:
    yield sql.drop_table(schema)
    yield sql.create_table(schema)
    yield sql.replace_function(schema)
    return (yield sql.start(schema, now))


def move(schema: SchemaName, now: datetime) -> Steps[None]:
    """Move the time. Where somebody has restored the real one meanwhile, the schema is put on this clock again."""
    try:
        yield sql.move(schema, now)
    except DatabaseError as error:
        if error.sqlstate != UNDEFINED_TABLE:
            raise
        yield _replace(schema, now)


@atomic
def release(schema: SchemaName, definition: str | None = None) -> Steps[None]:
    """Give everybody the real time back: by the statement that :func:`attach` has returned, or as we install it."""
    yield Query(definition or managed_functions(schema, "job_now"))
    yield sql.drop_table(schema)
