"""Sending jobs, one or many."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from pgboss.web.api.schedules import JobOptions
from pgboss.web.dependencies import AnySite, AnyWriter

__all__ = ["router"]

router = APIRouter(prefix="/jobs", tags=["jobs"])

MOST_JOBS = 10_000


class NewJobOptions(JobOptions):
    """Options of a new job; absent ones are those of the queue."""

    id: UUID | None = None


class NewJob(BaseModel):
    """A job's payload and options."""

    model_config = ConfigDict(extra="forbid")

    data: Any = None
    options: NewJobOptions = NewJobOptions()


class JobToSend(NewJob):
    """A new job and its queue."""

    name: str


class JobsToInsert(BaseModel):
    """New jobs of one queue."""

    model_config = ConfigDict(extra="forbid")

    name: str
    jobs: Annotated[list[NewJob], Field(min_length=1, max_length=MOST_JOBS)]


class SentJob(BaseModel):
    """The new job's id; ``null`` where its id, or its slot in the queue's policy, is taken."""

    id: UUID | None


class InsertedJobs(BaseModel):
    """The ids of the jobs that were created; those whose id or slot is taken were left out."""

    ids: list[UUID]


@router.post("")
async def send_job(job: JobToSend, site: AnySite, writer: AnyWriter) -> SentJob:
    """Create a job."""
    # What is recorded holds no data of jobs.
    said = {"queue": job.name, "options": job.options.model_dump(mode="json", exclude_unset=True)}
    async with site.acting(writer, "send", **said) as connection:
        id = await site.boss.send(job.name, job.data, connection=connection, **job.options.given())
    return SentJob(id=id)


@router.post("/insert")
async def insert_jobs(wanted: JobsToInsert, site: AnySite, writer: AnyWriter) -> InsertedJobs:
    """Create many jobs in one statement."""
    jobs = [job.options.given() | {"data": job.data} for job in wanted.jobs]
    async with site.acting(writer, "insert", queue=wanted.name, jobs=len(jobs)) as connection:
        ids = await site.boss.insert(wanted.name, jobs, return_id=True, connection=connection)
    return InsertedJobs(ids=ids)
