"""Making the tables that are ours when they are first needed."""

from __future__ import annotations

from pgboss.core.names import Lock, SchemaName
from pgboss.core.query import Query, Steps
from pgboss.sql import locks

__all__ = ["make_sure_of"]


def make_sure_of(schema: SchemaName, is_there: Query, *create: Query) -> Steps[None]:
    """Make a table, with what belongs to it, unless it is there: in the transaction of whoever needs it."""
    if (yield is_there).scalar():
        return
    database: str = (yield locks.current_database()).scalar()
    # Two who create a table at the same moment would be in each other's way, IF NOT EXISTS or not.
    yield locks.take(schema.lock_key(database, Lock.INSTALL))
    if (yield is_there).scalar():
        return
    for statement in create:  # noqa: UP028  a tuple cannot be sent rows
        yield statement
