"""The record: who did what by the API and the dashboard."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse

from pgboss.web.api.audit import list_audit
from pgboss.web.dashboard.pages import page
from pgboss.web.dependencies import AnyReader, AnySite, Options

__all__ = ["router"]

router = APIRouter()


@router.get("/audit")
async def audit(
    request: Request, site: AnySite, reader: AnyReader, options: Options, before: int | None = None
) -> HTMLResponse:
    found = await list_audit(site, reader, options, before=before)
    return page(request, "audit.html", {"found": found, "before": before}, at="audit")
