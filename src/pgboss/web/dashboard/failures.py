"""Failed jobs by what they failed of, and what is done about all of one cause: retrying, and bringing letters back."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from pgboss.core.flow import DependencyRef
from pgboss.core.wire import JSON
from pgboss.errors import QueueNotFoundError, ValidationError
from pgboss.insights import FailedJob, failed_jobs, failures, letters_of
from pgboss.web.dashboard.addresses import with_query
from pgboss.web.dashboard.changes import AnyChange
from pgboss.web.dashboard.choices import queue_names
from pgboss.web.dashboard.jobs_act import told
from pgboss.web.dashboard.pages import page
from pgboss.web.dependencies import AnyReader, AnySite, AnyWriter, Options
from pgboss.web.jobs import act_on_these
from pgboss.web.options import WebOptions
from pgboss.web.problems import Problem
from pgboss.web.redaction import redacted
from pgboss.web.site import Site

__all__ = ["router"]

router = APIRouter()


@router.get("/failures")
async def list_failures(
    request: Request, site: AnySite, reader: AnyReader, options: Options, queue: str = "", q: str = ""
) -> Response:
    """The latest failed jobs, by cause; ``q`` is a part of it."""
    found, problem = None, None
    try:
        found = await site.read(failures(site.catalog, queue or None, shown=_shown(options)))
    except (QueueNotFoundError, ValidationError) as error:
        problem = str(error)
    groups = [group for group in found.groups if q.casefold() in group.cause.casefold()] if found else []
    context = {
        "found": found,
        "groups": groups,
        "problem": problem,
        "queue": queue,
        "q": q,
        "queues": await queue_names(site),
    }
    return page(request, "failures.html", context, at="failures", status=422 if problem else 200)


@router.get("/failures/retry")
async def preview_retry(
    request: Request, site: AnySite, writer: AnyWriter, options: Options, cause: str, queue: str = ""
) -> Response:
    """How many jobs of a cause would be retried."""
    jobs = await _of_cause(site, cause, queue, options)
    found = await act_on_these(site, writer, "retry", _refs(jobs), dry_run=True)
    return page(request, "failures_retry.html", _context(cause, queue) | {"count": found.matched}, at="failures")


@router.post("/failures/retry")
async def retry(change: AnyChange, options: Options, cause: str, queue: str = "") -> Response:
    jobs = await _of_cause(change.site, cause, queue, options)
    done = await act_on_these(change.site, change.writer, "retry", _refs(jobs), dry_run=False, cause=cause)
    return change.done(told("retry", done), to=_back(queue))


@router.get("/failures/redrive")
async def preview_redrive(
    request: Request, site: AnySite, writer: AnyWriter, options: Options, cause: str, queue: str = ""
) -> Response:
    """Which dead letters of a cause would go back, and where to."""
    jobs = await _of_cause(site, cause, queue, options)
    async with site.reading() as connection:
        letters = await site.run(letters_of(site.catalog, jobs), connection)
        previews = {
            name: await site.boss.preview_redrive(name, ids=ids, limit=len(ids), connection=connection)
            for name, ids in letters.items()
        }
    context = _context(cause, queue) | {"previews": previews, "failed": len(jobs)}
    return page(request, "failures_redrive.html", context, at="failures")


@router.post("/failures/redrive")
async def redrive(change: AnyChange, options: Options, cause: str, queue: str = "") -> Response:
    site, moved = change.site, 0
    jobs = await _of_cause(site, cause, queue, options)
    for name, ids in (await site.read(letters_of(site.catalog, jobs))).items():
        async with change.acting("redrive", queue=name, jobs=len(ids), cause=cause) as connection:
            moved += await site.boss.redrive(name, ids=ids, limit=len(ids), connection=connection)
    said = "1 job is on its way again." if moved == 1 else f"{moved:,} jobs are on their way again."
    return change.done(said, to=_back(queue))


async def _of_cause(site: Site, cause: str, queue: str, options: WebOptions) -> list[FailedJob]:
    found = await site.read(failed_jobs(site.catalog, cause, queue or None, shown=_shown(options)))
    if not found:
        raise Problem(404, "no_failures", "No failed job of this cause is among the latest any more.")
    return found


def _shown(options: WebOptions) -> Any:
    def shown(output: JSON) -> JSON:
        return redacted(output, options.redact)

    return shown


def _refs(jobs: list[FailedJob]) -> list[DependencyRef]:
    return [DependencyRef(job.name, job.id) for job in jobs]


def _context(cause: str, queue: str) -> dict[str, Any]:
    return {"cause": cause, "queue": queue, "back": _back(queue)}


def _back(queue: str) -> str:
    return with_query("/failures", {"queue": queue})
