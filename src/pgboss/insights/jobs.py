"""Jobs of a queue, a page at a time, and single ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import get_args
from uuid import UUID

from pgboss.core.checks import UNSET, check_integer
from pgboss.core.job import JobDetails, JobGlance, JobState, details_from
from pgboss.core.names import SchemaName
from pgboss.core.query import Steps
from pgboss.core.queue import QueueCatalog
from pgboss.core.wire import JSON, dumps, loads
from pgboss.errors import ValidationError
from pgboss.operations.find import get_job
from pgboss.operations.queues import find_queue
from pgboss.sql import browse as sql
from pgboss.sql import find

__all__ = ["JobNews", "JobPage", "job_news", "jobs_by_id", "page_of_jobs"]

MAX_PAGE = 100_000


@dataclass(frozen=True, slots=True)
class JobPage:
    """Some jobs of one queue.

    Attributes:
        jobs: in the order asked for.
        read_on: when they were read, by the database's clock; ages are counted from here.
        full: there may be more, behind the last of these.
    """

    jobs: list[JobDetails]
    read_on: datetime
    full: bool


def page_of_jobs(
    catalog: QueueCatalog,
    queue: str,
    *,
    states: Sequence[str] = (),
    key: str | None = None,
    data: JSON = UNSET,
    queued: bool = False,
    after: UUID | None = None,
    newest_first: bool = False,
    limit: int = 50,
) -> Steps[JobPage]:
    """Jobs of one queue that match every given filter, oldest first unless asked otherwise.

    Args:
        catalog: the queues known.
        queue: the queue's name.
        states: only jobs in one of these; none means all.
        key: only jobs with this singleton_key.
        data: only jobs whose data contains this JSON (PostgreSQL's ``@>``).
        queued: only jobs that wait (created or retry).
        after: continue behind this job, in the same order. There is nothing behind a job that is gone.
        newest_first: turn the order around.
        limit: at most this many, from 1 to 100,000.

    Raises:
        ValidationError: a state is unknown, or the limit out of range.
        QueueNotFoundError: the queue does not exist.
    """
    check_integer("limit", limit, 1, MAX_PAGE)
    for state in states:
        _check_state(state)
    yield from find_queue(catalog, queue)
    read_on = (yield sql.current_time(catalog.schema)).scalar()
    rows = yield sql.page_of_jobs(
        catalog.schema,
        queue,
        states=states,
        key=key,
        data_json=None if data is UNSET else dumps(data, what="data filter"),
        queued=queued,
        after=after,
        newest_first=newest_first,
        limit=limit,
    )
    jobs = details_from(rows)
    return JobPage(jobs, read_on, full=len(jobs) == limit)


@dataclass(frozen=True, slots=True)
class JobNews:
    """A job as far as it changes.

    Attributes:
        output: what it returned, or why it failed.
    """

    job: JobGlance
    output: JSON


def jobs_by_id(schema: SchemaName, id: UUID, queue: str | None) -> Steps[list[JobDetails]]:
    """The job of an id in one queue, or in all of them: each may have one."""
    if queue is None:
        return details_from((yield find.find_anywhere(schema, id)))
    found = yield from get_job(schema, id, queue)
    return [] if found is None else [found]


def job_news(schema: SchemaName, queue: str, id: UUID) -> Steps[JobNews | None]:
    """How a job is doing, without its payload; ``None`` when there is no such job (any more)."""
    rows = yield find.news(schema, queue, id)
    if not rows:
        return None
    [row] = rows.values
    return JobNews(JobGlance(*row[:-1]), loads(row[-1]))


def _check_state(state: str) -> None:
    if state not in get_args(JobState):
        raise ValidationError(f"A job's state is one of {', '.join(get_args(JobState))}, not {state!r}.")
