"""Creating, changing, reading and deleting queues."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from pgboss.core.names import Lock, SchemaName, check_queue_name
from pgboss.core.options import QueueOptions
from pgboss.core.query import Steps, atomic
from pgboss.core.queue import Queue, QueueCatalog, QueueRef, queues_from
from pgboss.errors import ConflictError, DatabaseError, PgBossError, QueueNotFoundError, ValidationError
from pgboss.sql import locks
from pgboss.sql import queues as sql

T = TypeVar("T")

DELETE_BATCH = 10_000
FOREIGN_KEY_VIOLATION = "23503"


def find_queue(catalog: QueueCatalog, name: str) -> Steps[QueueRef]:
    """The queue's reference, from memory when it is known.

    Raises:
        QueueNotFoundError: there is no such queue.
    """
    known = catalog.get(check_queue_name(name))
    if known is not None:
        return known
    row = (yield sql.find_reference(catalog.schema, name)).first()
    if row is None:
        raise queue_not_found(name)
    queue = QueueRef(catalog.schema, name, **row)
    catalog.remember(queue)
    return queue


def queue_not_found(name: str) -> QueueNotFoundError:
    return QueueNotFoundError(
        f"Queue {name!r} does not exist. Create it first: create_queue({name!r}), or `pgboss queues create {name}`.",
        queue=name,
    )


@atomic
def create_queue(schema: SchemaName, name: str, options: QueueOptions) -> Steps[None]:
    """Create the queue's row, and its partition if asked; an existing queue is left as it is."""
    check_queue_name(name)
    if options.dead_letter == name:
        raise ValidationError(f"dead_letter must be another queue than {name!r} itself.")
    yield from holding_lock(schema, Lock.CREATE_QUEUE, _create(schema, name, options))


def _create(schema: SchemaName, name: str, options: QueueOptions) -> Steps[None]:
    try:
        yield sql.create(schema, name, {"policy": "standard", **options.wire()})
    except DatabaseError as error:
        raise _explained(error, name, options) from error


def update_queue(schema: SchemaName, name: str, options: QueueOptions) -> Steps[None]:
    """Change the given options of a queue; jobs that exist keep theirs, a missing queue is passed over."""
    check_queue_name(name)
    given = options.given()
    if not given:
        raise ValidationError(f"Nothing to change on queue {name!r}: give at least one option.")
    for fixed in ("policy", "partition"):
        if fixed in given:
            raise ValidationError(f"{fixed} cannot be changed after queue {name!r} was created.")
    if options.dead_letter == name:
        raise ValidationError(f"dead_letter must be another queue than {name!r} itself.")
    try:
        yield sql.update(schema, name, options.wire())
    except DatabaseError as error:
        raise _explained(error, name, options) from error


def get_queues(schema: SchemaName, names: Sequence[str] | None) -> Steps[list[Queue]]:
    """Queues by name, or all of them, in name order; unknown names are passed over."""
    for name in names or ():
        check_queue_name(name)
    return queues_from((yield sql.find(schema, names)))


def get_queue(schema: SchemaName, name: str) -> Steps[Queue | None]:
    found = yield from get_queues(schema, [name])
    return found[0] if found else None


@atomic
def delete_queue(catalog: QueueCatalog, name: str) -> Steps[None]:
    """Delete a queue with its jobs, schedules and subscriptions; a missing queue is passed over.

    Raises:
        ConflictError: another queue, or a job of another queue, names it as its dead letter queue.
    """
    check_queue_name(name)
    catalog.forget(name)
    yield from holding_lock(catalog.schema, Lock.DELETE_QUEUE, _delete(catalog.schema, name))


def _delete(schema: SchemaName, name: str) -> Steps[None]:
    queue = (yield sql.find(schema, [name])).first()
    if queue is None:
        return
    users = (yield sql.dead_letter_users(schema, name)).first() or {}
    if users.get("queue") is not None:
        user = users["queue"]
        raise ConflictError(f"Queue {name!r} was not deleted: queue {user!r} uses it as its dead letter queue.")
    if users.get("job_queue") is not None:
        user = users["job_queue"]
        raise ConflictError(
            f"Queue {name!r} was not deleted: jobs in queue {user!r} name it as their dead letter queue."
        )
    if not queue["partition"]:
        while (yield sql.delete_jobs_batch(schema, name, DELETE_BATCH)).affected == DELETE_BATCH:
            pass
    yield sql.delete(schema, name)


def holding_lock(schema: SchemaName, suffix: str, work: Steps[T]) -> Steps[T]:
    """Do the work under the advisory lock that Node takes for it, waiting at most 30 s; part of an atomic operation.

    The lock lasts until the transaction ends; the limits on waiting are set back before, because the transaction
    may be the caller's.
    """
    before = (yield locks.limits()).first() or {}
    yield locks.limit_waits()
    database = (yield locks.current_database()).scalar()
    yield locks.take(schema.lock_key(database, suffix))
    try:
        result = yield from work
    except DatabaseError:
        # The transaction is lost, and with it the limits.
        raise
    except PgBossError:
        yield locks.restore(before)
        raise
    yield locks.restore(before)
    return result


def _explained(error: DatabaseError, name: str, options: QueueOptions) -> Exception:
    if error.sqlstate == FOREIGN_KEY_VIOLATION:
        return QueueNotFoundError(
            f"Dead letter queue {options.dead_letter!r} of queue {name!r} does not exist. Create it first.",
            queue=str(options.dead_letter),
        )
    return error
