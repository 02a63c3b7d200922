"""What migrations have put off to the background, index builds mostly."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse

from pgboss.operations import bam
from pgboss.web.dashboard.addresses import here
from pgboss.web.dashboard.pages import page
from pgboss.web.dependencies import AnyReader, AnySite

__all__ = ["router"]

router = APIRouter()

PAGE = 50
# How a status is painted.
KINDS = {"pending": "neutral", "in_progress": "busy", "completed": "good", "failed": "bad"}


@router.get("/builds")
async def list_builds(request: Request, site: AnySite, reader: AnyReader, after: UUID | None = None) -> HTMLResponse:
    found = await site.read(bam.get_entries(site.schema, PAGE, after))
    statuses = await site.read(bam.get_status(site.schema))
    context = {
        "builds": found,
        "statuses": statuses,
        "kinds": KINDS,
        "first": here(request, after=None) if after else None,
        "next": here(request, after=found[-1].id) if len(found) == PAGE else None,
    }
    return page(request, "builds.html", context, at="builds")
