"""Jobs: reading, sending, and changing them."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel

from pgboss.core.job import JobDetails
from pgboss.web.dependencies import AnyReader, AnySite
from pgboss.web.problems import Problem

__all__ = ["router"]

router = APIRouter(prefix="/jobs", tags=["jobs"])


class JobSummary(BaseModel):
    """A job, as far as one needs to wait for it."""

    id: UUID
    name: str
    state: str
    created_at: datetime
    started_at: datetime | None
    completed_at: datetime | None
    retry_count: int
    error: str | None


@router.get("/{id}")
async def get_job(id: UUID, site: AnySite, reader: AnyReader, full: bool = False) -> Any:
    """One job by its id; with ``full=1`` every field."""
    job = await site.boss.get_job(id)
    if job is None:
        raise Problem(404, "job_not_found", f"There is no job {id}.")
    return _summary(job)


def _summary(job: JobDetails) -> JobSummary:
    return JobSummary(
        id=job.id,
        name=job.name,
        state=job.state,
        created_at=job.created_on,
        started_at=job.started_on,
        completed_at=job.completed_on,
        retry_count=job.retry_count,
        error=None,
    )
