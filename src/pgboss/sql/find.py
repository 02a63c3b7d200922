"""Statements that read jobs without changing them."""

from __future__ import annotations

from uuid import UUID

from pgboss.core.job import detail_columns
from pgboss.core.names import SchemaName
from pgboss.core.query import Query


def find(
    schema: SchemaName,
    name: str,
    *,
    id: UUID | None,
    key: str | None,
    data_json: str | None,
    queued: bool,
    after: UUID | None,
    limit: int,
) -> Query:
    """Jobs of one queue that match every given filter, oldest first; ``after`` continues behind that job."""
    return Query(
        f"""
        SELECT {detail_columns("j")}
          FROM {schema.table("job")} j
         WHERE j.name = $1::text
           AND ($2::uuid IS NULL OR j.id = $2::uuid)
           AND ($3::text IS NULL OR j.singleton_key = $3::text)
           AND ($4::jsonb IS NULL OR j.data @> $4::jsonb)
           {"AND j.state < 'active'" if queued else ""}
           AND ($5::uuid IS NULL OR (j.created_on, j.id) > (
               SELECT p.created_on, p.id FROM {schema.table("job")} p WHERE p.name = $1::text AND p.id = $5::uuid))
         ORDER BY j.created_on, j.id
         LIMIT $6::int
        """,
        (name, id, key, data_json, after, limit),
    )


def find_anywhere(schema: SchemaName, id: UUID) -> Query:
    """A job by its id alone, in whatever queue it is: one index probe a queue, for people rather than loops."""
    return Query(
        f"""
        SELECT {detail_columns("j")}
          FROM {schema.table("queue")} q JOIN {schema.table("job")} j ON j.name = q.name AND j.id = $1::uuid
        """,
        (id,),
    )
