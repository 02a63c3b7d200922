"""Jobs by any filter, a page at a time, with the columns that one chooses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from pgboss.errors import QueueNotFoundError, ValidationError
from pgboss.insights import browse
from pgboss.web.dashboard.addresses import here, with_query
from pgboss.web.dashboard.choices import queue_names
from pgboss.web.dashboard.job_columns import CHOICES, columns_of, job_row
from pgboss.web.dashboard.job_filters import SAVED, filters_of, wanted_jobs
from pgboss.web.dashboard.pages import page
from pgboss.web.dependencies import AnyReader, AnySite, Options
from pgboss.web.paths import base_of

__all__ = ["router"]

router = APIRouter()

PAGE = 50
STATES = ("created", "retry", "active", "completed", "failed", "cancelled", "expired")


@router.get("/jobs")
async def list_jobs(
    request: Request,
    site: AnySite,
    reader: AnyReader,
    options: Options,
    column: Annotated[Sequence[str], Query()] = (),
    after: str | None = None,
) -> Response:
    form, wanted, found = filters_of(request), None, None
    try:
        wanted = await wanted_jobs(site, form)
        found = await site.read(browse(site.catalog, wanted, after=after or None, limit=PAGE))
    except (ValidationError, QueueNotFoundError) as error:
        form.refused(error)
    columns = columns_of(name for one in column for name in one.split(","))
    context = {
        "form": form,
        "wanted": wanted,
        "found": found,
        "columns": columns,
        "choices": CHOICES,
        "rows": [job_row(job, columns, options.redact) for job in found.jobs] if found else [],
        "shown": [one.name for one in columns],
        "within": ", ".join(one.name for one in columns if one.path),
        "states": STATES,
        "state_links": {state: here(request, state=state or None, after=None) for state in ("", *STATES)},
        "saved": [(label, with_query(f"{base_of(request)}/jobs", dict(parts))) for label, parts in SAVED],
        "queues": await queue_names(site),
        "is_first": not after,
        "first": here(request, after=None),
        "following": here(request, after=found.next) if found and found.next else None,
    }
    return page(request, "jobs.html", context, at="jobs", status=200 if found else 422)
