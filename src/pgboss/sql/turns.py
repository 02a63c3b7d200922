"""Turns that all instances of a schema share, Node's too: whoever moves a timestamp of ``version`` has this one."""

from __future__ import annotations

from typing import Literal

from pgboss.core.names import SchemaName
from pgboss.core.query import Query


def take(schema: SchemaName, column: Literal["bam_on", "reindex_on"], interval_seconds: float) -> Query:
    """Take the turn; no row when the last one is younger than the interval."""
    return Query(
        f"""
        UPDATE {schema.table("version")}
           SET {column} = {schema.now}
         WHERE extract(epoch FROM {schema.now} - COALESCE({column}, {schema.now} - interval '1 week')) >= $1::float8
        RETURNING true AS taken
        """,
        (interval_seconds,),
    )
