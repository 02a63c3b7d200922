"""Commands that migrations have put off to the background, index builds mostly."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel

from pgboss.web.api.paging import Limit
from pgboss.web.dependencies import AnyReader, AnySite

__all__ = ["router"]

router = APIRouter(prefix="/builds", tags=["builds"])


class BuildStatus(BaseModel):
    """How many commands have a status."""

    status: str
    count: int
    last_created_at: datetime


class Build(BaseModel):
    """A command that a migration has put off."""

    id: UUID
    name: str
    version: int
    status: str
    queue: str | None
    table: str
    command: str
    error: str | None
    created_at: datetime
    started_at: datetime | None
    completed_at: datetime | None


@router.get("/status")
async def get_status(site: AnySite, reader: AnyReader) -> list[BuildStatus]:
    """How many commands have which status."""
    async with site.reading() as connection:
        found = await site.boss.get_bam_status(connection=connection)
    return [BuildStatus(status=one.status, count=one.count, last_created_at=one.last_created_on) for one in found]


@router.get("")
async def list_builds(site: AnySite, reader: AnyReader, after: UUID | None = None, limit: Limit = 100) -> list[Build]:
    """Commands by version and in the order in which they are run, behind the one with the id ``after``."""
    async with site.reading() as connection:
        found = await site.boss.get_bam_entries(limit=limit, after=after, connection=connection)
    return [
        Build(
            id=one.id,
            name=one.name,
            version=one.version,
            status=one.status,
            queue=one.queue,
            table=one.table,
            command=one.command,
            error=one.error,
            created_at=one.created_on,
            started_at=one.started_on,
            completed_at=one.completed_on,
        )
        for one in found
    ]
