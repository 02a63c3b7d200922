"""Queues: the row as people see it, the reference statements are built from, and the memory of references."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime

from pgboss.core.names import SchemaName
from pgboss.core.query import Rows

__all__ = ["Queue", "QueueCatalog", "QueueRef", "queue_columns", "queues_from"]


@dataclass(frozen=True, slots=True)
class QueueRef:
    """What a statement must know of a queue: where its jobs lie and which rules its claims follow."""

    schema: SchemaName
    name: str
    table_name: str
    policy: str
    notify: bool

    @property
    def table(self) -> str:
        """The physical job table of this queue as an SQL identifier."""
        return self.schema.table(self.table_name)

    @property
    def now(self) -> str:
        return self.schema.now


@dataclass(frozen=True, slots=True)
class Queue:
    """A queue's settings, and the job counts of the last monitor pass (they lag by up to a minute)."""

    name: str
    policy: str
    retry_limit: int
    retry_delay: int
    retry_backoff: bool
    retry_delay_max: int | None
    expire_in_seconds: int
    retention_seconds: int
    delete_after_seconds: int
    heartbeat_seconds: int | None
    dead_letter: str | None
    partition: bool
    notify: bool
    table_name: str
    warning_queue_size: int
    deferred_count: int
    blocked_count: int
    queued_count: int
    ready_count: int
    active_count: int
    failed_count: int
    total_count: int
    monitor_on: datetime | None
    created_on: datetime
    updated_on: datetime


_COLUMN_OF = {
    "expire_in_seconds": "expire_seconds",
    "delete_after_seconds": "deletion_seconds",
    "warning_queue_size": "warning_queued",
}


def queue_columns(alias: str) -> str:
    """The select list from which :func:`queues_from` makes queues."""
    return ", ".join(f"{alias}.{_COLUMN_OF.get(field.name, field.name)}" for field in fields(Queue))


def queues_from(rows: Rows) -> list[Queue]:
    return [Queue(*row) for row in rows.values]


class QueueCatalog:
    """Remembers queue references, so that most calls take one round trip.

    Whoever owns a catalog empties it from time to time: a queue may be deleted and created anew elsewhere.
    A caller's transaction gets a catalog of its own, because it may see queues that never come to be.
    """

    def __init__(self, schema: SchemaName) -> None:
        self.schema = schema
        self._known: dict[str, QueueRef] = {}

    def get(self, name: str) -> QueueRef | None:
        return self._known.get(name)

    def remember(self, queue: QueueRef) -> None:
        self._known[queue.name] = queue

    def forget(self, name: str | None = None) -> None:
        """Forget one queue, or all."""
        if name is None:
            self._known.clear()
        else:
            self._known.pop(name, None)
