"""The statement behind the causes of failures: what the latest failed jobs say of why."""

from __future__ import annotations

from pgboss.core.names import SchemaName
from pgboss.core.query import Query
from pgboss.core.queue import QueueRef
from pgboss.sql.job_windows import EITHER_BLOCKED

__all__ = ["latest"]

MOST_CHARACTERS = 500


def latest(schema: SchemaName, queue: QueueRef | None, share: int, most: int) -> Query:
    """Failed jobs of one queue or of all, those first whose last attempt was due last.

    At most ``share`` of each queue are read, and ``most`` in all. Returns of each its queue and id, the id of the first
    job of its history, when it failed, and the output cut down to what says why: ``name`` and ``message``, wrapped in
    ``value`` as they are in the output.
    """
    table = schema.table("job") if queue is None else queue.table
    queues = f"{schema.table('queue')} q" if queue is None else "(VALUES ($3::text)) q(name)"
    root = schema.if_has("job.source_root_id", "COALESCE(j.source_root_id, j.id)", "j.id")
    # Outputs are cut down before they are sorted.
    streams = " UNION ALL ".join(
        f"""
                SELECT j.* FROM {queues} CROSS JOIN LATERAL (
                    SELECT j.name, j.id, {root} AS root_id, j.completed_on, {_REASON}::text AS reason, j.start_after
                      FROM {table} j
                     WHERE j.name = q.name AND j.state = 'failed' {kind}
                     ORDER BY j.start_after DESC
                     LIMIT $1::int) j"""
        for kind in EITHER_BLOCKED
    )
    return Query(
        f"""
        SELECT j.name, j.id, j.root_id, j.completed_on, j.reason
          FROM ({streams}) j
         ORDER BY j.start_after DESC
         LIMIT $2::int
        """,
        (share, most, *(() if queue is None else (queue.name,))),
    )


def _pruned(value: str) -> str:
    """What says why, of an error or of anything else that somebody has stored."""
    return f"""CASE WHEN jsonb_typeof({value} -> 'message') IS NOT NULL
               THEN jsonb_build_object('name', left({value} ->> 'name', 100),
                                       'message', left({value} ->> 'message', {MOST_CHARACTERS}))
               ELSE to_jsonb(left({value} #>> '{{}}', {MOST_CHARACTERS})) END"""


_REASON = f"""CASE WHEN j.output ? 'value'
               THEN jsonb_build_object('value', {_pruned("(j.output -> 'value')")})
               ELSE {_pruned("j.output")} END"""
