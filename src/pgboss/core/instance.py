"""Instances as their row in the table ``instance`` tells of them: docs/compatibility.md, "The table of instances"."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import datetime
from uuid import UUID

from pgboss.core.query import Rows
from pgboss.core.wire import JSON, loads

__all__ = ["QUIET_BEATS", "Instance", "InstanceReport", "PoolCounts", "instance_columns", "instances_from"]

QUIET_BEATS = 3
"""An instance that has missed so many heartbeats is taken for dead."""


@dataclass(frozen=True, slots=True)
class PoolCounts:
    """The connections of a pool."""

    max: int
    total: int
    idle: int
    waiting: int


@dataclass(frozen=True, slots=True)
class InstanceReport:
    """What an instance writes of itself; the last three are JSON texts with pg-boss's keys."""

    id: UUID
    name: str | None
    host: str
    pid: int
    version: str
    node_version: str
    heartbeat_seconds: int
    supervise: bool
    schedule: bool
    migrate: bool
    persist_queue_stats: bool
    persist_warnings: bool
    pool: PoolCounts | None
    workers: str
    metrics: str | None
    config: str


@dataclass(frozen=True, slots=True)
class Instance:
    """A running process of Python's or Node's, or one that ran lately.

    Attributes:
        version: of pgboss or pg-boss.
        node_version: the language: ``Python 3.12.4``, or Node's ``v22.1.0``.
        heartbeat_seconds: how often it writes its row.
        pool_max: of its pool; ``None`` for a pool that is not its own.
        workers: an entry for each call of ``work``, with pg-boss's keys.
        metrics: what its process uses and may use, with pg-boss's keys; what cannot be known is ``None``.
        config: the options it runs with, by pg-boss's names; never how it connects.
        crash_restarts: how many lives of the same name and host right before this one ended without a stop.
        live: it was not stopped, and has not missed three heartbeats.
    """

    id: UUID
    name: str | None
    host: str
    pid: int
    version: str
    node_version: str
    application_name: str | None
    heartbeat_seconds: int
    supervise: bool
    schedule: bool
    migrate: bool
    persist_queue_stats: bool
    persist_warnings: bool
    pool_max: int | None
    pool_total: int | None
    pool_idle: int | None
    pool_waiting: int | None
    workers: JSON
    metrics: JSON
    config: JSON
    crash_restarts: int
    crash_restarts_since: datetime | None
    started_on: datetime
    heartbeat_on: datetime
    stopped_on: datetime | None
    live: bool


_JSON_FIELDS = ("workers", "metrics", "config")


def instance_columns(alias: str, live: str) -> str:
    """The select list from which :func:`instances_from` makes instances; ``live`` is the condition."""
    columns = (
        f"{alias}.{field.name}{'::text' if field.name in _JSON_FIELDS else ''}"
        for field in fields(Instance)
        if field.name != "live"
    )
    return ", ".join((*columns, f"({live}) AS live"))


def instances_from(rows: Rows) -> list[Instance]:
    return list(_make(rows))


def _make(rows: Rows) -> Iterable[Instance]:
    texts = [index for index, field in enumerate(fields(Instance)) if field.name in _JSON_FIELDS]
    for row in rows.values:
        values = list(row)
        for index in texts:
            values[index] = loads(values[index])
        yield Instance(*values)
