"""What every statement about the catalog's job tables has in common."""

from __future__ import annotations

from pgboss.core.names import SchemaName


def is_job_table(schema: SchemaName, name: str, wanted: str) -> str:
    """A condition: the column ``name`` is among the array ``wanted``, or where that is NULL, a job table's name.

    The shared table is there before the first queue and after the last.
    """
    named = f"SELECT q.table_name FROM {schema.table('queue')} q"
    return f"{name} = ANY(COALESCE({wanted}::text[], ARRAY({named} UNION VALUES ('job'), ('job_common'))))"
