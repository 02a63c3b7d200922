"""Storing warnings, reading them, and removing old ones."""

from __future__ import annotations

from pgboss.core.checks import as_uuid, check_integer, filled_text
from pgboss.core.events import WarningEvent
from pgboss.core.names import SchemaName
from pgboss.core.query import Steps
from pgboss.core.warnings import StoredWarning
from pgboss.core.wire import dumps, loads
from pgboss.errors import ValidationError
from pgboss.sql import warnings as sql
from pgboss.sql.walk import WALK_BATCH

__all__ = ["delete_old", "get_warnings", "store"]

MAX_LISTED = 100_000


def store(schema: SchemaName, warning: WarningEvent) -> Steps[None]:
    """Store one warning."""
    yield sql.store(schema, warning.type, warning.message, dumps(dict(warning.data), what="warning data"))


def get_warnings(
    schema: SchemaName, type: str | None, *, limit: int, before: StoredWarning | None
) -> Steps[list[StoredWarning]]:
    """Stored warnings, newest first."""
    if type is not None:
        filled_text("type", type)
    check_integer("limit", limit, 1, MAX_LISTED)
    if before is not None and not isinstance(before, StoredWarning):
        raise ValidationError(f"before must be a StoredWarning, not {before!r}.")
    last = None if before is None else (before.created_on, as_uuid("before", before.id))
    rows = yield sql.find(schema, type, limit, last)
    return [StoredWarning(**(row | {"data": loads(row["data"])})) for row in rows]


def delete_old(schema: SchemaName, days: int) -> Steps[bool]:
    """Delete a batch of the warnings older than so many days; whether it was the last one."""
    return bool((yield sql.delete_old(schema, days)).scalar() < WALK_BATCH)
