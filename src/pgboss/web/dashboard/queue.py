"""One queue: how it is, its settings, and what can be done with it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse, Response

from pgboss.core.queue import Queue
from pgboss.core.queue_stats import QueueStats
from pgboss.errors import PgBossError, QueueNotFoundError, ValidationError
from pgboss.insights.queue_details import COUNTED_UP_TO, QueueDetails, queue_details
from pgboss.operations import pauses
from pgboss.operations.queues import queue_not_found
from pgboss.web.dashboard.changes import AnyChange, Change
from pgboss.web.dashboard.charts import Series, depth, drawing
from pgboss.web.dashboard.forms import Form
from pgboss.web.dashboard.pages import page
from pgboss.web.dashboard.queue_forms import Confirmation, QueueSettings, changed_options, form_values, refused
from pgboss.web.dashboard.spans import SPANS, span_of
from pgboss.web.dependencies import AnyReader, AnySite
from pgboss.web.site import Site

__all__ = ["router"]

router = APIRouter()


@router.get("/queues/{name:path}")
async def show_queue(
    name: str, request: Request, site: AnySite, reader: AnyReader, span: str | None = None
) -> HTMLResponse:
    return await _queue_page(request, site, name, span=span)


@router.post("/queues/{name:path}/settings")
async def change_settings(name: str, request: Request, change: AnyChange) -> Response:
    form, queue = change.form(QueueSettings), await _queue(change.site, name)
    try:
        options = changed_options(form.checked(), queue)
        if options:
            async with change.acting("update_queue", queue=name, options=options) as connection:
                await change.site.boss.update_queue(name, connection=connection, **options)
    except (ValidationError, QueueNotFoundError) as error:
        return await _queue_page(request, change.site, name, form=refused(form, error), status=422)
    return change.done("The settings are saved." if options else "Nothing was changed.", to=_address(name))


@router.post("/queues/{name:path}/pause")
async def pause_queue(name: str, change: AnyChange) -> Response:
    async with change.acting("pause_queue", queue=name) as connection:
        await change.site.run(pauses.pause_queue(change.site.catalog, name), connection)
    return change.done(f"{name} is paused: Python's workers claim nothing more of it.", to=_address(name))


@router.post("/queues/{name:path}/resume")
async def resume_queue(name: str, change: AnyChange) -> Response:
    async with change.acting("resume_queue", queue=name) as connection:
        await change.site.run(pauses.resume_queue(change.site.schema, name), connection)
    return change.done(f"{name} is worked again.", to=_address(name))


@router.post("/queues/{name:path}/purge")
async def purge_queue(name: str, change: AnyChange) -> Response:
    """Delete the jobs of a queue that wait."""
    async with change.acting("delete_queued_jobs", queue=name) as connection:
        deleted = await change.site.boss.delete_queued_jobs(name, connection=connection)
    return change.done(f"{deleted:,} waiting jobs of {name} were deleted.", to=_address(name))


@router.post("/queues/{name:path}/delete")
async def delete_queue(name: str, request: Request, change: AnyChange) -> Response:
    try:
        _check_typed(change, name)
        async with change.acting("delete_queue", queue=name) as connection:
            await _queue(change.site, name, connection)
            await change.site.boss.delete_queue(name, connection=connection)
    except ValidationError as error:
        return await _queue_page(request, change.site, name, problem=error, status=422)
    return change.done(f"The queue {name} was deleted, and its jobs with it.", to="/queues")


def _check_typed(change: Change, name: str) -> None:
    if change.form(Confirmation).checked().confirm != name:
        raise ValidationError(f"Nothing was deleted: to delete this queue, type its name, {name}.")


async def _queue(site: Site, name: str, connection: Any = None) -> Queue:
    queue = await site.boss.get_queue(name, connection=connection)
    if queue is None:
        raise queue_not_found(name)
    return queue


async def _queue_page(
    request: Request,
    site: Site,
    name: str,
    *,
    form: Form[QueueSettings] | None = None,
    problem: PgBossError | None = None,
    span: str | None = None,
    status: int = 200,
) -> HTMLResponse:
    chosen = span_of(span)
    details = await site.read(
        queue_details(site.catalog, name, seconds=chosen.seconds, bucket_seconds=chosen.bucket_seconds)
    )
    context = {
        "details": details,
        "queue": details.queue,
        "counts": _counts(details),
        "latest": next((one for one in reversed(details.figures) if any(p.run_seconds for p in one.percentiles)), None),
        "charts": _charts(details.figures),
        "form": form or Form(QueueSettings, form_values(details.queue)),
        "was_refused": form is not None,
        "problem": problem,
        "span": chosen,
        "spans": SPANS,
        "address": _address(name),
    }
    return page(request, "queue.html", context, at="queues", status=status)


def _counts(details: QueueDetails) -> dict[str, tuple[int, bool]]:
    """Of each state how many, and whether that is exact: beyond what is counted now, the upkeep's count may tell."""
    of_upkeep = {"active": details.queue.active_count, "failed": details.queue.failed_count}
    return {
        state: (count, True) if count < COUNTED_UP_TO else (max(count, of_upkeep.get(state, 0)), False)
        for state, count in details.counted.items()
    }


def _charts(figures: Sequence[QueueStats]) -> dict[str, Any] | None:
    if not figures:
        return None
    times = [one.captured_on for one in figures]
    return {
        "depth": depth(
            times,
            waiting=[one.queued_count for one in figures],
            ready=[one.ready_count for one in figures],
            active=[one.active_count for one in figures],
        ),
        "throughput": drawing(
            times,
            Series("Created", "neutral", [one.created_delta for one in figures]),
            Series("Completed", "good", [one.completed_delta for one in figures], fill=True),
            Series("Failed for good", "bad", [one.failed_delta for one in figures]),
        ),
        "wait": _percentiles(figures, "wait_seconds"),
        "run": _percentiles(figures, "run_seconds"),
    }


def _percentiles(figures: Sequence[QueueStats], which: str) -> dict[str, Any]:
    inks = ("good", "care", "bad")
    lines = [
        Series(f"p{one.p:g}", ink, [getattr(figure.percentiles[at], which) for figure in figures])
        for at, (one, ink) in enumerate(zip(figures[0].percentiles, inks, strict=True))
    ]
    return drawing([one.captured_on for one in figures], *lines, unit="seconds")


def _address(name: str) -> str:
    return f"/queues/{quote(name)}"
