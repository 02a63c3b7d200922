"""Deleting a queue.

A queue in the shared table loses its jobs in batches first. A table of its own is dropped, which needs every job table
that a claim or a send may hold for itself alone. Waiting for those in line would hold up everyone behind us, and
waiting for one while holding another can end in a deadlock. So the wait is very short, all locks are let go of when
one is not to be had, and the next try comes after a pause.
"""

from __future__ import annotations

from collections.abc import Iterator

from pgboss.core.names import Lock, SchemaName, check_queue_name
from pgboss.core.query import Rows, Steps, atomic
from pgboss.core.queue import QueueCatalog
from pgboss.core.sqlstate import DEADLOCK_DETECTED, FOREIGN_KEY_VIOLATION, LOCK_NOT_AVAILABLE, RESTRICT_VIOLATION
from pgboss.errors import ConflictError, DatabaseError, QueueNotFoundError
from pgboss.operations.deletes import delete_jobs
from pgboss.operations.queues import holding_lock
from pgboss.sql import locks
from pgboss.sql import queues as sql

__all__ = ["delete_queue"]

TRIES = 12
SHORTEST_PAUSE_SECONDS = 0.025
LONGEST_PAUSE_SECONDS = 0.4

# A lock that somebody holds, and a job sent (or a dead letter link made) between our look and the deletion.
_IN_THE_WAY = {LOCK_NOT_AVAILABLE, DEADLOCK_DETECTED, FOREIGN_KEY_VIOLATION, RESTRICT_VIOLATION}


def delete_queue(catalog: QueueCatalog, name: str) -> Steps[None]:
    """Delete a queue with its jobs, schedules and subscriptions; a missing queue is passed over.

    Raises:
        ConflictError: another queue, or a job of another queue, names it as its dead letter queue; or its tables
            stayed busy for as long as we tried.
    """
    check_queue_name(name)
    catalog.forget(name)
    queue = (yield sql.find(catalog.schema, [name])).first()
    if queue is None:
        return
    yield from _refuse_if_used(catalog.schema, name)
    if not queue["partition"]:
        yield from _delete_jobs(catalog, name)
    for pause_seconds in _pauses():
        if (yield _remove(catalog.schema, name)).scalar():
            catalog.forget(name)
            return
        yield sql.pause(pause_seconds)
    raise ConflictError(
        f"Queue {name!r} was not deleted: other transactions kept hold of its tables through {TRIES} tries. "
        "Try again when it is quieter."
    )


def _delete_jobs(catalog: QueueCatalog, name: str) -> Steps[None]:
    try:
        yield from delete_jobs(catalog, name, "all", counting=False)
    except QueueNotFoundError:
        # Somebody else has deleted it meanwhile.
        return


def _pauses() -> Iterator[float]:
    for turn in range(TRIES):
        yield min(SHORTEST_PAUSE_SECONDS * 2**turn, LONGEST_PAUSE_SECONDS)


def _refuse_if_used(schema: SchemaName, name: str) -> Steps[None]:
    users = (yield sql.dead_letter_users(schema, name)).first() or {}
    if users.get("queue") is not None:
        user = users["queue"]
        raise ConflictError(f"Queue {name!r} was not deleted: queue {user!r} uses it as its dead letter queue.")
    if users.get("job_queue") is not None:
        user = users["job_queue"]
        raise ConflictError(
            f"Queue {name!r} was not deleted: jobs in queue {user!r} name it as their dead letter queue."
        )


@atomic
def _remove(schema: SchemaName, name: str) -> Steps[Rows]:
    """Remove the queue and what is left of its jobs; the value says whether it is gone."""
    return (yield from holding_lock(schema, Lock.DELETE_QUEUE, _remove_now(schema, name)))


def _remove_now(schema: SchemaName, name: str) -> Steps[Rows]:
    # Read again under the lock: it may have been deleted, or created anew with a table of its own.
    queue = (yield sql.find(schema, [name])).first()
    if queue is not None and not (yield from _is_removed(schema, name, queue["table_name"], queue["partition"])):
        yield from _refuse_if_used(schema, name)
        return Rows(("gone",), [(False,)])
    return Rows(("gone",), [(True,)])


def _is_removed(schema: SchemaName, name: str, table_name: str, has_own_table: bool) -> Steps[bool]:
    try:
        if has_own_table:
            yield locks.hardly_wait()
            yield sql.lock_to_drop(schema, table_name)
            yield locks.limit_waits()
        yield sql.delete(schema, name)
    except DatabaseError as error:
        if error.sqlstate in _IN_THE_WAY:
            return False
        raise
    if has_own_table:
        yield sql.forget_index_builds(schema, table_name)
    return True
