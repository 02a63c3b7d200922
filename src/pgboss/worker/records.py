"""The fields of log records that tell of a job: docs/operations.md."""

from __future__ import annotations

from typing import Any

from pgboss.core.job import Job

__all__ = ["job_fields"]


def job_fields(job: Job, duration_seconds: float | None = None) -> dict[str, Any]:
    """What a record about this attempt carries as ``extra``: none of it is a name that records have themselves."""
    fields: dict[str, Any] = {"job_id": str(job.id), "queue": job.name, "attempt": job.retry_count + 1}
    if duration_seconds is not None:
        fields["duration_seconds"] = round(duration_seconds, 6)
    return fields
