"""Statements that read jobs without changing them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from pgboss.core.job import detail_columns, glance_columns
from pgboss.core.names import SchemaName
from pgboss.core.query import Parameter, Query


def find(
    schema: SchemaName,
    name: str,
    *,
    id: UUID | None,
    key: str | None,
    data_json: str | None,
    queued: bool,
    after: tuple[datetime, UUID] | None,
    limit: int,
) -> Query:
    """Jobs of one queue that match every given filter, oldest first; ``after`` continues behind that time and id."""
    # Only the filters that are given are in the statement: a plan made for all of them could use no index.
    parameters: list[Parameter] = [name, limit]
    filters = ["AND j.state < 'active'"] if queued else []
    for condition, value in (
        ("AND j.id = {}::uuid", id),
        ("AND j.singleton_key = {}::text", key),
        ("AND j.data @> {}::jsonb", data_json),
    ):
        if value is not None:
            parameters.append(value)
            filters.append(condition.format(f"${len(parameters)}"))
    if after is not None:
        parameters += after
        time, last = f"${len(parameters) - 1}::timestamptz", f"${len(parameters)}::uuid"
        # The first of the two conditions is the one that the index on (name, created_on) can begin at.
        filters.append(f"AND j.created_on >= {time} AND (j.created_on, j.id) > ({time}, {last})")
    wanted = "\n           ".join(["WHERE j.name = $1::text", *filters])
    return Query(
        f"""
        SELECT {detail_columns(schema, "j")}
          FROM {schema.table("job")} j
         {wanted}
         ORDER BY j.created_on, j.id
         LIMIT $2::int
        """,
        tuple(parameters),
    )


def created_on(schema: SchemaName, name: str, id: UUID) -> Query:
    """When a job was created; no row when it is gone."""
    return Query(
        f"SELECT j.created_on FROM {schema.table('job')} j WHERE j.name = $1::text AND j.id = $2::uuid", (name, id)
    )


def find_anywhere(schema: SchemaName, id: UUID) -> Query:
    """A job by its id alone, in whatever queue it is: one index probe a queue, for people rather than loops."""
    return Query(
        f"""
        SELECT {detail_columns(schema, "j")}
          FROM {schema.table("queue")} q JOIN {schema.table("job")} j ON j.name = q.name AND j.id = $1::uuid
        """,
        (id,),
    )


def queues_of(schema: SchemaName, id: UUID) -> Query:
    """The queues that hold a job of this id: one index probe a queue, for people rather than loops."""
    return Query(
        f"""
        SELECT q.name
          FROM {schema.table("queue")} q
         WHERE EXISTS (SELECT FROM {schema.table("job")} j WHERE j.name = q.name AND j.id = $1::uuid OFFSET 0)
         ORDER BY q.name
        """,
        (id,),
    )


def news(schema: SchemaName, name: str, id: UUID) -> Query:
    """A job without its payload, and in the last column its output."""
    return Query(
        f"""
        SELECT {glance_columns(schema, "j")}, j.output::text
          FROM {schema.table("job")} j
         WHERE j.name = $1::text AND j.id = $2::uuid
        """,
        (name, id),
    )


def states(schema: SchemaName, names: Sequence[str], ids: Sequence[UUID]) -> Query:
    """The states of jobs, in the order asked for; null where there is no such job (any more)."""
    # Each by its primary key: a join might be planned as a walk over all jobs.
    return Query(
        f"""
        SELECT (SELECT j.state::text FROM {schema.table("job")} j WHERE j.name = w.name AND j.id = w.id)
          FROM unnest($1::text[], $2::uuid[]) WITH ORDINALITY AS w(name, id, place)
         ORDER BY w.place
        """,
        (list(names), list(ids)),
    )
