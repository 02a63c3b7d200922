"""One job: what has happened to it, what it holds, whom it belongs with, and what can be done about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Request
from starlette.responses import Response

from pgboss.core.flow import DependencyRef
from pgboss.core.job import JobDetails
from pgboss.insights import flow_graph, lineage
from pgboss.web.dashboard.changes import AnyChange
from pgboss.web.dashboard.flow_drawing import FlowDrawing, draw_flow
from pgboss.web.dashboard.job_error import error_of
from pgboss.web.dashboard.pages import page
from pgboss.web.dashboard.timeline import timeline
from pgboss.web.dashboard.tree import tree
from pgboss.web.dependencies import AnyReader, AnySite, Options
from pgboss.web.jobs import JobAction, act, applies_to, found_job
from pgboss.web.redaction import redacted
from pgboss.web.site import Site

__all__ = ["job_path", "router"]

router = APIRouter()

DONE: Mapping[JobAction, str] = {
    "retry": "It gets one more attempt, now.",
    "cancel": "It is cancelled.",
    "resume": "It is resumed.",
    "delete": "The job is deleted.",
}


def job_path(queue: str, id: UUID) -> str:
    """Where the page of a job is; with its queue, since two queues may use one id."""
    return f"/jobs/{id}?{urlencode({'queue': queue})}"


@router.get("/jobs/{id}")
async def show_job(
    id: UUID, request: Request, site: AnySite, reader: AnyReader, options: Options, queue: str | None = None
) -> Response:
    job = _shown(await found_job(site, id, queue or None), options.redact)
    around = await site.read(lineage(site.schema, job))
    context = {
        "job": job,
        "actions": [action for action in DONE if applies_to(action, job.state)],
        "moments": timeline(around),
        "data": tree(job.data),
        "output": tree(job.output),
        "source_error": error_of(job.source_output),
        "history": around.history,
        "parents": around.parents,
        "children": around.children,
        "flow": await _flow(site, job) if around.parents or around.children else None,
    }
    return page(request, "job.html", context, at="jobs")


@router.post("/jobs/{id}/{action}")
async def act_on_job(id: UUID, action: JobAction, change: AnyChange, queue: str | None = None) -> Response:
    job = await found_job(change.site, id, queue or None)
    await act(change.site, change.writer, action, job)
    where = f"/jobs?{urlencode({'queue': job.name})}" if action == "delete" else job_path(job.name, id)
    return change.done(DONE[action], to=where)


def _shown(job: JobDetails, hidden: frozenset[str]) -> JobDetails:
    return replace(
        job,
        data=redacted(job.data, hidden),
        output=redacted(job.output, hidden),
        source_output=redacted(job.source_output, hidden),
    )


async def _flow(site: Site, job: JobDetails) -> FlowDrawing | None:
    return draw_flow(await site.read(flow_graph(site.schema, DependencyRef(job.name, job.id))))
