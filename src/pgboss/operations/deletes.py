"""Deleting many jobs at once: a queue's waiting ones, its finished ones, or all there are.

A walk over a queue's keys, one transaction a batch: whoever works the queue waits for a batch at most, and what was
deleted when a walk breaks off stays deleted. On a caller's connection all of it is part of the caller's transaction.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from pgboss.core.names import SchemaName
from pgboss.core.query import Steps
from pgboss.core.queue import QueueCatalog, QueueRef
from pgboss.core.sqlstate import DEADLOCK_DETECTED
from pgboss.errors import DatabaseError, ValidationError
from pgboss.operations.queues import find_queue
from pgboss.operations.walk import walking
from pgboss.sql import deletes as sql
from pgboss.sql.queues import pause

__all__ = ["delete_all_jobs", "delete_jobs", "reduce_counts"]

PARENT_TABLE = "job"
PAUSES_SECONDS = (0.05, 0.1, 0.2, 0.4)


def delete_jobs(catalog: QueueCatalog, name: str, which: sql.Which, *, counting: bool) -> Steps[int]:
    """Delete a queue's jobs, in batches, and return how many went.

    ``counting`` says whether to take them from the queue's cached counts: not in a caller's transaction, which would
    hold the queue's row until it ends.
    """
    # Read anew: a queue that was deleted and created again may have its jobs in another table.
    catalog.forget(name)
    queue = yield from find_queue(catalog, name)
    deleted, retained = 0, 0
    after: UUID | None = None
    try:
        while True:
            batch = yield from _delete_batch(queue, which, after)
            deleted += int(batch["deleted"])
            retained += int(batch["deleted_retained"])
            after = batch["last_id"]
            if after is None:
                break
    except DatabaseError:
        # The batches before are committed, so what they deleted leaves the counts all the same.
        if counting:
            yield from reduce_counts(catalog.schema, name, deleted, retained)
        raise
    if counting:
        yield from reduce_counts(catalog.schema, name, deleted, retained)
    return deleted


def _delete_batch(queue: QueueRef, which: sql.Which, after: UUID | None) -> Steps[dict[str, Any]]:
    """Delete the next batch, again when it ended in a deadlock with whoever settles several of its jobs at once."""
    for pause_seconds in (*PAUSES_SECONDS, None):
        try:
            return (yield walking(sql.delete_batch(queue, which, after))).first() or {}
        except DatabaseError as error:
            if error.sqlstate != DEADLOCK_DETECTED or pause_seconds is None:
                raise
            try:
                yield pause(pause_seconds)
            except DatabaseError:
                # A caller's transaction has ended with the deadlock.
                raise error from None
    raise AssertionError("the last try returns or raises")


def reduce_counts(schema: SchemaName, name: str, deleted: int, deleted_retained: int) -> Steps[None]:
    """Take jobs that left from the queue's cached counts.

    The jobs are gone already. Where this fails, the next monitor pass counts anew, so it is no reason to fail the call.
    """
    if not deleted and not deleted_retained:
        return
    try:
        yield sql.reduce_counts(schema, name, deleted, deleted_retained)
    except DatabaseError:
        return


def delete_all_jobs(catalog: QueueCatalog, name: str | None, *, every_queue: bool, counting: bool) -> Steps[int | None]:
    """Delete all jobs of a queue, or of every queue, and return how many; ``None`` where tables were emptied.

    Raises:
        ValidationError: neither a queue nor ``every_queue`` is given, or both are.
    """
    if name is None and every_queue is True:
        yield from _empty(catalog.schema, PARENT_TABLE, None)
        return None
    if name is None or every_queue is not False:
        raise ValidationError(
            "delete_all_jobs() takes a queue, or for the jobs of every queue the words every_queue=True; "
            f"not the queue {name!r} with every_queue={every_queue!r}."
        )
    # Read anew: what is emptied must be this queue's own table, and no longer remembered one.
    catalog.forget(name)
    queue = yield from find_queue(catalog, name)
    if not (yield sql.has_own_table(queue.schema, name)).scalar():
        return (yield from delete_jobs(catalog, name, "all", counting=counting))
    yield from _empty(queue.schema, queue.table_name, name)
    return None


def _empty(schema: SchemaName, table_name: str, name: str | None) -> Steps[None]:
    yield sql.empty(schema, table_name)
    yield sql.zero_counts(schema, name)
