"""What surrounds the copying of jobs into their table: the queue's row before it, and the notification after it."""

from __future__ import annotations

from collections.abc import Sequence

from pgboss.core.names import SchemaName
from pgboss.core.query import Query
from pgboss.sql.insert import FROM_QUEUE

__all__ = ["announce", "settings"]


def settings(schema: SchemaName, name: str, dead_letters: Sequence[str]) -> Query:
    """What a queue's row says of its new jobs, the time, how we write text, and which dead letter queues are ``lost``.

    No row when there is no such queue.
    """
    queue = schema.table("queue")
    return Query(
        f"""
        SELECT {", ".join(f"q.{column}" for column in FROM_QUEUE)}, q.retention_seconds, q.policy, q.notify,
               q.table_name, {schema.now} AS now, pg_client_encoding()::text AS encoding,
               ARRAY(
                   SELECT d.name FROM unnest($2::text[]) d (name)
                    WHERE NOT EXISTS (SELECT FROM {queue} o WHERE o.name = d.name)
               ) AS lost
          FROM {queue} q
         WHERE q.name = $1::text
        """,
        (name, list(dead_letters)),
    )


def announce(schema: SchemaName, name: str) -> Query:
    """Notify the listeners of a queue when this transaction commits."""
    return Query("SELECT pg_notify($1::text, $2::text)", (schema.channel, name))
