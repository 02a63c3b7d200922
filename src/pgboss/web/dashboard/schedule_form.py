"""Making a schedule, and changing one."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel
from starlette.responses import Response

from pgboss.core.schedule import Missed, ScheduleDetails, send_options_of
from pgboss.errors import ConflictError, QueueNotFoundError, ValidationError
from pgboss.web.api.schedules import Place, found_schedule
from pgboss.web.dashboard.changes import AnyChange
from pgboss.web.dashboard.choices import queue_names, zone_names
from pgboss.web.dashboard.forms import Form
from pgboss.web.dashboard.job_fields import JobFields, refused
from pgboss.web.dashboard.json_text import pretty
from pgboss.web.dashboard.next_runs import next_runs
from pgboss.web.dashboard.pages import page
from pgboss.web.dashboard.schedules import schedule_path
from pgboss.web.dependencies import AnyReader, AnySite, AnyWriter, Options
from pgboss.web.redaction import redacted, restored
from pgboss.web.site import Site

__all__ = ["router"]

router = APIRouter()


class When(BaseModel):
    """When a schedule comes."""

    expression: str
    tz: str | None = None
    missed: Missed | None = None


class ScheduleForm(When, JobFields):
    """When a queue gets a job, and which."""

    queue: str
    key: str = ""


class ChangeForm(When, JobFields):
    """The same of a schedule that is there."""


class Asked(BaseModel):
    """Which button was pressed: without a script, one looks at the next runs before saving."""

    only_preview: bool = False


@router.get("/schedules/preview")
async def preview(
    request: Request, site: AnySite, reader: AnyReader, expression: str = "", tz: str | None = None
) -> Response:
    """The next runs of what stands in the form, as a part of its page."""
    return page(request, "next_runs.html", {"next": await _runs(site, expression, tz)})


@router.get("/schedules/new")
async def new_schedule(request: Request, site: AnySite, writer: AnyWriter, queue: str = "") -> Response:
    form = Form(ScheduleForm, {"queue": queue})
    return await _form_page(request, site, form, schedule=None)


@router.post("/schedules/new")
async def create_schedule(request: Request, change: AnyChange) -> Response:
    form = change.form(ScheduleForm)
    if change.form(Asked).checked().only_preview:
        return await _form_page(request, change.site, form, schedule=None)
    try:
        wanted = form.checked()
        async with change.acting(
            "schedule", queue=wanted.queue, key=wanted.key, expression=wanted.expression, tz=wanted.tz
        ) as connection:
            if await change.site.boss.get_schedule(wanted.queue, wanted.key, connection=connection) is not None:
                raise ConflictError("The queue has a schedule with this key. Change that one, or choose another key.")
            await _store(change.site, wanted.queue, wanted.key, wanted, wanted.data, connection)
    except (ValidationError, QueueNotFoundError, ConflictError) as error:
        return await _form_page(request, change.site, refused(form, error), schedule=None, status=422)
    return change.done("The schedule is made.", to=schedule_path(wanted.queue, wanted.key))


@router.get("/schedule/edit")
async def edit_schedule(
    request: Request, site: AnySite, writer: AnyWriter, options: Options, queue: str, key: str = ""
) -> Response:
    async with site.reading() as connection:
        found = await found_schedule(site, Place(queue=queue, key=key), connection)
    form = Form(ChangeForm, _stored(found, options.redact))
    return await _form_page(request, site, form, schedule=found)


@router.post("/schedule/edit")
async def change_schedule(request: Request, change: AnyChange, options: Options, queue: str, key: str = "") -> Response:
    form = change.form(ChangeForm)
    async with change.site.reading() as connection:
        found = await found_schedule(change.site, Place(queue=queue, key=key), connection)
    if change.form(Asked).checked().only_preview:
        return await _form_page(request, change.site, form, schedule=found)
    try:
        wanted = form.checked()
        said = {"expression": wanted.expression, "tz": wanted.tz}
        async with change.acting("schedule", queue=queue, key=key, **said) as connection:
            stored = await found_schedule(change.site, Place(queue=queue, key=key), connection)
            data = restored(wanted.data, stored.data, options.redact)
            await _store(change.site, queue, key, wanted, data, connection)
    except (ValidationError, QueueNotFoundError) as error:
        return await _form_page(request, change.site, refused(form, error), schedule=found, status=422)
    return change.done("The schedule is changed.", to=schedule_path(queue, key))


async def _store(
    site: Site, queue: str, key: str, wanted: ScheduleForm | ChangeForm, data: Any, connection: Any
) -> None:
    target: Any = site.definition(queue) or queue
    await site.boss.schedule(
        target,
        wanted.expression,
        data,
        key=key,
        tz=wanted.tz,
        missed=wanted.missed,
        connection=connection,
        **wanted.options(),
    )


def _stored(found: ScheduleDetails, hidden: frozenset[str]) -> dict[str, Any]:
    """What stands in the fields of a form that changes it."""
    try:
        options = send_options_of(found.options).given()
    except ValidationError:
        options = {}
    data = "" if found.data is None else pretty(redacted(found.data, hidden))
    when = {"expression": found.expression, "tz": found.timezone, "missed": found.missed, "data": data}
    return when | {name: str(value).lower() if isinstance(value, bool) else value for name, value in options.items()}


async def _runs(site: Site, expression: str, tz: str | None) -> Any:
    if not expression.strip():
        return None
    async with site.reading() as connection:
        return await next_runs(site, expression, tz or None, connection)


async def _form_page(
    request: Request, site: Site, form: Form[Any], *, schedule: ScheduleDetails | None, status: int = 200
) -> Response:
    queues = await queue_names(site)
    runs = await _runs(site, form.values.get("expression") or "", form.values.get("tz"))
    context = {"form": form, "schedule": schedule, "queues": queues, "zones": zone_names(), "next": runs}
    return page(request, "schedule_form.html", context, at="schedules", status=status)
