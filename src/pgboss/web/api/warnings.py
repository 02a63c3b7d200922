"""Stored warnings."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from fastapi import APIRouter
from pydantic import AwareDatetime, BaseModel

from pgboss.core.warnings import StoredWarning
from pgboss.web.api.paging import Limit
from pgboss.web.dependencies import AnyReader, AnySite, Options
from pgboss.web.problems import Problem
from pgboss.web.redaction import redacted

__all__ = ["router"]

router = APIRouter(prefix="/warnings", tags=["warnings"])


class WarningBody(BaseModel):
    """Something that an instance has warned of."""

    id: UUID
    type: str
    message: str
    data: Any
    created_at: datetime


@router.get("")
async def list_warnings(
    site: AnySite,
    reader: AnyReader,
    options: Options,
    type: str | None = None,
    before_at: AwareDatetime | None = None,
    before_id: UUID | None = None,
    limit: Limit = 100,
) -> list[WarningBody]:
    """Warnings, newest first; ``before_at`` and ``before_id`` are those of the last one of the page before."""
    before = _place(before_at, before_id)
    async with site.reading() as connection:
        found = await site.boss.get_warnings(type, limit=limit, before=before, connection=connection)
    return [
        WarningBody(
            id=one.id,
            type=one.type,
            message=one.message,
            data=redacted(one.data, options.redact),
            created_at=one.created_on,
        )
        for one in found
    ]


def _place(at: datetime | None, id: UUID | None) -> StoredWarning | None:
    if at is None and id is None:
        return None
    if at is None or id is None:
        raise Problem(422, "invalid", "Give both before_at and before_id, or neither.")
    return StoredWarning(id, "", "", None, at)
