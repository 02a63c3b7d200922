"""Jobs: reading one of them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel

from pgboss.core.job import JobDetails
from pgboss.core.result import reason_of
from pgboss.web.dependencies import AnyReader, AnySite, Options
from pgboss.web.options import WebOptions
from pgboss.web.problems import Problem
from pgboss.web.redaction import redacted

__all__ = ["router"]

router = APIRouter(prefix="/jobs", tags=["jobs"])


class JobSummary(BaseModel):
    """A job, as far as one needs to wait for it; ``error`` says why it failed, if it has."""

    id: UUID
    name: str
    state: str
    created_at: datetime
    started_at: datetime | None
    completed_at: datetime | None
    retry_count: int
    error: str | None


class JobFull(JobSummary):
    """A job with everything stored about it; values of redacted keys are not shown."""

    data: Any
    output: Any
    priority: int
    start_after: datetime
    keep_until: datetime
    heartbeat_at: datetime | None
    heartbeat_seconds: int | None
    expire_in_seconds: int
    retry_limit: int
    retry_delay: int
    retry_backoff: bool
    retry_delay_max: int | None
    delete_after_seconds: int
    policy: str | None
    dead_letter: str | None
    singleton_key: str | None
    singleton_at: datetime | None
    group_id: str | None
    group_tier: str | None
    blocked: bool
    blocking: bool
    pending_dependencies: int
    source_name: str | None
    source_id: UUID | None
    source_created_at: datetime | None
    source_retry_count: int | None
    source_output: Any
    source_root_id: UUID | None


@router.get("/{id}")
async def get_job(
    id: UUID,
    site: AnySite,
    reader: AnyReader,
    options: Options,
    full: Annotated[bool, Query(description="Everything stored about it.")] = False,
    queue: Annotated[str | None, Query(description="Its queue; only needed where two queues use one id.")] = None,
) -> JobFull | JobSummary:
    """One job by its id."""
    async with site.reading() as connection:
        job = await site.boss.get_job(id, queue=queue, connection=connection)
    if job is None:
        raise Problem(404, "job_not_found", f"There is no job {id}.")
    return _full(job, options) if full else JobSummary(**_summary(job, options))


def _summary(job: JobDetails, options: WebOptions) -> dict[str, Any]:
    return {
        "id": job.id,
        "name": job.name,
        "state": job.state,
        "created_at": job.created_on,
        "started_at": job.started_on,
        "completed_at": job.completed_on,
        "retry_count": job.retry_count,
        "error": reason_of(redacted(job.output, options.redact)) if job.state == "failed" else None,
    }


_RENAMED = {
    "heartbeat_at": "heartbeat_on",
    "singleton_at": "singleton_on",
    "source_created_at": "source_created_on",
}
_REDACTED = ("data", "output", "source_output")


def _full(job: JobDetails, options: WebOptions) -> JobFull:
    shown = _summary(job, options)
    for name in JobFull.model_fields.keys() - shown.keys():
        value = getattr(job, _RENAMED.get(name, name))
        shown[name] = redacted(value, options.redact) if name in _REDACTED else value
    return JobFull(**shown)
