"""The first page: how the queues are, those in trouble first, and what happened lately."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse

from pgboss.insights.overview import TotalsPoint, overview, totals_over_time
from pgboss.web.dashboard.charts import Series, depth, drawing
from pgboss.web.dashboard.pages import page
from pgboss.web.dashboard.spans import SPANS, span_of
from pgboss.web.dependencies import AnyReader, AnySite

__all__ = ["router"]

router = APIRouter()

MOST_CALM = 20
"""Of the queues that are well; the page of queues has them all."""


@router.get("/")
async def show_overview(request: Request, site: AnySite, reader: AnyReader, span: str | None = None) -> HTMLResponse:
    chosen = span_of(span)
    found = await site.read(overview(site.schema))
    points = await _points(site, chosen.seconds, chosen.bucket_seconds)
    calm = [one for one in found.queues if not one.troubles]
    context = {
        "found": found,
        "troubled": [one for one in found.queues if one.troubles],
        "calm": calm[:MOST_CALM],
        "calm_count": len(calm),
        "charts": _charts(points),
        "span": chosen,
        "spans": SPANS,
    }
    return page(request, "overview.html", context, at="overview")


async def _points(site: AnySite, seconds: int, bucket_seconds: int) -> list[TotalsPoint]:
    if not site.schema.has("queue_stats.created_delta"):
        return []
    return await site.read(totals_over_time(site.schema, seconds=seconds, bucket_seconds=bucket_seconds))


def _charts(points: list[TotalsPoint]) -> dict[str, Any] | None:
    if not points:
        return None
    times = [point.at for point in points]
    return {
        "depth": depth(
            times,
            waiting=[point.queued for point in points],
            ready=[point.ready for point in points],
            active=[point.active for point in points],
        ),
        "throughput": drawing(
            times,
            Series("Created", "neutral", [point.created for point in points]),
            Series("Completed", "good", [point.completed for point in points], fill=True),
        ),
        "failures": drawing(times, Series("Failed for good", "bad", [point.failed for point in points], fill=True)),
    }
