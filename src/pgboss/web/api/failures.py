"""Failed jobs by cause."""

from __future__ import annotations

from datetime import datetime

from fastapi import APIRouter
from pydantic import BaseModel

from pgboss.insights import failures
from pgboss.web.api.lineage import Place
from pgboss.web.dependencies import AnyReader, AnySite, Options
from pgboss.web.redaction import redacted

__all__ = ["router"]

router = APIRouter(prefix="/failures", tags=["failures"])


class Group(BaseModel):
    """Failed jobs of one cause: the error's name and first line, without the ids and numbers that differ.

    Of those that are ``removed`` only the dead letter is left, which stands for the job among the samples.
    """

    cause: str
    queues: list[str]
    count: int
    removed: int
    newest_at: datetime | None
    oldest_at: datetime | None
    samples: list[Place]


class FailuresBody(BaseModel):
    """The latest failed jobs by cause, the largest group first. Not ``whole``: there are older ones."""

    groups: list[Group]
    looked_at: int
    whole: bool


@router.get("")
async def get_failures(site: AnySite, reader: AnyReader, options: Options, queue: str | None = None) -> FailuresBody:
    """Why jobs have failed: the latest 2,000 of one queue or of all, grouped by cause."""
    found = await site.read(failures(site.catalog, queue, shown=lambda output: redacted(output, options.redact)))
    groups = [
        Group(
            cause=group.cause,
            queues=list(group.queues),
            count=group.count,
            removed=group.removed,
            newest_at=group.newest_on,
            oldest_at=group.oldest_on,
            samples=[Place(name=one.name, id=one.id) for one in group.samples],
        )
        for group in found.groups
    ]
    return FailuresBody(groups=groups, looked_at=found.looked_at, whole=found.is_whole)
