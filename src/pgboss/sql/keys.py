"""Statements about the keys of ordered queues."""

from __future__ import annotations

from pgboss.core.query import Query
from pgboss.core.queue import QueueRef


def blocked(queue: QueueRef, after: str | None, limit: int) -> Query:
    """The keys that a failed job holds, in order; ``after`` continues behind that key.

    The unique index of ordered queues leaves at most one such job a key.
    """
    beyond = "" if after is None else "AND j.singleton_key > $3::text"
    return Query(
        f"""
        SELECT j.singleton_key
          FROM {queue.table} j
         WHERE j.name = $1::text AND j.state = 'failed' AND j.policy = 'key_strict_fifo' {beyond}
         ORDER BY j.singleton_key
         LIMIT $2::int
        """,
        (queue.name, limit) if after is None else (queue.name, limit, after),
    )
