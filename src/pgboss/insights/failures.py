"""Failed jobs by what they failed of, and what there is to be done about all of one cause."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
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
    """A failed job and its cause.

    Attributes:
        root_id: the first job of its history.
        letter: its waiting dead letter, where that is all that is left: retention has removed the job.
    """

    name: str
    id: UUID
    root_id: UUID
    failed_on: datetime | None
    cause: str
    letter: DependencyRef | None = None

    @property
    def sample(self) -> DependencyRef:
        """What there is to be seen of it."""
        return self.letter or DependencyRef(self.name, self.id)


@dataclass(frozen=True, slots=True)
class FailureGroup:
    """Failed jobs of one cause.

    Attributes:
        cause: the first line of the error, with its name; ids and numbers are left out, as they differ.
        queues: where they failed, most of them first.
        count: how many of those that were looked at.
        removed: of how many of them only the dead letter is left.
        newest_on: when the last of them failed.
        oldest_on: when the first of them failed.
        samples: the latest of them, up to 5; a dead letter stands for a job that is gone.
    """

    cause: str
    queues: Sequence[str]
    count: int
    removed: int
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

    With them come those that retention has removed and whose dead letters wait, as far as these are among the latest
    2,000 dead letters.

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
    for letter in (job.letter for job in jobs if job.letter is not None):
        letters[letter.name].append(letter.id)
    others = [job for job in jobs if job.letter is None]
    if others and catalog.schema.has("job.source_root_id"):
        rows = yield lineage.letters(catalog.schema, [job.id for job in others], [job.root_id for job in others])
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
    removed, are_all = yield from _removed(catalog, queue, shown)
    return jobs + removed, are_all and _are_all([job.name for job in jobs], share)


def _removed(catalog: QueueCatalog, queue: str | None, shown: Shown) -> Steps[tuple[list[FailedJob], bool]]:
    """Failed jobs whose waiting dead letters are all that is left of them."""
    share = max(LEAST_SHARE, MOST_FAILURES // max(1, (yield sql.letter_queue_count(catalog.schema)).scalar()))
    rows = (yield walking(sql.letters(catalog.schema, share, MOST_FAILURES))).values
    jobs = [
        replace(_failed_job(job, shown), letter=DependencyRef(name, id))
        for *job, is_gone, name, id in rows
        if is_gone and queue in (None, job[0])
    ]
    return jobs, _are_all([row[-2] for row in rows], share)


def _are_all(queues: Sequence[str], share: int) -> bool:
    """Whether there are no others: neither of any of these rows' queues nor of all."""
    return len(queues) < MOST_FAILURES and all(number < share for number in Counter(queues).values())


def _failed_job(row: Sequence[Any], shown: Shown) -> FailedJob:
    name, id, root_id, failed_on, reason = row
    return FailedJob(name, id, root_id, failed_on, cause_of(shown(loads(reason))))


def _group(cause: str, jobs: Sequence[FailedJob]) -> FailureGroup:
    times = sorted(job.failed_on for job in jobs if job.failed_on is not None)
    queues = Counter(job.name for job in jobs)
    return FailureGroup(
        cause,
        sorted(queues, key=lambda name: (-queues[name], name)),
        len(jobs),
        sum(job.letter is not None for job in jobs),
        times[-1] if times else None,
        times[0] if times else None,
        [job.sample for job in jobs[:SAMPLES]],
    )
