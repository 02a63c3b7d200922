"""Bringing dead letters back to work, and counting beforehand what that would move."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from pgboss.web.dependencies import AnyReader, AnySite, AnyWriter

__all__ = ["router"]

router = APIRouter(tags=["redrive"])


class Filters(BaseModel):
    """Which jobs of the dead letter queue, and where to; every given filter must match."""

    model_config = ConfigDict(extra="forbid")

    destination: str | None = None
    source_name: str | None = None
    data: dict[str, Any] | None = None
    created_before: datetime | None = None
    ids: list[UUID] | None = None
    limit: Annotated[int, Field(ge=1, le=100_000)] = 1000

    def given(self) -> dict[str, Any]:
        return self.model_dump(exclude_none=True)


class Redriven(BaseModel):
    """How many jobs moved."""

    moved: int


class Preview(BaseModel):
    """How many jobs match, how many would go to which queue, and how many would stay."""

    total: int
    destinations: dict[str, int]
    unroutable: int


@router.post("/redrive/{queue:path}")
async def redrive(queue: str, filters: Filters, site: AnySite, writer: AnyWriter) -> Redriven:
    """Move waiting jobs of a dead letter queue back to the queues they came from."""
    # What is recorded holds no data of jobs.
    said = filters.model_dump(mode="json", exclude_none=True, exclude={"data"})
    async with site.acting(writer, "redrive", queue=queue, filters=said) as connection:
        return Redriven(moved=await site.boss.redrive(queue, connection=connection, **filters.given()))


@router.post("/redrive-preview/{queue:path}")
async def preview_redrive(queue: str, filters: Filters, site: AnySite, reader: AnyReader) -> Preview:
    """Count what a redrive would move, and where to, without moving anything."""
    async with site.reading() as connection:
        found = await site.boss.preview_redrive(queue, connection=connection, **filters.given())
    return Preview(total=found.total, destinations=dict(found.destinations), unroutable=found.unroutable)
