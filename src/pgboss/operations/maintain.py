"""The upkeep in steps: failing overdue jobs, and removing old ones under a claim on their queue.

Every batch is a transaction of its own under the advisory lock that Node takes for the same work.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from uuid import UUID

from pgboss.core.names import Lock, SchemaName
from pgboss.core.query import Query, Steps, atomic
from pgboss.sql import fail, locks, walk
from pgboss.sql import maintain as sql

__all__ = [
    "SILENT",
    "TIMED_OUT",
    "Cause",
    "FailedJobs",
    "JobTables",
    "Overdue",
    "QueueClaim",
    "WalkedBatch",
    "claim_retention",
    "delete_old",
    "delete_orphans",
    "fail_overdue",
    "find_overdue",
    "find_tables",
    "hand_back",
    "set_retained",
]

TABLES_A_STATEMENT = 50
# completed_on is the time its transaction began: only jobs finished longer ago than this count as counted.
COUNTING_LAG = timedelta(seconds=10)


@dataclass(frozen=True, slots=True)
class JobTables:
    """The queues of each physical job table."""

    database: str
    queues: Mapping[str, Sequence[str]]

    def portions(self) -> Iterator[Mapping[str, Sequence[str]]]:
        """Few enough tables at a time that the locks of one statement stay few."""
        tables = iter(self.queues.items())
        while portion := dict(islice(tables, TABLES_A_STATEMENT)):
            yield portion


@dataclass(frozen=True, slots=True)
class Cause:
    """A reason for which the upkeep fails active jobs."""

    text: str
    lock: Callable[[str], str]
    statement: Callable[[SchemaName, str, Sequence[str]], Query]


TIMED_OUT = Cause("ran out of time", Lock.expire, fail.fail_expired)
SILENT = Cause("sent no heartbeat", Lock.heartbeat, fail.fail_silent)


@dataclass(frozen=True, slots=True)
class Overdue:
    """Queues of one table that hold overdue jobs."""

    table_name: str
    cause: Cause
    queues: Sequence[str]


@dataclass(frozen=True, slots=True)
class FailedJobs:
    """What one batch did: jobs by queue and new state."""

    jobs: Mapping[tuple[str, str], int]

    @property
    def is_last(self) -> bool:
        """Whether no more jobs are overdue, other than those somebody holds."""
        return sum(self.jobs.values()) < fail.SWEEP_BATCH


def find_tables(schema: SchemaName, names: Sequence[str] | None = None) -> Steps[JobTables]:
    """The job tables, with the queues that use them: all queues, or the named ones."""
    rows = list((yield sql.job_tables(schema, names)))
    database = rows[0]["database"] if rows else ""
    return JobTables(database, {row["table_name"]: row["queues"] for row in rows})


@atomic
def find_overdue(schema: SchemaName, tables: Mapping[str, Sequence[str]]) -> Steps[list[Overdue]]:
    """Where active jobs are overdue: the sweeps need to look nowhere else."""
    yield locks.limit_waits()
    rows = list((yield sql.overdue(schema, tables)))
    return [
        Overdue(table_name, cause, names)
        for table_name in tables
        for cause, flag in ((TIMED_OUT, "timed_out"), (SILENT, "silent"))
        if (names := [row["name"] for row in rows if row["table_name"] == table_name and row[flag]])
    ]


@atomic
def fail_overdue(schema: SchemaName, database: str, overdue: Overdue) -> Steps[FailedJobs | None]:
    """Fail one batch of overdue jobs; ``None`` when somebody else is failing jobs of this table right now."""
    yield locks.limit_waits()
    key = schema.lock_key(database, overdue.cause.lock(overdue.table_name))
    if not (yield locks.try_to_take(key)).scalar():
        return None
    rows = yield overdue.cause.statement(schema, overdue.table_name, overdue.queues)
    return FailedJobs({(row["name"], row["state"]): row["jobs"] for row in rows})


@dataclass(frozen=True, slots=True)
class QueueClaim:
    """A queue whose retention is ours for this turn."""

    name: str
    table_name: str
    claimed_on: datetime
    database: str

    @property
    def counted_to(self) -> datetime:
        """Jobs finished by then are counted by this turn's walk, later ones by the monitor."""
        return self.claimed_on - COUNTING_LAG


@dataclass(frozen=True, slots=True)
class WalkedBatch:
    """One batch of a walk over a queue's keys.

    Attributes:
        last_id: where the next batch begins; ``None`` when this was the last one.
        deleted_retained: how many of the deleted ones the queue's ``retained_count`` held.
        kept: finished jobs that stay.
    """

    last_id: UUID | None
    deleted: int
    deleted_retained: int = 0
    kept: int = 0


def claim_retention(
    schema: SchemaName, interval_seconds: float, passed_over: Sequence[str], names: Sequence[str] | None = None
) -> Steps[QueueClaim | None]:
    """Claim the next queue whose retention is due, other than those ``passed_over``; with names, among these."""
    row = (yield sql.claim_retention(schema, interval_seconds, passed_over, names)).first()
    return QueueClaim(**row) if row else None


@atomic
def delete_old(schema: SchemaName, claim: QueueClaim, after: UUID | None) -> Steps[WalkedBatch]:
    """Delete the old jobs of the next batch of keys."""
    statement = sql.delete_old(schema, claim.table_name, claim.name, after, claim.counted_to)
    return (yield from _batch(schema, claim, Lock.deletion(claim.table_name), statement))


@atomic
def delete_orphans(schema: SchemaName, claim: QueueClaim, side: sql.Side, after: UUID | None) -> Steps[WalkedBatch]:
    """Delete, in the next batch of keys, the dependencies whose job on that side is gone."""
    statement = sql.delete_orphans(schema, claim.table_name, claim.name, side, after)
    return (yield from _batch(schema, claim, Lock.dependencies(claim.table_name), statement))


def _batch(schema: SchemaName, claim: QueueClaim, lock: str, statement: Query) -> Steps[WalkedBatch]:
    yield locks.limit_waits()
    yield locks.take(schema.lock_key(claim.database, lock))
    yield walk.walk_by_key()
    row = (yield statement).first() or {}
    return WalkedBatch(**row)


def set_retained(schema: SchemaName, claim: QueueClaim, kept: int) -> Steps[None]:
    """Write the count of finished jobs that a walk over the whole queue has left, where the version has it."""
    if schema.has("queue.retained_count"):
        yield sql.set_retained(schema, claim.table_name, claim.name, kept, claim.counted_to)


def hand_back(schema: SchemaName, claim: QueueClaim, deleted: int, deleted_retained: int) -> Steps[None]:
    """Make the queue due again after a turn that was cut short, and take what it deleted from the counts."""
    yield sql.hand_back(schema, claim.name, claim.claimed_on, deleted, deleted_retained)
