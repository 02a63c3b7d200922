"""Acting on many jobs, selected ones or all that match a filter: first what it would touch, then the deed.

Everything that says which jobs are meant is in the address of both, so that what was looked at is what is done.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from pgboss.core.flow import DependencyRef
from pgboss.errors import QueueNotFoundError, ValidationError
from pgboss.web.access import Principal
from pgboss.web.dashboard.changes import AnyChange
from pgboss.web.dashboard.job_filters import filter_query, filters_of, wanted_jobs
from pgboss.web.dashboard.pages import page
from pgboss.web.dependencies import AnySite, AnyWriter
from pgboss.web.jobs import MOST_AT_ONCE, BulkAction, JobAction, act_on_all, act_on_these
from pgboss.web.site import Site

__all__ = ["PAST", "router", "told"]

router = APIRouter()

PAST = {"retry": "retried", "cancel": "cancelled", "resume": "resumed", "delete": "deleted"}


class Meant:
    """Which jobs are meant, and what is to become of them."""

    def __init__(
        self,
        request: Request,
        action: JobAction,
        which: Literal["selected", "all"] = "all",
        job: Annotated[Sequence[str], Query()] = (),
    ) -> None:
        self.action: JobAction = action
        self.form = filters_of(request)
        self.selected = [_reference(one) for one in job] if which == "selected" else None

    async def act(self, site: Site, who: Principal, *, dry_run: bool) -> BulkAction:
        """Do it, or count what it would touch.

        Raises:
            ValidationError: the filters are not as they should be, or say nothing.
            QueueNotFoundError: the queue does not exist.
        """
        if self.selected is not None:
            return await act_on_these(site, who, self.action, self.selected, dry_run=dry_run)
        return await act_on_all(site, who, self.action, await wanted_jobs(site, self.form), dry_run=dry_run)


AnyMeant = Annotated[Meant, Depends()]


@router.get("/jobs/act")
async def preview(request: Request, meant: AnyMeant, site: AnySite, writer: AnyWriter) -> Response:
    """What it would touch."""
    found, problem = None, None
    try:
        found = await meant.act(site, writer, dry_run=True)
    except (ValidationError, QueueNotFoundError) as error:
        problem = str(error)
    context = {
        "action": meant.action,
        "past": PAST[meant.action],
        "found": found,
        "problem": problem,
        "selected": meant.selected,
        "filters": meant.form.values,
        "most": MOST_AT_ONCE,
        "back": f"/jobs?{filter_query(meant.form)}",
    }
    return page(request, "jobs_act.html", context, at="jobs", status=422 if problem else 200)


@router.post("/jobs/act")
async def act(meant: AnyMeant, change: AnyChange) -> Response:
    done = await meant.act(change.site, change.writer, dry_run=False)
    return change.done(told(meant.action, done), to=f"/jobs?{filter_query(meant.form)}")


def told(action: JobAction, done: BulkAction) -> str:
    """What came of it, in a sentence or a few."""
    jobs = "1 job is" if done.changed == 1 else f"{done.changed:,} jobs are"
    sentences = [f"{jobs} {PAST[action]}."]
    if done.conflicts:
        sentences.append(f"{done.conflicts:,} were not: by their queue's policy, another job has taken their place.")
    if done.next is not None:
        sentences.append("There may be more: do it again for the rest.")
    return " ".join(sentences)


def _reference(text: str) -> DependencyRef:
    queue, _, id = text.rpartition(":")
    try:
        return DependencyRef(queue, UUID(id))
    except ValueError:
        raise ValidationError(f"{text!r:.100} is no job.") from None
