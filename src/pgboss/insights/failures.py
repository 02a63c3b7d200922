"""Failed jobs by what they failed of, and what there is to be done about all of one cause."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from pgboss.core.flow import DependencyRef
from pgboss.core.query import Steps
from pgboss.core.queue import QueueCatalog
from pgboss.core.result import reason_of
from pgboss.core.wire import JSON, loads
from pgboss.operations.queues import find_queue
from pgboss.operations.walk import walking
from pgboss.sql import failures as sql
from pgboss.sql import lineage, overview

__all__ = ["FailedJob", "FailureGroup", "Failures", "cause_of", "failed_jobs", "failures", "letters_of"]

MOST_FAILURES = 2_000
LEAST_SHARE = 200
SAMPLES = 5

_NO_CAUSE: Final = "no reason was stored"
_VARYING: Final = (
    (re.compile(r"\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b", re.IGNORECASE), "<id>"),
    (re.compile(r"\b(?:0x)?(?=[0-9a-f]*[0-9])(?=[0-9a-f]*[a-f])[0-9a-f]{8,}\b", re.IGNORECASE), "<id>"),
    (re.compile(r"[0-9]+(?:[.,:][0-9]+)*"), "<n>"),
)


@dataclass(frozen=True, slots=True)
class FailedJob:
    """A failed job and its cause; ``root_id`` is the first job of its history."""

    name: str
    id: UUID
    root_id: UUID
    failed_on: datetime | None
    cause: str


@dataclass(frozen=True, slots=True)
class FailureGroup:
    """Failed jobs of one cause.

    Attributes:
        cause: the first line of the error, with its name; ids and numbers are left out, as they differ.
        queues: where they are, most of them first.
        count: how many of those that were looked at.
        newest_on: when the last of them failed.
        oldest_on: when the first of them failed.
        samples: the latest of them, up to 5.
    """

    cause: str
    queues: Sequence[str]
    count: int
    newest_on: datetime | None
    oldest_on: datetime | None
    samples: Sequence[DependencyRef]


@dataclass(frozen=True, slots=True)
class Failures:
    """The latest failed jobs by cause.

    Attributes:
        groups: the largest first.
        looked_at: how many failed jobs these are.
        is_whole: whether there are no others.
    """

    groups: Sequence[FailureGroup]
    looked_at: int
    is_whole: bool


Shown = Callable[[JSON], JSON]


def failures(
    catalog: QueueCatalog, queue: str | None = None, *, shown: Shown = lambda output: output
) -> Steps[Failures]:
    """The latest failed jobs of a queue or of all, up to 2,000, by cause.

    Args:
        catalog: the queues known.
        queue: only of this one.
        shown: what may be shown of an output: causes are made of that.

    Raises:
        QueueNotFoundError: the queue does not exist.
    """
    jobs, is_whole = yield from _latest(catalog, queue, shown)
    by_cause = defaultdict[str, list[FailedJob]](list)
    for job in jobs:
        by_cause[job.cause].append(job)
    groups = sorted((_group(cause, of_cause) for cause, of_cause in by_cause.items()), key=lambda one: -one.count)
    return Failures(groups, len(jobs), is_whole)


def failed_jobs(
    catalog: QueueCatalog, cause: str, queue: str | None = None, *, shown: Shown = lambda output: output
) -> Steps[list[FailedJob]]:
    """The jobs of one group of :func:`failures`, asked for alike."""
    jobs, _ = yield from _latest(catalog, queue, shown)
    return [job for job in jobs if job.cause == cause]


def letters_of(catalog: QueueCatalog, jobs: Sequence[FailedJob]) -> Steps[dict[str, list[UUID]]]:
    """The waiting dead letters of failed jobs, by the queue that they are in: what ``redrive`` takes as ``ids``."""
    letters = defaultdict[str, list[UUID]](list)
    if jobs and catalog.schema.has("job.source_root_id"):
        rows = yield lineage.letters(catalog.schema, [job.id for job in jobs], [job.root_id for job in jobs])
        for name, id in rows.values:
            letters[name].append(id)
    return dict(letters)


def cause_of(reason: JSON) -> str:
    """The cause of a failure in one line, the same for all that differ in ids and numbers alone."""
    if reason is None:
        return _NO_CAUSE
    wrapped = reason.get("value", reason) if isinstance(reason, dict) else reason
    name = wrapped.get("name") if isinstance(wrapped, dict) else None
    lines = reason_of(reason).strip().splitlines()
    line = lines[0] if lines else _NO_CAUSE
    for pattern, stands_for in _VARYING:
        line = pattern.sub(stands_for, line)
    return f"{name}: {line}" if isinstance(name, str) and name else line


def _latest(catalog: QueueCatalog, queue: str | None, shown: Shown) -> Steps[tuple[list[FailedJob], bool]]:
    schema = catalog.schema
    found, share = None, MOST_FAILURES
    if queue is None:
        queues = (yield overview.queue_count(schema)).scalar()
        share = max(LEAST_SHARE, MOST_FAILURES // max(1, queues))
    else:
        found = yield from find_queue(catalog, queue)
    rows = yield walking(sql.latest(schema, found, share, MOST_FAILURES))
    jobs = [_failed_job(row, shown) for row in rows.values]
    per_queue = defaultdict[str, int](int)
    for job in jobs:
        per_queue[job.name] += 1
    return jobs, len(jobs) < MOST_FAILURES and all(number < share for number in per_queue.values())


def _failed_job(row: Sequence[Any], shown: Shown) -> FailedJob:
    name, id, root_id, failed_on, reason = row
    return FailedJob(name, id, root_id, failed_on, cause_of(shown(loads(reason))))


def _group(cause: str, jobs: Sequence[FailedJob]) -> FailureGroup:
    times = sorted(job.failed_on for job in jobs if job.failed_on is not None)
    queues = defaultdict[str, int](int)
    for job in jobs:
        queues[job.name] += 1
    return FailureGroup(
        cause,
        sorted(queues, key=lambda name: (-queues[name], name)),
        len(jobs),
        times[-1] if times else None,
        times[0] if times else None,
        [DependencyRef(job.name, job.id) for job in jobs[:SAMPLES]],
    )
