"""Tables beside pg-boss's, which are ours and named ``py_…``: each is made when it is first needed."""

from __future__ import annotations

from pgboss.core.names import SchemaName
from pgboss.core.query import Query

__all__ = ["exists"]


def exists(schema: SchemaName, table: str) -> Query:
    """Whether it has been made."""
    # to_regclass() may answer from a cache, which has not heard of what another has made while we waited for a lock.
    return Query(
        """
        SELECT EXISTS (SELECT FROM pg_catalog.pg_class c
                         JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
                        WHERE n.nspname = $1::text AND c.relname = $2::text)
        """,
        (schema.catalog_name, table),
    )
