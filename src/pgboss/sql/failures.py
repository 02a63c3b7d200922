"""Statements behind the causes of failures: what the latest failed jobs say of why, and dead letters of others."""

from __future__ import annotations

from pgboss.core.names import SchemaName
from pgboss.core.query import Query
from pgboss.core.queue import QueueRef
from pgboss.sql.job_windows import EITHER_BLOCKED

__all__ = ["latest", "letter_queue_count", "letters"]

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
                    SELECT j.name, j.id, {root} AS root_id, j.completed_on, j.start_after,
                           {_reason("j.output")}::text AS reason
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


def letter_queue_count(schema: SchemaName) -> Query:
    """How many queues are named as dead letter queues."""
    return Query(f"SELECT count(DISTINCT dead_letter)::int FROM {schema.table('queue')}")


def letters(schema: SchemaName, share: int, most: int) -> Query:
    """Waiting dead letters, those first that were due last, of queues that are named as dead letter queues.

    At most ``share`` of each queue and kind are read, and ``most`` in all. Returns of each the failed job's queue and
    id, the id of the first job of its history, when it failed, and its output as of :func:`latest`, which is NULL where
    that job is still there to tell it; then whether it is gone, and the dead letter's queue and id.
    """
    root = schema.if_has("job.source_root_id", "COALESCE(j.source_root_id, j.source_id)", "j.source_id")
    # Older versions keep why the job failed as the copy's output.
    output = schema.if_has("job.source_output", "COALESCE(j.source_output, j.output)", "j.output")
    job, queue = schema.table("job"), schema.table("queue")
    streams = " UNION ALL ".join(
        f"""
                SELECT j.* FROM (SELECT DISTINCT dead_letter AS name FROM {queue} WHERE dead_letter IS NOT NULL) q
                 CROSS JOIN LATERAL (
                    SELECT j.name, j.id, j.source_name, j.source_id, {root} AS root_id, j.created_on, j.start_after,
                           {output} AS output
                      FROM {job} j
                     WHERE j.name = q.name AND j.state = '{state}' {kind}
                     ORDER BY j.start_after DESC
                     LIMIT $1::int) j"""
        for state in ("created", "retry")
        for kind in EITHER_BLOCKED
    )
    return Query(
        f"""
        SELECT j.source_name, j.source_id, j.root_id, j.created_on,
               CASE WHEN j.is_gone THEN {_reason("j.output")}::text END, j.is_gone, j.name, j.id
          FROM (
               SELECT j.*, j.source_id IS NOT NULL AND j.source_name IS NOT NULL AND NOT EXISTS (
                          SELECT FROM {job} o WHERE o.name = j.source_name AND o.id = j.source_id LIMIT 1) AS is_gone
                 FROM (SELECT j.* FROM ({streams}) j ORDER BY j.start_after DESC LIMIT $2::int) j) j
         ORDER BY j.start_after DESC
        """,
        (share, most),
    )


def _pruned(value: str) -> str:
    """What says why, of an error or of anything else that somebody has stored."""
    return f"""CASE WHEN jsonb_typeof({value} -> 'message') IS NOT NULL
               THEN jsonb_build_object('name', left({value} ->> 'name', 100),
                                       'message', left({value} ->> 'message', {MOST_CHARACTERS}))
               ELSE to_jsonb(left({value} #>> '{{}}', {MOST_CHARACTERS})) END"""


def _reason(output: str) -> str:
    return f"""CASE WHEN {output} ? 'value'
               THEN jsonb_build_object('value', {_pruned(f"({output} -> 'value')")})
               ELSE {_pruned(output)} END"""
