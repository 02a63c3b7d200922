"""Statements behind the read models: what people look through, in the order they like to see it."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from pgboss.core.job import detail_columns
from pgboss.core.names import SchemaName, quote_literal
from pgboss.core.query import Query


def page_of_jobs(
    schema: SchemaName,
    name: str,
    *,
    states: Sequence[str],
    key: str | None,
    data_json: str | None,
    queued: bool,
    after: UUID | None,
    newest_first: bool,
    limit: int,
) -> Query:
    """Jobs of one queue that match every given filter; no states means all. ``after`` continues behind that job."""
    # A job that is gone cannot be continued behind: then the comparison is with NULL, and there is no page.
    beyond, direction = ("<", "DESC") if newest_first else (">", "ASC")
    return Query(
        f"""
        SELECT {detail_columns(schema, "j")}
          FROM {schema.table("job")} j
         WHERE j.name = $1::text
           {_in_states(states)}
           {"AND j.state < 'active'" if queued else ""}
           AND ($2::text IS NULL OR j.singleton_key = $2::text)
           AND ($3::jsonb IS NULL OR j.data @> $3::jsonb)
           AND ($4::uuid IS NULL OR (j.created_on, j.id) {beyond} (
               SELECT p.created_on, p.id FROM {schema.table("job")} p WHERE p.name = $1::text AND p.id = $4::uuid))
         ORDER BY j.created_on {direction}, j.id {direction}
         LIMIT $5::int
        """,
        (name, key, data_json, after, limit),
    )


def current_time(schema: SchemaName) -> Query:
    """The time by the database's clock, against which ages are told."""
    return Query(f"SELECT {schema.now}")


def _in_states(states: Sequence[str]) -> str:
    # States stay literal, here as everywhere; the caller has checked that they are states.
    return f"AND j.state IN ({', '.join(quote_literal(state) for state in states)})" if states else ""
