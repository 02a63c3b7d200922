"""Tables beside pg-boss's, which are ours and named ``py_…``: each is made when it is first needed."""

from __future__ import annotations

from pgboss.core.names import SchemaName
from pgboss.core.query import Query

__all__ = ["exists"]


def exists(schema: SchemaName, table: str) -> Query:
    """Whether it has been made."""
    return Query("SELECT to_regclass($1::text) IS NOT NULL", (schema.table(table),))
