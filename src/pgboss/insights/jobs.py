"""Single jobs."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from pgboss.core.job import JobDetails, JobGlance, details_from
from pgboss.core.names import SchemaName
from pgboss.core.query import Steps
from pgboss.core.wire import JSON, loads
from pgboss.operations.find import get_job
from pgboss.sql import find

__all__ = ["JobNews", "job_news", "jobs_by_id"]


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
