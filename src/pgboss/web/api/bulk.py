"""Retrying, cancelling, resuming and deleting all jobs that match a filter, or counting them beforehand."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from pgboss.core.job_filter import JobFilter, StateFilter
from pgboss.web.dependencies import AnySite, AnyWriter
from pgboss.web.jobs import MOST_AT_ONCE, JobAction, act_on_all

__all__ = ["router"]

router = APIRouter(prefix="/jobs", tags=["jobs"])


class Filters(BaseModel):
    """Which jobs; every given filter must match, and at least one must be given."""

    model_config = ConfigDict(extra="forbid")

    name: str | None = None
    state: list[StateFilter] = []
    key: str | None = None
    data: Any = None
    created_from: datetime | None = None
    created_before: datetime | None = None
    finished_from: datetime | None = None
    finished_before: datetime | None = None

    def wanted(self) -> JobFilter:
        given = {name: getattr(self, name) for name in self.model_fields_set - {"name", "state"}}
        return JobFilter.of(self.state, queue=self.name, **given)


class Bulk(BaseModel):
    """What to act on.

    ``dry_run`` only counts. At most ``limit`` jobs are acted on; ``after`` goes on where an answer's ``next`` says.
    """

    model_config = ConfigDict(extra="forbid")

    filter: Filters
    dry_run: bool = False
    after: str | None = None
    limit: Annotated[int, Field(ge=1, le=MOST_AT_ONCE)] = MOST_AT_ONCE


class BulkResult(BaseModel):
    """What was done, or would be.

    Of ``matched`` jobs, which match and are in a state that the action is for, so many were ``changed``; ``conflicts``
    were not, because another job has their slot in the queue's policy. Unless ``next`` is ``null`` there may be more
    than were looked at: then the numbers are the least, and the same request with ``after`` goes on.
    """

    matched: int
    changed: int
    conflicts: int
    next: str | None


@router.post("/{action}")
async def act_on_jobs(action: JobAction, bulk: Bulk, site: AnySite, writer: AnyWriter) -> BulkResult:
    """Do something to all jobs that match a filter, in batches: what is done stays done when a later one fails."""
    done = await act_on_all(
        site, writer, action, bulk.filter.wanted(), dry_run=bulk.dry_run, after=bulk.after, most=bulk.limit
    )
    return BulkResult(matched=done.matched, changed=done.changed, conflicts=done.conflicts, next=done.next)
