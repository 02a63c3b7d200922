"""Schedules: what comes by itself, when it comes next, and what has come of it."""

from __future__ import annotations

from urllib.parse import urlencode

from fastapi import APIRouter, Request
from starlette.responses import Response

from pgboss.insights import schedule_history
from pgboss.web.api.schedules import Place, delete_schedule, found_schedule, run_schedule
from pgboss.web.dashboard.changes import AnyChange
from pgboss.web.dashboard.next_runs import next_runs
from pgboss.web.dashboard.pages import page
from pgboss.web.dashboard.tree import tree
from pgboss.web.dependencies import AnyReader, AnySite, Options
from pgboss.web.redaction import redacted

__all__ = ["router", "schedule_path"]

router = APIRouter()

PAGE = 50


def schedule_path(queue: str, key: str) -> str:
    """Where the page of one schedule is."""
    return f"/schedule?{urlencode({'queue': queue, 'key': key})}"


@router.get("/schedules")
async def list_schedules(
    request: Request,
    site: AnySite,
    reader: AnyReader,
    queue: str | None = None,
    after_queue: str | None = None,
    after_key: str = "",
) -> Response:
    after = None if after_queue is None else (after_queue, after_key)
    async with site.reading() as connection:
        found = await site.boss.get_schedules(queue or None, after=after, limit=PAGE + 1, connection=connection)
        shown = found[:PAGE]
        upcoming = [(one, await next_runs(site, one.expression, one.timezone, connection, count=1)) for one in shown]
    following = {"queue": queue or "", "after_queue": shown[-1].name, "after_key": shown[-1].key} if shown else {}
    context = {
        "upcoming": upcoming,
        "queue": queue or "",
        "is_first": after is None,
        "following": f"/schedules?{urlencode(following)}" if len(found) > PAGE else None,
    }
    return page(request, "schedules.html", context, at="schedules")


@router.get("/schedule")
async def show_schedule(
    request: Request, site: AnySite, reader: AnyReader, options: Options, queue: str, key: str = ""
) -> Response:
    async with site.reading() as connection:
        found = await found_schedule(site, Place(queue=queue, key=key), connection)
        past = await site.run(schedule_history(site.schema, queue, key), connection)
        runs = await next_runs(site, found.expression, found.timezone, connection)
    context = {
        "schedule": found,
        "data": tree(redacted(found.data, options.redact)),
        "options": tree(redacted(found.options, options.redact)),
        "next": runs,
        "past": past,
    }
    return page(request, "schedule.html", context, at="schedules")


@router.post("/schedule/run")
async def run_now(change: AnyChange, queue: str, key: str = "") -> Response:
    sent = await run_schedule(Place(queue=queue, key=key), change.site, change.writer)
    if sent.id is None:
        return change.done("Nothing was sent: the queue's policy has no room for it now.", to=schedule_path(queue, key))
    return change.done("Its job is sent.", to=f"/jobs/{sent.id}")


@router.post("/schedule/delete")
async def unschedule(change: AnyChange, queue: str, key: str = "") -> Response:
    await delete_schedule(queue, change.site, change.writer, key)
    return change.done("The schedule is deleted. The jobs that it has made stay.", to="/schedules")
