"""Statements that follow jobs to others: to those they wait for, and to those they were made from."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from pgboss.core.job import glance_columns
from pgboss.core.names import SchemaName
from pgboss.core.query import Query

__all__ = ["edges", "glances", "history", "letters"]


def glances(schema: SchemaName, names: Sequence[str], ids: Sequence[UUID]) -> Query:
    """Jobs by queue and id, as far as they are still there."""
    # Each by its primary key: a join might be planned as a walk over all jobs, but not into a subquery with a limit.
    return Query(
        f"""
        SELECT {glance_columns(schema, "j")}
          FROM unnest($1::text[], $2::uuid[]) AS w(name, id)
         CROSS JOIN LATERAL (
               SELECT j.* FROM {schema.table("job")} j WHERE j.name = w.name AND j.id = w.id LIMIT 1) j
        """,
        (list(names), list(ids)),
    )


def history(schema: SchemaName, root_id: UUID, limit: int) -> Query:
    """The dead letters and redriven jobs that go back to one job, the oldest first."""
    return Query(
        f"""
        SELECT {glance_columns(schema, "j")}
          FROM {schema.table("job")} j
         WHERE j.source_root_id = $1::uuid
         ORDER BY j.created_on, j.id
         LIMIT $2::int
        """,
        (root_id, limit),
    )


def letters(schema: SchemaName, ids: Sequence[UUID], root_ids: Sequence[UUID]) -> Query:
    """The waiting dead letters of failed jobs, by queue and id; of each job also its root, by which they are found."""
    return Query(
        f"""
        SELECT j.name, j.id
          FROM unnest($1::uuid[], $2::uuid[]) AS w(id, root_id)
         CROSS JOIN LATERAL (
               SELECT j.name, j.id
                 FROM {schema.table("job")} j
                WHERE j.source_root_id = w.root_id AND (j.source_id = w.id) IS TRUE AND (j.state < 'active') IS TRUE
                LIMIT 1) j
        """,
        (list(ids), list(root_ids)),
    )


def edges(schema: SchemaName, names: Sequence[str], ids: Sequence[UUID], limit: int) -> Query:
    """Who waits for whom, or has waited, of these jobs in either place: at most so many of each job, and in all."""
    dependency = schema.table("job_dependency")
    pair = "d.parent_name, d.parent_id, d.child_name, d.child_id"
    return Query(
        f"""
        SELECT {pair}
          FROM unnest($1::text[], $2::uuid[]) AS w(name, id)
         CROSS JOIN LATERAL (
               (SELECT {pair} FROM {dependency} d WHERE d.child_name = w.name AND d.child_id = w.id LIMIT $3::int)
               UNION ALL
               (SELECT {pair} FROM {dependency} d WHERE d.parent_name = w.name AND d.parent_id = w.id LIMIT $3::int)
               ) d
         LIMIT $3::int
        """,
        (list(names), list(ids), limit),
    )
