"""The first page: how the queues are, those in trouble first."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse

from pgboss.web.dashboard.pages import page
from pgboss.web.dependencies import AnyReader, AnySite

__all__ = ["router"]

router = APIRouter()


@router.get("/")
async def overview(request: Request, site: AnySite, reader: AnyReader) -> HTMLResponse:
    queues = await site.boss.get_queues()
    return page(request, "overview.html", {"queues": queues}, at="overview")
