"""Pausing and resuming."""

from __future__ import annotations

from pgboss.core.names import SchemaName, check_queue_name
from pgboss.core.pause import Pause, PauseKind
from pgboss.core.query import Rows, Steps, atomic
from pgboss.core.queue import QueueCatalog
from pgboss.operations.own_tables import make_sure_of
from pgboss.operations.queues import find_queue
from pgboss.sql import own_tables
from pgboss.sql import pauses as sql

__all__ = ["get_pauses", "pause", "pause_queue", "resume", "resume_queue"]


def pause_queue(catalog: QueueCatalog, name: str) -> Steps[None]:
    """Have nothing claimed of a queue, which must exist."""
    yield from find_queue(catalog, name)
    yield pause(catalog.schema, "queue", name)


def resume_queue(schema: SchemaName, name: str) -> Steps[bool]:
    """End a queue's pause, also of one that was deleted meanwhile; whether there was one."""
    return (yield from resume(schema, "queue", check_queue_name(name)))


@atomic
def pause(schema: SchemaName, kind: PauseKind, target: str) -> Steps[Rows]:
    """Have nothing claimed of it; the table is made when it is missing."""
    yield from make_sure_of(schema, own_tables.exists(schema, sql.TABLE), sql.create_table(schema))
    return (yield sql.pause(schema, kind, target))


def resume(schema: SchemaName, kind: PauseKind, target: str) -> Steps[bool]:
    """End a pause; whether there was one."""
    if not (yield own_tables.exists(schema, sql.TABLE)).scalar():
        return False
    return (yield sql.resume(schema, kind, target)).affected > 0


def get_pauses(schema: SchemaName) -> Steps[list[Pause]]:
    """What is paused, the earliest first."""
    if not (yield own_tables.exists(schema, sql.TABLE)).scalar():
        return []
    return [Pause(*row) for row in (yield sql.pauses(schema)).values]
