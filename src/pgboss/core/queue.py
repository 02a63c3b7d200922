"""Queues: the row as people see it, the reference statements are built from, and the memory of references."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from pgboss.core.names import SchemaName, column_of
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
    """A queue's settings, and the figures of the last monitor pass, which lag by up to a minute.

    Attributes:
        monitor_on: when the counts were taken; ``None`` if never.
        created_delta: jobs created in the ``delta_seconds`` up to ``delta_on``. Throughput is counted by instances with
            ``persist_queue_stats``; the deltas are 0 and the others ``None`` as long as there was none.
        completed_delta: jobs completed in that time.
        failed_delta: jobs failed for good in that time.
        wait_bins: how long jobs that finished in that time had been due: see :mod:`pgboss.core.latency`.
        run_bins: how long they ran.
        ready_oldest_seconds: for how long the oldest job that could run had been waiting.
        singletons_active: keys of the active jobs of a singleton or stately queue.
    """

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
    created_delta: int
    completed_delta: int
    failed_delta: int
    delta_seconds: int | None
    delta_on: datetime | None
    wait_bins: tuple[int, ...] | None
    run_bins: tuple[int, ...] | None
    ready_oldest_seconds: int | None
    singletons_active: tuple[str | None, ...] | None
    monitor_on: datetime | None
    created_on: datetime
    updated_on: datetime


_COLUMNS = tuple(field.name for field in fields(Queue))
# What a version does not count is 0, and what it does not know is NULL.
_UNKNOWN = {field.name: "NULL" if "None" in str(field.type) else "0" for field in fields(Queue)}


def queue_columns(schema: SchemaName, alias: str) -> str:
    """The select list from which :func:`queues_from` makes queues, also of an older version."""
    return ", ".join(
        schema.if_has(
            f"queue.{column_of(name)}", f"{alias}.{column_of(name)}", f"{_UNKNOWN[name]} AS {column_of(name)}"
        )
        for name in _COLUMNS
    )


def queues_from(rows: Rows) -> list[Queue]:
    return [Queue(*map(_field, _COLUMNS, row)) for row in rows.values]


def _field(name: str, value: Any) -> Any:
    if not isinstance(value, list):
        return value
    # A slot of a histogram without a job is stored as NULL.
    return tuple(count or 0 for count in value) if name.endswith("_bins") else tuple(value)


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
