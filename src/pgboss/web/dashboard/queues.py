"""The list of queues: searched, sorted and narrowed down by its address; and making another one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse, Response

from pgboss.core.checks import POLICIES
from pgboss.errors import ConflictError, QueueNotFoundError, ValidationError
from pgboss.insights.metrics import MOST_QUEUES
from pgboss.insights.overview import QueueHealth, overview
from pgboss.operations.pauses import get_pauses
from pgboss.web.dashboard.addresses import Sorting
from pgboss.web.dashboard.changes import AnyChange
from pgboss.web.dashboard.forms import Form
from pgboss.web.dashboard.pages import page
from pgboss.web.dashboard.queue_forms import NewQueue, given_options, refused
from pgboss.web.dependencies import AnyReader, AnySite, AnyWriter

__all__ = ["router"]

router = APIRouter()

SORT_KEYS: dict[str, Callable[[QueueHealth], Any]] = {
    "name": lambda one: one.queue.name,
    "oldest": lambda one: one.oldest_ready_seconds,
    "ready": lambda one: one.queue.ready_count,
    "active": lambda one: one.queue.active_count,
    "deferred": lambda one: one.queue.deferred_count,
    "failed": lambda one: one.queue.failed_count,
    "total": lambda one: one.queue.total_count,
    "workers": lambda one: one.workers or 0,
}
COLUMNS = {name: name != "name" for name in SORT_KEYS}


@router.get("/queues")
async def list_queues(
    request: Request, site: AnySite, reader: AnyReader, search: str = "", show: str = "all"
) -> HTMLResponse:
    found = await site.read(overview(site.schema, search=search))
    paused = {one.target for one in await site.read(get_pauses(site.schema)) if one.kind == "queue"}
    sorting = Sorting.of(request, COLUMNS, "name")
    kept = {
        "all": list(found.queues),
        "trouble": [one for one in found.queues if one.troubles],
        "paused": [one for one in found.queues if one.queue.name in paused],
    }
    context = {
        "queues": _sorted(kept.get(show, kept["all"]), sorting),
        "counts": {name: len(queues) for name, queues in kept.items()},
        "show": show if show in kept else "all",
        "search": search,
        "sorting": sorting,
        "paused": paused,
        "is_cut": len(found.queues) == MOST_QUEUES,
    }
    return page(request, "queues.html", context, at="queues")


@router.get("/create-queue")
async def show_form(request: Request, site: AnySite, writer: AnyWriter) -> HTMLResponse:
    return _form_page(request, Form(NewQueue, {"policy": "standard", "notify": "true", "retry_backoff": "true"}))


@router.post("/create-queue")
async def create_queue(request: Request, change: AnyChange) -> Response:
    form = change.form(NewQueue)
    try:
        new = form.checked()
        options = given_options(new)
        async with change.acting("create_queue", queue=new.name, options=options) as connection:
            if await change.site.boss.get_queue(new.name, connection=connection) is not None:
                raise ConflictError(f"name is taken: there is a queue {new.name!r} already.")
            await change.site.boss.create_queue(new.name, connection=connection, **options)
    except (ValidationError, ConflictError, QueueNotFoundError) as error:
        return _form_page(request, refused(form, error), status=422)
    return change.done(f"The queue {new.name} was created.", to=f"/queues/{new.name}")


def _form_page(request: Request, form: Form[NewQueue], *, status: int = 200) -> HTMLResponse:
    return page(request, "create_queue.html", {"form": form, "policies": POLICIES}, at="queues", status=status)


def _sorted(queues: list[QueueHealth], sorting: Sorting) -> list[QueueHealth]:
    # By name first, so that equals stay in its order.
    by_name = sorted(queues, key=SORT_KEYS["name"])
    return sorted(by_name, key=SORT_KEYS[sorting.by], reverse=sorting.descending)
