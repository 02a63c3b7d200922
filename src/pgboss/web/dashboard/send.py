"""Sending a job by a form."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from pgboss.core.wire import JSON
from pgboss.errors import ConfigurationError, ConflictError, QueueNotFoundError, ValidationError
from pgboss.web.dashboard.changes import AnyChange
from pgboss.web.dashboard.choices import queue_names
from pgboss.web.dashboard.forms import Form
from pgboss.web.dashboard.job_fields import JobFields, refused
from pgboss.web.dashboard.json_text import pretty
from pgboss.web.dashboard.pages import page
from pgboss.web.dashboard.skeleton import skeleton
from pgboss.web.dependencies import AnySite, AnyWriter
from pgboss.web.site import Site

__all__ = ["router"]

router = APIRouter()

NOT_SENT = "Nothing was sent: by its queue's policy, or its slot in time, another job holds its place."


class SendForm(JobFields):
    """A job, and the queue it goes to."""

    queue: str


@router.get("/send")
async def show_form(request: Request, site: AnySite, writer: AnyWriter, queue: str = "") -> Response:
    schema = _schema(site, queue)
    begun = {"queue": queue} if schema is None else {"queue": queue, "data": pretty(skeleton(schema))}
    return await _form_page(request, site, Form(SendForm, begun))


@router.get("/send/schema")
async def show_schema(request: Request, site: AnySite, writer: AnyWriter, queue: str = "") -> Response:
    """What the payloads of a queue look like, as a part of the form's page."""
    return page(request, "send_schema.html", {"queue": queue, "schema": _schema_text(site, queue)})


@router.post("/send")
async def send(request: Request, change: AnyChange) -> Response:
    form = change.form(SendForm)
    try:
        wanted = form.checked()
        target: Any = change.site.definition(wanted.queue) or wanted.queue
        async with change.acting("send", queue=wanted.queue) as connection:
            sent = await change.site.boss.send(target, wanted.data, connection=connection, **wanted.options())
            if sent is None:
                raise ConflictError(NOT_SENT)
    except (ValidationError, QueueNotFoundError, ConflictError) as error:
        return await _form_page(request, change.site, refused(form, error), status=422)
    return change.done("The job is sent.", to=f"/jobs/{sent}")


def _schema(site: Site, queue: str) -> JSON | None:
    definition = site.definition(queue)
    try:
        return None if definition is None else definition.payload.json_schema()
    except ConfigurationError:
        # Whoever works such jobs hears of it when they start.
        return None


def _schema_text(site: Site, queue: str) -> str | None:
    schema = _schema(site, queue)
    return None if schema is None else pretty(schema)


async def _form_page(request: Request, site: Site, form: Form[SendForm], *, status: int = 200) -> Response:
    queue = str(form.values.get("queue") or "")
    context = {
        "form": form,
        "queue": queue,
        "queues": await queue_names(site),
        "schema": _schema_text(site, queue),
    }
    return page(request, "send.html", context, at="send", status=status)
