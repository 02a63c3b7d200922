"""Recording who did what, and reading it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pgboss.core.names import SchemaName
from pgboss.core.query import Steps, atomic
from pgboss.core.sqlstate import UNDEFINED_TABLE
from pgboss.core.wire import dumps
from pgboss.errors import DatabaseError, SchemaError
from pgboss.operations.own_tables import make_sure_of
from pgboss.sql import audit as sql
from pgboss.sql import own_tables

__all__ = ["AuditEntry", "get_audit", "prepare", "record"]


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One action.

    Attributes:
        done_on: when, by the database's clock.
        who: the name behind the credential.
        action: a verb of the client.
        what: to what and how.
    """

    id: int
    done_on: datetime
    who: str
    action: str
    what: Mapping[str, Any]


@atomic
def prepare(schema: SchemaName) -> Steps[None]:
    """Make the table when it is missing, and the trigger that keeps its entries, which it may have been made without.

    Not in the transaction of an action: that one has locked rows by then, and would wait for the lock on all making of
    tables while others wait for its rows.
    """
    made = (sql.create_table(schema), sql.create_function(schema), sql.keep(schema))
    yield from make_sure_of(schema, sql.is_kept(schema), *made)


def record(schema: SchemaName, *, who: str, action: str, what: Mapping[str, Any]) -> Steps[None]:
    """Add an entry to the table.

    Raises:
        SchemaError: somebody has removed the table since it was prepared.
    """
    try:
        yield sql.record(schema, who=who, action=action, what_json=dumps(dict(what), what="what was done"))
    except DatabaseError as error:
        if error.sqlstate == UNDEFINED_TABLE:
            raise SchemaError(
                f"The table {sql.TABLE}, which records who did what, has been removed. Nothing was changed. "
                "Do it again: the table is made anew."
            ) from error
        raise


def get_audit(
    schema: SchemaName, *, before: int | None = None, since: datetime | None = None, limit: int = 100
) -> Steps[list[AuditEntry]]:
    """What was done, the newest first."""
    if not (yield own_tables.exists(schema, sql.TABLE)).scalar():
        return []
    rows = yield sql.entries(schema, before=before, since=since, limit=limit)
    return [AuditEntry(**row) for row in rows]
