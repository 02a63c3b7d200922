"""Creating, changing, reading and deleting queues."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from pgboss.core.checks import check_integer, filled_text
from pgboss.core.names import Lock, SchemaName, check_queue_name
from pgboss.core.options import QueueOptions
from pgboss.core.query import Query, Rows, Step, Steps, atomic
from pgboss.core.queue import Queue, QueueCatalog, QueueRef, queues_from
from pgboss.core.sqlstate import FOREIGN_KEY_VIOLATION, IN_FAILED_TRANSACTION, WRONG_TABLE
from pgboss.errors import DatabaseError, PgBossError, QueueNotFoundError, ValidationError
from pgboss.sql import locks
from pgboss.sql import queues as sql

T = TypeVar("T")

MAX_LISTED = 100_000
# Several, because a queue may be deleted and created anew more than once.
TRIES = 3

KEY_CONSTRAINT = "job_key_strict_fifo_singleton_key_check"


def current_database() -> Steps[str]:
    """The name of the database."""
    return str((yield locks.current_database()).scalar())


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


def on_queue(catalog: QueueCatalog, name: str, statement: Callable[[QueueRef], Query]) -> Steps[Rows]:
    """Run a statement on a queue's job table, wherever that is by now.

    Raises:
        QueueNotFoundError: there is no such queue.
    """

    def build() -> Steps[Query]:
        return statement((yield from find_queue(catalog, name)))

    return through_changes(build, lambda: catalog.forget(name))


def through_changes(build: Callable[[], Steps[Step]], forget: Callable[[], None] = lambda: None) -> Steps[Rows]:
    """Run a statement on job tables, and again where it fails because a queue was deleted, or created anew, meanwhile.

    In a caller's transaction a statement that is not guarded has no second try: the first error has ended it.
    """
    first: DatabaseError | None = None
    for _ in range(TRIES):
        try:
            return (yield (yield from build()))
        except DatabaseError as error:
            if first is not None and error.sqlstate == IN_FAILED_TRANSACTION:
                raise first from None
            if error.sqlstate not in WRONG_TABLE or error.constraint == KEY_CONSTRAINT:
                raise
            first = first or error
            forget()
    assert first is not None
    raise first


def has_moved(catalog: QueueCatalog, queue: QueueRef) -> Steps[bool]:
    """Whether the queue's jobs lie elsewhere than remembered, because it was deleted and created anew.

    Raises:
        QueueNotFoundError: the queue was deleted.
    """
    catalog.forget(queue.name)
    return (yield from find_queue(catalog, queue.name)).table_name != queue.table_name


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


def get_queues(
    schema: SchemaName, names: Sequence[str] | None, *, after: str | None = None, limit: int | None = None
) -> Steps[list[Queue]]:
    """Queues by name, or all of them, in name order; unknown names are passed over."""
    for name in names or ():
        check_queue_name(name)
    if after is not None:
        filled_text("after", after)
    if limit is not None:
        check_integer("limit", limit, 1, MAX_LISTED)
    return queues_from((yield sql.find(schema, names, after=after, limit=limit)))


def get_queue(schema: SchemaName, name: str) -> Steps[Queue | None]:
    found = yield from get_queues(schema, [name])
    return found[0] if found else None


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
