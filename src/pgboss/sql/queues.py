"""Statements about queues: reading their rows, creating, changing and deleting them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pgboss.core.names import SchemaName
from pgboss.core.query import Parameter, Query
from pgboss.core.queue import queue_columns
from pgboss.core.wire import dumps

# What update_queue may change: the option's name on the wire, its column, the column's type.
_CHANGEABLE = {
    "retryLimit": ("retry_limit", "int"),
    "retryDelay": ("retry_delay", "int"),
    "retryBackoff": ("retry_backoff", "bool"),
    "retryDelayMax": ("retry_delay_max", "int"),
    "expireInSeconds": ("expire_seconds", "int"),
    "retentionSeconds": ("retention_seconds", "int"),
    "deleteAfterSeconds": ("deletion_seconds", "int"),
    "warningQueueSize": ("warning_queued", "int"),
    "deadLetter": ("dead_letter", "text"),
    "heartbeatSeconds": ("heartbeat_seconds", "int"),
    "notify": ("notify", "bool"),
}


def find_reference(schema: SchemaName, name: str) -> Query:
    """The columns of a ``QueueRef``; no row when there is no such queue."""
    return Query(
        f"""
        SELECT table_name, policy, notify
          FROM {schema.table("queue")}
         WHERE name = $1::text
        """,
        (name,),
    )


def find(
    schema: SchemaName, names: Sequence[str] | None, *, after: str | None = None, limit: int | None = None
) -> Query:
    """Queues by name, or all, in name order; ``after`` continues behind that name."""
    return Query(
        f"""
        SELECT {queue_columns(schema, "q")}
          FROM {schema.table("queue")} q
         WHERE ($1::text[] IS NULL OR q.name = ANY($1::text[]))
           AND ($2::text IS NULL OR q.name > $2::text)
         ORDER BY q.name
         LIMIT $3::int
        """,
        (None if names is None else list(names), after, limit),
    )


def create(schema: SchemaName, name: str, options: Mapping[str, object]) -> Query:
    """Create a queue, with its partition if asked; an existing queue is left as it is."""
    return Query(
        f"SELECT {schema.table('create_queue')}($1::text, $2::jsonb)",
        (name, dumps(dict(options), what="queue options")),
        guarded=True,
    )


def update(schema: SchemaName, name: str, options: Mapping[str, Parameter]) -> Query:
    """Change the given options, by their wire names; returns the queue's name when there is such a queue."""
    changes = [
        f"{column} = ${position}::{kind}"
        for position, (column, kind) in enumerate((_CHANGEABLE[option] for option in options), start=2)
    ]
    return Query(
        f"""
        UPDATE {schema.table("queue")}
           SET {", ".join(changes)}, updated_on = {schema.now}
         WHERE name = $1::text
        RETURNING name
        """,
        (name, *options.values()),
        guarded=True,
    )


def delete(schema: SchemaName, name: str) -> Query:
    """Delete a queue, its jobs, its schedules and its subscriptions."""
    return Query(f"SELECT {schema.table('delete_queue')}($1::text)", (name,), guarded=True)


def lock_to_drop(schema: SchemaName, table_name: str) -> Query:
    """Lock all that dropping a queue's own table locks, before it does so in an order that may end in a deadlock.

    Beside the table and its parent that is the default partition, whose rows it may admit from then on, and the table
    that its foreign keys point to.
    """
    tables = ", ".join(schema.table(name) for name in ("queue", "job_common", table_name, "job"))
    return Query(f"LOCK TABLE {tables} IN ACCESS EXCLUSIVE MODE", guarded=True)


def forget_index_builds(schema: SchemaName, table_name: str) -> Query:
    """Remove what is queued of index builds on a table that goes: they could only fail."""
    return Query(
        f"DELETE FROM {schema.table('bam')} WHERE table_name = $1::text AND status <> 'completed'", (table_name,)
    )


def pause(seconds: float) -> Query:
    """Let others go on for a while."""
    return Query("SELECT pg_sleep($1::float8)", (seconds,))


def dead_letter_users(schema: SchemaName, name: str) -> Query:
    """Another queue, or another queue's job, that names this one as its dead letter queue."""
    return Query(
        f"""
        SELECT (SELECT q.name FROM {schema.table("queue")} q WHERE q.dead_letter = $1::text LIMIT 1) AS queue,
               (SELECT j.name FROM {schema.table("job")} j
                 WHERE j.dead_letter = $1::text AND j.name <> $1::text LIMIT 1) AS job_queue
        """,
        (name,),
    )


def live_counts(schema: SchemaName, names: Sequence[str] | None) -> Query:
    """How many jobs of each state each queue holds right now; queues without jobs have no row."""
    return Query(
        f"""
        SELECT name, state::text AS state, count(*)::int AS jobs
          FROM {schema.table("job")}
         WHERE $1::text[] IS NULL OR name = ANY($1::text[])
         GROUP BY name, state
        """,
        (None if names is None else list(names),),
    )
