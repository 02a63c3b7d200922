"""The monitor in steps: claiming queues, counting them, recording the figures, and holding off for vacuum's sake."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from pgboss.core.names import Lock, SchemaName
from pgboss.core.query import Steps, atomic
from pgboss.sql import locks, queue_stats, trueup
from pgboss.sql import maintain as maintenance
from pgboss.sql import monitor as sql

__all__ = [
    "Backoff",
    "Counted",
    "MonitorClaim",
    "QueueChunk",
    "back_off",
    "claim",
    "count",
    "find_chunks",
    "hand_back",
    "raise_counts",
    "take_snapshots",
]

QUEUES_A_STATEMENT = 100
LONGEST_GAP_SECONDS = 2 * 60 * 60


@dataclass(frozen=True, slots=True)
class QueueChunk:
    """Queues of one physical table, few enough for one statement."""

    database: str
    table_name: str
    names: Sequence[str]


@dataclass(frozen=True, slots=True)
class MonitorClaim:
    """Queues whose counting is ours for this turn; not so while counting is held off."""

    names: Sequence[str]
    may_count: bool


@dataclass(frozen=True, slots=True)
class Counted:
    """What the monitor has found and written of one queue.

    Attributes:
        warning_queued: the queue's own limit of queued jobs; 0 for that of the instance.
        is_late: whether jobs were committed after the windows that they belong to had been counted.
        pin_seconds: for how long the statement had held back vacuum.
    """

    name: str
    queued_count: int
    warning_queued: int
    is_late: bool
    pin_seconds: float


@dataclass(frozen=True, slots=True)
class Backoff:
    """Nobody counts for that long, because counting held back vacuum."""

    naptime_seconds: float
    backoff_until: datetime
    backoff_seconds: float


def find_chunks(schema: SchemaName, names: Sequence[str] | None) -> Steps[list[QueueChunk]]:
    """Queues by name, or all of them, by the tables they lie in and in the order of their names."""
    return [
        QueueChunk(row["database"], row["table_name"], few)
        for row in (yield maintenance.job_tables(schema, names))
        for few in _few_at_a_time(row["queues"])
    ]


def _few_at_a_time(names: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(names), QUEUES_A_STATEMENT):
        yield names[start : start + QUEUES_A_STATEMENT]


@atomic
def claim(schema: SchemaName, chunk: QueueChunk, interval_seconds: float) -> Steps[MonitorClaim | None]:
    """Claim the queues of a chunk that are due; ``None`` when none is."""
    yield locks.limit_waits()
    rows = list((yield sql.claim(schema, chunk.names, interval_seconds)))
    return MonitorClaim([row["name"] for row in rows], rows[0]["may_count"]) if rows else None


@atomic
def count(
    schema: SchemaName, chunk: QueueChunk, names: Sequence[str], *, throughput: bool, pass_seconds: float
) -> Steps[list[Counted] | None]:
    """Count claimed queues; ``None`` when somebody else is counting, to whom the claim is handed back.

    Nobody waits for the lock: he would hold back vacuum for the other's time and then for his own. The claims go back
    because the other may not have reached these queues, and would not before the next interval.
    """
    yield locks.limit_waits()
    if not (yield locks.try_to_take(schema.lock_key(chunk.database, Lock.QUEUE_STATS))).scalar():
        yield sql.hand_back(schema, names)
        return None
    # Longer than two passes apart is not a gap for an instance whose passes are that far apart.
    gap_seconds = max(LONGEST_GAP_SECONDS, 2 * pass_seconds) if throughput else None
    return [Counted(**row) for row in (yield sql.count(schema, chunk.table_name, names, gap_seconds))]


@atomic
def hand_back(schema: SchemaName, names: Sequence[str]) -> Steps[None]:
    """Make claimed queues due again after a turn that was cut short."""
    yield locks.limit_waits()
    yield sql.hand_back(schema, names)


@atomic
def take_snapshots(schema: SchemaName, chunk: QueueChunk, names: Sequence[str]) -> Steps[None]:
    """Record the figures of queues that were counted just now."""
    yield locks.limit_waits()
    yield locks.take(schema.lock_key(chunk.database, Lock.QUEUE_STATS_INSERT))
    yield queue_stats.take_snapshots(schema, names)


@atomic
def raise_counts(schema: SchemaName, chunk: QueueChunk, names: Sequence[str]) -> Steps[float]:
    """Raise recent snapshots that hold too little; for how long that held back vacuum, 0 if others are at it."""
    yield locks.limit_waits()
    if not (yield locks.try_to_take(schema.lock_key(chunk.database, Lock.QUEUE_STATS))).scalar():
        return 0.0
    row = (yield trueup.raise_counts(schema, chunk.table_name, names)).first()
    return float(row["pin_seconds"]) if row else 0.0


def back_off(schema: SchemaName, pinned_seconds: float) -> Steps[Backoff | None]:
    """Have nobody count for a while if counting held back vacuum for too long; ``None`` when it did not."""
    row = (yield sql.back_off(schema, pinned_seconds)).first()
    return Backoff(**row) if row else None
