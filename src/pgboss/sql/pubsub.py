"""Statements about who wants to hear of an event."""

from __future__ import annotations

from pgboss.core.names import SchemaName
from pgboss.core.query import Query


def subscribe(schema: SchemaName, event: str, name: str) -> Query:
    """Let a queue get a job whenever the event is published."""
    return Query(
        f"""
        INSERT INTO {schema.table("subscription")} AS s (event, name, created_on, updated_on)
        VALUES ($1::text, $2::text, {schema.now}, {schema.now})
        ON CONFLICT (event, name) DO UPDATE SET updated_on = EXCLUDED.updated_on
        """,
        (event, name),
        guarded=True,
    )


def unsubscribe(schema: SchemaName, event: str, name: str) -> Query:
    """Let a queue no longer hear of an event."""
    return Query(
        f"DELETE FROM {schema.table('subscription')} WHERE event = $1::text AND name = $2::text", (event, name)
    )


def subscribers(schema: SchemaName, event: str) -> Query:
    """The queues that an event goes to, held against deletion until the transaction ends, and their policies."""
    return Query(
        f"""
        SELECT q.name, q.policy
          FROM {schema.table("subscription")} s JOIN {schema.table("queue")} q ON q.name = s.name
         WHERE s.event = $1::text
         ORDER BY q.name
           FOR KEY SHARE OF q
        """,
        (event,),
    )


def find(schema: SchemaName, event: str | None, name: str | None, after: tuple[str, str] | None, limit: int) -> Query:
    """Who hears of what, in the order of event and queue; ``after`` continues behind that pair."""
    after_event, after_name = after or (None, None)
    return Query(
        f"""
        SELECT event, name, created_on
          FROM {schema.table("subscription")}
         WHERE ($1::text IS NULL OR event = $1::text)
           AND ($2::text IS NULL OR name = $2::text)
           AND ($3::text IS NULL OR (event, name) > ($3::text, $4::text))
         ORDER BY event, name
         LIMIT $5::int
        """,
        (event, name, after_event, after_name, limit),
    )
