"""Bringing dead letters back to work."""

from __future__ import annotations

from pgboss.core.checks import MAX_INT4, check_integer
from pgboss.core.query import Steps
from pgboss.core.queue import QueueCatalog
from pgboss.core.redrive import RedriveFilter, RedrivePreview
from pgboss.core.sqlstate import CHECK_VIOLATION
from pgboss.errors import ConflictError, DatabaseError
from pgboss.operations.queues import KEY_CONSTRAINT, find_queue, on_queue
from pgboss.sql import redrive as sql

__all__ = ["preview_redrive", "redrive"]

MAX_PREVIEWED = 100_000


def redrive(catalog: QueueCatalog, name: str, wanted: RedriveFilter, limit: int) -> Steps[int]:
    """Move waiting dead letters back to where they came from, or to another queue, and return how many."""
    check_integer("limit", limit, 1, MAX_INT4)
    yield from _find_destination(catalog, wanted)
    try:
        rows = yield from on_queue(
            catalog, name, lambda queue: sql.redrive(queue, limit=limit, **wanted.for_statement())
        )
    except DatabaseError as error:
        if error.sqlstate == CHECK_VIOLATION and error.constraint == KEY_CONSTRAINT:
            raise _key_needed(name) from error
        raise
    moved: int = rows.scalar()
    return moved


def preview_redrive(catalog: QueueCatalog, name: str, wanted: RedriveFilter, limit: int) -> Steps[RedrivePreview]:
    """Count what :func:`redrive` would move, and where to, without moving anything."""
    check_integer("limit", limit, 1, MAX_PREVIEWED)
    yield from _find_destination(catalog, wanted)
    rows = yield from on_queue(catalog, name, lambda queue: sql.preview(queue, limit=limit, **wanted.for_statement()))
    counts: dict[str | None, int] = dict(rows.values)
    total, unroutable = sum(counts.values()), counts.pop(None, 0)
    return RedrivePreview(total, {name: jobs for name, jobs in counts.items() if name is not None}, unroutable)


def _find_destination(catalog: QueueCatalog, wanted: RedriveFilter) -> Steps[None]:
    # With a queue that does not exist nothing would move, and a slip of the pen would look like an empty queue.
    if wanted.destination is not None:
        yield from find_queue(catalog, wanted.destination)


def _key_needed(name: str) -> ConflictError:
    return ConflictError(
        f"Nothing was redriven from queue {name!r}: a job without singleton_key would go to a queue of the policy "
        "key_strict_fifo, whose jobs need one. Leave it out by a filter (ids, source_name, data), or give another "
        "destination."
    )
