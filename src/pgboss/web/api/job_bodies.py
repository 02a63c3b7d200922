"""How jobs look over HTTP: a summary, and everything that is stored."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel

from pgboss.core.job import JobDetails, JobGlance
from pgboss.core.result import reason_of
from pgboss.core.wire import JSON
from pgboss.web.options import WebOptions
from pgboss.web.redaction import redacted

__all__ = ["JobFull", "JobSummary", "basics", "full_job", "job_summary"]


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


def basics(job: JobDetails | JobGlance) -> dict[str, Any]:
    """What every body of a job has, by its names there."""
    return {
        "id": job.id,
        "name": job.name,
        "state": job.state,
        "created_at": job.created_on,
        "started_at": job.started_on,
        "completed_at": job.completed_on,
        "retry_count": job.retry_count,
    }


def job_summary(job: JobDetails | JobGlance, output: JSON, options: WebOptions) -> JobSummary:
    """A job in short; of its output only why it failed."""
    return JobSummary(**_summary(job, output, options))


def full_job(job: JobDetails, options: WebOptions) -> JobFull:
    """A job with everything that may be shown."""
    shown = _summary(job, job.output, options)
    for name in JobFull.model_fields.keys() - shown.keys():
        value = getattr(job, _RENAMED.get(name, name))
        shown[name] = redacted(value, options.redact) if name in _REDACTED else value
    return JobFull(**shown)


_RENAMED = {
    "heartbeat_at": "heartbeat_on",
    "singleton_at": "singleton_on",
    "source_created_at": "source_created_on",
}
_REDACTED = ("data", "output", "source_output")


def _summary(job: JobDetails | JobGlance, output: JSON, options: WebOptions) -> dict[str, Any]:
    failed_of = reason_of(redacted(output, options.redact)) if job.state == "failed" else None
    return {**basics(job), "error": failed_of}
