"""Queues: reading, making, changing, emptying, pausing and deleting them, and their figures over time.

A queue's name may hold slashes. So whatever is read of a queue beside itself has a path of its own, as
``/api/stats/…``: ``/api/queues/a/stats`` is the queue ``a/stats``.
"""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel

from pgboss.core.checks import Policy
from pgboss.core.queue import Queue
from pgboss.insights.queues import search_queues
from pgboss.operations import pauses
from pgboss.operations.queues import queue_not_found
from pgboss.web.api.options import CommonOptions
from pgboss.web.api.paging import Limit
from pgboss.web.dependencies import AnyReader, AnySite, AnyWriter

__all__ = ["router"]

router = APIRouter(tags=["queues"])


class QueueChanges(CommonOptions):
    """Options of a queue; ``null`` clears those that may be cleared, and absent ones stay."""

    warning_queue_size: int | None = None
    notify: bool | None = None


class QueueOptionsBody(QueueChanges):
    """Options of a new queue; absent ones are the defaults of the instance."""

    policy: Policy | None = None
    partition: bool | None = None


class QueueBody(BaseModel):
    """A queue's settings, and its counts as the upkeep took them at ``monitor_at``, up to a minute ago."""

    name: str
    policy: str
    retry_limit: int
    retry_delay: int
    retry_backoff: bool
    retry_delay_max: int | None
    expire_in_seconds: int
    retention_seconds: int
    delete_after_seconds: int
    heartbeat_seconds: int | None
    dead_letter: str | None
    partition: bool
    notify: bool
    warning_queue_size: int
    deferred_count: int
    blocked_count: int
    queued_count: int
    ready_count: int
    active_count: int
    failed_count: int
    total_count: int
    ready_oldest_seconds: int | None
    monitor_at: datetime | None
    created_at: datetime
    updated_at: datetime


class QueuePage(BaseModel):
    """Some queues; ``next`` is the ``after`` of the next page, if there may be one."""

    queues: list[QueueBody]
    next: str | None


class Purge(BaseModel):
    """Which jobs to delete: those that wait, those that have ended, or all."""

    which: Literal["queued", "stored", "all"]


class Purged(BaseModel):
    """How many jobs were deleted; ``null`` where a table was emptied without counting."""

    deleted: int | None


class Resumed(BaseModel):
    """Whether it was paused."""

    was_paused: bool


class Percentile(BaseModel):
    """How long jobs waited and ran at most, but for the slowest 100 - ``p`` percent."""

    p: float
    wait_seconds: float | None
    run_seconds: float | None


class Figures(BaseModel):
    """A queue at one moment, or over one bucket of time."""

    captured_at: datetime
    deferred_count: int
    queued_count: int
    ready_count: int
    active_count: int
    failed_count: int
    total_count: int
    created_delta: int | None
    completed_delta: int | None
    failed_delta: int | None
    delta_seconds: int | None
    ready_oldest_seconds: int | None
    percentiles: list[Percentile]


@router.get("/queues")
async def list_queues(
    site: AnySite,
    reader: AnyReader,
    search: str | None = None,
    after: str | None = None,
    limit: Limit = 100,
) -> QueuePage:
    """Queues in name order; ``search`` keeps those whose name holds it, whatever its case."""
    found = await site.read(search_queues(site.schema, search=search, after=after, limit=limit))
    return QueuePage(queues=[_body(one) for one in found], next=found[-1].name if len(found) == limit else None)


@router.get("/queues/{name:path}")
async def get_queue(name: str, site: AnySite, reader: AnyReader) -> QueueBody:
    """One queue."""
    async with site.reading() as connection:
        queue = await site.boss.get_queue(name, connection=connection)
    if queue is None:
        raise queue_not_found(name)
    return _body(queue)


@router.put("/queues/{name:path}")
async def create_queue(name: str, options: QueueOptionsBody, site: AnySite, writer: AnyWriter) -> QueueBody:
    """Create a queue; one that exists is left as it is, whatever its options, and answered."""
    given = options.given()
    async with site.acting(writer, "create_queue", queue=name, options=given) as connection:
        await site.boss.create_queue(name, connection=connection, **given)
    return await get_queue(name, site, writer)


@router.patch("/queues/{name:path}")
async def update_queue(name: str, changes: QueueChanges, site: AnySite, writer: AnyWriter) -> QueueBody:
    """Change options of a queue, for jobs sent from now on."""
    given = changes.given()
    async with site.acting(writer, "update_queue", queue=name, options=given) as connection:
        await _must_exist(site, name, connection)
        await site.boss.update_queue(name, connection=connection, **given)
    return await get_queue(name, site, writer)


@router.delete("/queues/{name:path}", status_code=204)
async def delete_queue(name: str, site: AnySite, writer: AnyWriter) -> None:
    """Delete a queue with its jobs, schedules and subscriptions."""
    async with site.acting(writer, "delete_queue", queue=name) as connection:
        await _must_exist(site, name, connection)
        await site.boss.delete_queue(name, connection=connection)


@router.post("/queues/{name:path}/purge")
async def purge_queue(name: str, purge: Purge, site: AnySite, writer: AnyWriter) -> Purged:
    """Delete jobs of a queue, all of them in one transaction."""
    async with site.acting(writer, f"delete_{purge.which}_jobs", queue=name) as connection:
        match purge.which:
            case "queued":
                deleted: int | None = await site.boss.delete_queued_jobs(name, connection=connection)
            case "stored":
                deleted = await site.boss.delete_stored_jobs(name, connection=connection)
            case "all":
                deleted = await site.boss.delete_all_jobs(name, connection=connection)
    return Purged(deleted=deleted)


@router.post("/queues/{name:path}/pause", status_code=204)
async def pause_queue(name: str, site: AnySite, writer: AnyWriter) -> None:
    """Have Python's workers claim nothing more of a queue until it is resumed."""
    async with site.acting(writer, "pause_queue", queue=name) as connection:
        await site.run(pauses.pause_queue(site.catalog, name), connection)


@router.post("/queues/{name:path}/resume")
async def resume_queue(name: str, site: AnySite, writer: AnyWriter) -> Resumed:
    """Let workers claim jobs of a queue again."""
    async with site.acting(writer, "resume_queue", queue=name) as connection:
        return Resumed(was_paused=await site.run(pauses.resume_queue(site.schema, name), connection))


@router.get("/stats/{name:path}")
async def get_queue_stats(
    name: str,
    site: AnySite,
    reader: AnyReader,
    start: datetime | None = None,
    end: datetime | None = None,
    limit: Limit = 1000,
    bucket_seconds: Annotated[int | None, Query(ge=1, le=2**31 - 1)] = None,
    max_data_points: Annotated[int | None, Query(ge=1, le=2**31 - 1)] = None,
    aggregate: Literal["max", "min", "avg"] = "max",
    percentiles: Annotated[list[float] | None, Query()] = None,
) -> list[Figures]:
    """A queue's figures over time, newest first, each with the percentiles asked for."""
    async with site.reading(may_count=True) as connection:
        found = await site.boss.get_queue_stats(
            name,
            from_=start,
            to=end,
            limit=limit,
            bucket_seconds=bucket_seconds,
            max_data_points=max_data_points,
            aggregate=aggregate,
            percentiles=percentiles,
            connection=connection,
        )
    return [Figures.model_validate(asdict(one) | {"captured_at": one.captured_on}) for one in found]


@router.get("/blocked-keys/{name:path}")
async def get_blocked_keys(
    name: str, site: AnySite, reader: AnyReader, after: str | None = None, limit: Limit = 1000
) -> list[str]:
    """The keys of a ``key_strict_fifo`` queue that stand still because a job of theirs has failed."""
    async with site.reading() as connection:
        return await site.boss.get_blocked_keys(name, limit=limit, after=after, connection=connection)


async def _must_exist(site: AnySite, name: str, connection: Any) -> None:
    if await site.boss.get_queue(name, connection=connection) is None:
        raise queue_not_found(name)


def _body(queue: Queue) -> QueueBody:
    times = {f"{time}_at": getattr(queue, f"{time}_on") for time in ("monitor", "created", "updated")}
    return QueueBody.model_validate(asdict(queue) | times)
