"""Instances: which processes share the schema, and what their workers are at."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel

from pgboss.core.instance import Instance
from pgboss.operations import pauses
from pgboss.web.api.paging import Limit
from pgboss.web.api.queues import Resumed
from pgboss.web.dependencies import AnyReader, AnySite, AnyWriter

__all__ = ["router"]

router = APIRouter(tags=["instances"])


class InstanceBody(BaseModel):
    """A process of Python's or Node's; ``workers`` says for each how many jobs it runs, with pg-boss's keys."""

    id: UUID
    name: str | None
    host: str
    pid: int
    version: str
    language: str
    live: bool
    heartbeat_seconds: int
    supervise: bool
    schedule: bool
    workers: Any
    metrics: Any
    crash_restarts: int
    started_at: datetime
    heartbeat_at: datetime
    stopped_at: datetime | None


class PauseBody(BaseModel):
    """What is paused: a queue by its name, or an instance by its id."""

    kind: str
    target: str
    paused_at: datetime


@router.get("/instances")
async def list_instances(
    site: AnySite, reader: AnyReader, after: UUID | None = None, limit: Limit = 100
) -> list[InstanceBody]:
    """Instances in the order in which they started, behind the one with the id ``after``."""
    async with site.reading() as connection:
        found = await site.boss.get_instances(limit=limit, after=after, connection=connection)
    return [_body(one) for one in found]


@router.post("/instances/{id}/pause", status_code=204)
async def pause_instance(id: UUID, site: AnySite, writer: AnyWriter) -> None:
    """Have one instance of Python's claim nothing more until it is resumed."""
    async with site.acting(writer, "pause_instance", id=str(id)) as connection:
        await site.run(pauses.pause(site.schema, "instance", str(id)), connection)


@router.post("/instances/{id}/resume")
async def resume_instance(id: UUID, site: AnySite, writer: AnyWriter) -> Resumed:
    """Let an instance claim jobs again."""
    async with site.acting(writer, "resume_instance", id=str(id)) as connection:
        return Resumed(was_paused=await site.run(pauses.resume(site.schema, "instance", str(id)), connection))


@router.get("/pauses")
async def list_pauses(site: AnySite, reader: AnyReader) -> list[PauseBody]:
    """Which queues and instances are paused, the earliest first."""
    async with site.reading() as connection:
        found = await site.boss.get_pauses(connection=connection)
    return [PauseBody(kind=one.kind, target=one.target, paused_at=one.paused_on) for one in found]


def _body(one: Instance) -> InstanceBody:
    return InstanceBody(
        id=one.id,
        name=one.name,
        host=one.host,
        pid=one.pid,
        version=one.version,
        language=one.node_version,
        live=one.live,
        heartbeat_seconds=one.heartbeat_seconds,
        supervise=one.supervise,
        schedule=one.schedule,
        workers=one.workers,
        metrics=one.metrics,
        crash_restarts=one.crash_restarts,
        started_at=one.started_on,
        heartbeat_at=one.heartbeat_on,
        stopped_at=one.stopped_on,
    )
