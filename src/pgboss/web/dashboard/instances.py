"""Workers and instances: which processes there are, what each runs, and since when."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse, Response

from pgboss.core.instance import Instance
from pgboss.core.job_filter import JobFilter
from pgboss.insights.browse import browse
from pgboss.operations import pauses
from pgboss.operations.instances import get_instances
from pgboss.web.dashboard.changes import AnyChange
from pgboss.web.dashboard.pages import page
from pgboss.web.dependencies import AnyReader, AnySite

__all__ = ["router"]

router = APIRouter()

MOST_INSTANCES = 200
MOST_RUNNING = 50


@dataclass(frozen=True, slots=True)
class WorkerLine:
    """One worker of an instance, as far as its row tells; others may have written anything into it."""

    queue: str
    active: int
    concurrency: int | None
    fetched_on: datetime | None
    ended_on: datetime | None
    error_on: datetime | None


@dataclass(frozen=True, slots=True)
class InstanceCard:
    """An instance with its workers and what its process uses."""

    row: Instance
    workers: tuple[WorkerLine, ...]
    memory_bytes: float | None
    cpu: float | None
    paused_on: datetime | None

    @property
    def active(self) -> int:
        return sum(one.active for one in self.workers)


@router.get("/instances")
async def list_instances(
    request: Request, site: AnySite, reader: AnyReader, show: str = "live", after: UUID | None = None
) -> HTMLResponse:
    found: list[Instance] = []
    if site.schema.has("instance"):
        found = await site.read(get_instances(site.schema, limit=MOST_INSTANCES, after=after))
    paused = {one.target: one.paused_on for one in await site.read(pauses.get_pauses(site.schema))}
    running = await site.read(browse(site.catalog, JobFilter(states=("active",)), limit=MOST_RUNNING))
    context = {
        "instances": [_card(one, paused.get(str(one.id))) for one in found if one.live or show == "all"],
        "gone_count": sum(not one.live for one in found),
        "next": found[-1].id if len(found) == MOST_INSTANCES else None,
        "after": after,
        "show": show,
        "running": running,
    }
    return page(request, "instances.html", context, at="instances")


@router.post("/instances/{id}/pause")
async def pause_instance(id: UUID, change: AnyChange) -> Response:
    async with change.acting("pause_instance", id=str(id)) as connection:
        await change.site.run(pauses.pause(change.site.schema, "instance", str(id)), connection)
    return change.done("The instance is paused: it finishes what it runs and claims nothing more.", to="/instances")


@router.post("/instances/{id}/resume")
async def resume_instance(id: UUID, change: AnyChange) -> Response:
    async with change.acting("resume_instance", id=str(id)) as connection:
        await change.site.run(pauses.resume(change.site.schema, "instance", str(id)), connection)
    return change.done("The instance claims jobs again.", to="/instances")


def _card(row: Instance, paused_on: datetime | None) -> InstanceCard:
    metrics = row.metrics if isinstance(row.metrics, dict) else {}
    return InstanceCard(
        row, tuple(_workers(row.workers)), _figure(metrics.get("rss")), _figure(metrics.get("cpu")), paused_on
    )


def _workers(workers: Any) -> Iterator[WorkerLine]:
    for one in workers if isinstance(workers, list) else ():
        if isinstance(one, dict) and isinstance(one.get("queue"), str):
            concurrency = _figure(one.get("localConcurrency"))
            yield WorkerLine(
                queue=one["queue"],
                active=int(_figure(one.get("active")) or 0),
                concurrency=None if concurrency is None else int(concurrency),
                fetched_on=_moment(one.get("lastFetchedOn")),
                ended_on=_moment(one.get("lastJobEndedOn")),
                error_on=_moment(one.get("lastErrorOn")),
            )


def _figure(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _moment(value: Any) -> datetime | None:
    try:
        at = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return at if at is not None and at.tzinfo is not None else None
