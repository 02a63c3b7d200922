"""Schedules: reading, making, previewing, pausing and deleting them, and sending their job now.

A schedule has no state "paused" in the table that Node shares. To pause one is to remove it and to keep what is needed
to make it again: the answer holds all of it, by the names of the request that resumes it.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict

from pgboss.core.schedule import Missed, ScheduleDetails, send_options_of
from pgboss.errors import ValidationError
from pgboss.web.api.options import CommonOptions
from pgboss.web.api.paging import Limit
from pgboss.web.dependencies import AnyReader, AnySite, AnyWriter, Options
from pgboss.web.options import WebOptions
from pgboss.web.problems import Problem
from pgboss.web.redaction import redacted

__all__ = ["JobOptions", "Place", "delete_schedule", "found_schedule", "router", "run_schedule"]

router = APIRouter(prefix="/schedules", tags=["schedules"])


class JobOptions(CommonOptions):
    """Options of the jobs that a schedule makes; absent ones are those of the queue."""

    priority: int | None = None
    start_after: int | str | None = None
    singleton_key: str | None = None
    singleton_seconds: int | None = None
    singleton_next_slot: bool | None = None
    group_id: str | None = None
    group_tier: str | None = None


class Wanted(BaseModel):
    """When a queue gets a job, and which."""

    model_config = ConfigDict(extra="forbid")

    expression: str
    data: Any = None
    tz: str | None = None
    missed: Missed | None = None
    options: JobOptions = JobOptions()


class Place(BaseModel):
    """Which schedule is meant: a queue's, by its key."""

    queue: str
    key: str = ""


class ScheduleBody(BaseModel):
    """A schedule as it is stored.

    Its options are those of a request that makes it; ``null`` where somebody has stored what no request may hold.
    """

    queue: str
    key: str
    kind: str
    expression: str
    tz: str | None
    missed: Missed
    data: Any
    options: dict[str, Any] | None
    created_at: datetime
    updated_at: datetime
    last_job_id: UUID | None


class Sent(BaseModel):
    """The new job's id; ``null`` where the queue's policy left it out."""

    id: UUID | None


@router.get("")
async def list_schedules(
    site: AnySite,
    reader: AnyReader,
    options: Options,
    queue: str | None = None,
    after_queue: str | None = None,
    after_key: str = "",
    limit: Limit = 100,
) -> list[ScheduleBody]:
    """Schedules in the order of queue and key, behind the one with ``after_queue`` and ``after_key``."""
    after = None if after_queue is None else (after_queue, after_key)
    async with site.reading() as connection:
        found = await site.boss.get_schedules(queue, after=after, limit=limit, connection=connection)
    return [_body(one, options) for one in found]


@router.post("/preview")
async def preview_schedule(
    site: AnySite,
    reader: AnyReader,
    expression: str,
    tz: str | None = None,
    count: Annotated[int, Query(ge=1, le=1000)] = 10,
) -> list[datetime]:
    """The next occurrences of an expression; nothing is stored."""
    async with site.reading() as connection:
        return await site.boss.preview_schedule(expression, tz=tz, count=count, connection=connection)


@router.post("/pause")
async def pause_schedule(place: Place, site: AnySite, writer: AnyWriter, options: Options) -> ScheduleBody:
    """Remove a schedule and answer what it was: make it again with ``PUT`` to resume it. Values of redacted keys are
    not in the answer, so keep those yourself."""
    async with site.acting(writer, "pause_schedule", queue=place.queue, key=place.key) as connection:
        found = await found_schedule(site, place, connection)
        await site.boss.unschedule(place.queue, place.key, connection=connection)
    return _body(found, options)


@router.post("/run")
async def run_schedule(place: Place, site: AnySite, writer: AnyWriter) -> Sent:
    """Send the job of a schedule now, besides those that come by themselves."""
    async with site.acting(writer, "run_schedule", queue=place.queue, key=place.key) as connection:
        found = await found_schedule(site, place, connection)
        options: Any = send_options_of(found.options).given()
        return Sent(id=await site.boss.send(found.name, found.data, connection=connection, **options))


@router.get("/{queue:path}")
async def get_schedule(queue: str, site: AnySite, reader: AnyReader, options: Options, key: str = "") -> ScheduleBody:
    """The schedule of a queue with this key."""
    async with site.reading() as connection:
        found = await found_schedule(site, Place(queue=queue, key=key), connection)
    return _body(found, options)


@router.put("/{queue:path}")
async def put_schedule(
    queue: str, wanted: Wanted, site: AnySite, writer: AnyWriter, options: Options, key: str = ""
) -> ScheduleBody:
    """Create a schedule, or replace the one with this queue and key."""
    given = wanted.options.given()
    said = {"queue": queue, "key": key, "expression": wanted.expression, "tz": wanted.tz}
    async with site.acting(writer, "schedule", **said) as connection:
        await site.boss.schedule(
            queue,
            wanted.expression,
            wanted.data,
            key=key,
            tz=wanted.tz,
            missed=wanted.missed,
            connection=connection,
            **given,
        )
        return _body(await found_schedule(site, Place(queue=queue, key=key), connection), options)


@router.delete("/{queue:path}", status_code=204)
async def delete_schedule(queue: str, site: AnySite, writer: AnyWriter, key: str = "") -> None:
    """Remove a schedule; jobs that it has made stay."""
    async with site.acting(writer, "unschedule", queue=queue, key=key) as connection:
        if not await site.boss.unschedule(queue, key, connection=connection):
            raise _missing(queue, key)


async def found_schedule(site: AnySite, place: Place, connection: Any) -> ScheduleDetails:
    """The schedule there.

    Raises:
        Problem: there is none.
    """
    found = await site.boss.get_schedule(place.queue, place.key, connection=connection)
    if found is None:
        raise _missing(place.queue, place.key)
    return found


def _missing(queue: str, key: str) -> Problem:
    return Problem(404, "schedule_not_found", f"Queue {queue!r} has no schedule with the key {key!r}.")


def _body(one: ScheduleDetails, options: WebOptions) -> ScheduleBody:
    return ScheduleBody(
        queue=one.name,
        key=one.key,
        kind=one.kind,
        expression=one.expression,
        tz=one.timezone,
        missed=one.missed,
        data=redacted(one.data, options.redact),
        options=redacted(_options(one), options.redact),
        created_at=one.created_on,
        updated_at=one.updated_on,
        last_job_id=one.last_job_id,
    )


def _options(one: ScheduleDetails) -> dict[str, Any] | None:
    try:
        return send_options_of(one.options).given()
    except ValidationError:
        return None
