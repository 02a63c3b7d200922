"""Jobs: listing and reading them, and retrying, cancelling, resuming and deleting one."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Annotated, Any, Literal, TypeAlias
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel

from pgboss.core.checks import UNSET
from pgboss.core.job_filter import JobFilter, StateFilter
from pgboss.errors import ValidationError
from pgboss.insights import browse
from pgboss.web.api.job_bodies import JobFull, JobSummary, full_job, job_summary
from pgboss.web.api.paging import Limit
from pgboss.web.dependencies import AnyReader, AnySite, AnyWriter, Options
from pgboss.web.jobs import act, found_job

__all__ = ["Queue", "router"]

router = APIRouter(prefix="/jobs", tags=["jobs"])

Full: TypeAlias = Annotated[bool, Query(description="Everything stored about it.")]
Queue: TypeAlias = Annotated[str | None, Query(description="Its queue; only needed where two queues use one id.")]


class JobPage(BaseModel):
    """Some jobs. ``next`` is the ``after`` of the next page; ``null`` at the end.

    Where few jobs match, a page may hold less than its limit, or nothing, and still have a next one: then ``looked_to``
    says how far it has looked, by the time that the list is ordered by.
    """

    jobs: list[JobFull] | list[JobSummary]
    next: str | None
    looked_to: datetime | None


@router.get("")
async def list_jobs(
    site: AnySite,
    reader: AnyReader,
    options: Options,
    name: Annotated[str | None, Query(description="Of this queue.")] = None,
    state: Annotated[
        list[StateFilter] | None,
        Query(description="In one of these states. `expired` stands alone: failed or retried because time ran out."),
    ] = None,
    key: Annotated[str | None, Query(description="With this singleton key.")] = None,
    data: Annotated[str | None, Query(description="Whose data contains this JSON.")] = None,
    created_from: datetime | None = None,
    created_before: datetime | None = None,
    finished_from: datetime | None = None,
    finished_before: datetime | None = None,
    after: Annotated[str | None, Query(description="The `next` of the page before, for the same filters.")] = None,
    limit: Limit = 50,
    full: Full = False,
) -> JobPage:
    """Jobs that every given filter matches: what waits by when it falls due, others the latest first."""
    wanted = JobFilter.of(
        state or (),
        queue=name,
        key=key,
        data=UNSET if data is None else _json(data),
        created_from=created_from,
        created_before=created_before,
        finished_from=finished_from,
        finished_before=finished_before,
    )
    found = await site.read(browse(site.catalog, wanted, after=after, limit=limit))
    jobs: Any = [full_job(job, options) if full else job_summary(job, job.output, options) for job in found.jobs]
    return JobPage(jobs=jobs, next=found.next, looked_to=found.looked_to)


@router.get("/{id}")
async def get_job(
    id: UUID, site: AnySite, reader: AnyReader, options: Options, full: Full = False, queue: Queue = None
) -> JobFull | JobSummary:
    """One job by its id."""
    job = await found_job(site, id, queue)
    return full_job(job, options) if full else job_summary(job, job.output, options)


@router.post("/{id}/{action}")
async def act_on_job(
    id: UUID,
    action: Literal["retry", "cancel", "resume"],
    site: AnySite,
    writer: AnyWriter,
    options: Options,
    queue: Queue = None,
) -> JobSummary:
    """Give a failed job one more attempt, cancel one that has not ended, or resume a cancelled one; what it is then."""
    job = await found_job(site, id, queue)
    await act(site, writer, action, job)
    job = await found_job(site, id, job.name)
    return job_summary(job, job.output, options)


@router.delete("/{id}", status_code=204)
async def delete_job(id: UUID, site: AnySite, writer: AnyWriter, queue: Queue = None) -> None:
    """Delete a job, whatever its state."""
    await act(site, writer, "delete", await found_job(site, id, queue))


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise ValidationError(f"The data filter is no JSON: {text!r:.100}.") from None
