"""Finding one job, and acting on one or on all that match a filter: for the API and the dashboard alike.

An action on many is a series of batches, each a transaction that records it. What was done when one breaks off stays
done, and a job that no longer is what the action is for is passed over.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, TypeAlias
from uuid import UUID

from pgboss.client import Client
from pgboss.core.flow import DependencyRef
from pgboss.core.job import JobDetails, JobState, Settled
from pgboss.core.job_filter import JobFilter
from pgboss.errors import JobConflictError, ValidationError
from pgboss.insights import find_ids, glances_of, jobs_by_id
from pgboss.web.access import Principal
from pgboss.web.problems import Problem
from pgboss.web.site import Site

__all__ = ["MOST_AT_ONCE", "BulkAction", "JobAction", "act", "act_on_all", "act_on_these", "applies_to", "found_job"]

JobAction: TypeAlias = Literal["retry", "cancel", "resume", "delete"]

MOST_AT_ONCE = 10_000
"""So many jobs are acted on, or counted, for one request at most."""
BATCH = 1000
MOST_WINDOWS = 100
"""So many windows of a listing are looked through for one request, with whatever they hold."""

_STATES: Final[dict[JobAction, tuple[JobState, ...]]] = {
    "retry": ("failed",),
    "cancel": ("created", "retry", "active"),
    "resume": ("cancelled",),
    "delete": ("created", "retry", "active", "completed", "cancelled", "failed"),
}
_VERBS: Final[dict[JobAction, str]] = {action: action for action in _STATES} | {"delete": "delete_job"}


@dataclass(frozen=True, slots=True)
class BulkAction:
    """What was done, or would be.

    Attributes:
        matched: how many jobs match the filter and are in a state that the action is for, as far as was looked.
        changed: how many of them were changed; none by a dry run.
        conflicts: how many were not, because another job has taken their slot in the queue's policy.
        next: where to go on for the rest; ``None`` when these are all.
    """

    matched: int = 0
    changed: int = 0
    conflicts: int = 0
    next: str | None = None


async def found_job(site: Site, id: UUID, queue: str | None) -> JobDetails:
    """The job of an id, and of a queue where several use that id.

    Raises:
        Problem: there is none, or there are several and no queue is named.
    """
    found = await site.read(jobs_by_id(site.schema, id, queue))
    if not found:
        raise Problem(404, "job_not_found", f"There is no job {id}.")
    if len(found) > 1:
        names = ", ".join(sorted(job.name for job in found))
        raise Problem(409, "several_jobs", f"Several queues have a job {id}: {names}. Say which one, with ?queue=.")
    return found[0]


def applies_to(action: JobAction, state: JobState) -> bool:
    """Whether there is a point in doing this to a job in that state."""
    return state in _STATES[action]


async def act(site: Site, who: Principal, action: JobAction, job: JobDetails) -> None:
    """Do something to one job.

    Raises:
        Problem: its state is none that this can be done in.
        JobConflictError: another job has taken its slot in the queue's policy.
    """
    async with site.acting(who, _VERBS[action], queue=job.name, ids=[str(job.id)]) as connection:
        settled = await _call(site.boss, action)(job.name, [job.id], connection=connection)
        if not settled.affected:
            states = " or ".join(_STATES[action])
            raise Problem(409, "wrong_state", f"Job {job.id} is not {states}, so there is nothing to {action}.")


async def act_on_all(
    site: Site,
    who: Principal,
    action: JobAction,
    wanted: JobFilter,
    *,
    dry_run: bool,
    after: str | None = None,
    most: int = MOST_AT_ONCE,
) -> BulkAction:
    """Do something to the jobs that match a filter, and are in a state that it is for.

    Args:
        site: whose jobs.
        who: does it.
        action: what.
        wanted: which jobs; something must be said of them.
        dry_run: only count them.
        after: go on where an earlier call has ended.
        most: so many of them at most.

    Raises:
        ValidationError: the filter says nothing, or ``after`` is no place in its list.
        QueueNotFoundError: the queue does not exist.
    """
    if wanted == JobFilter():
        raise ValidationError("Say which jobs: at least one filter is needed, such as the queue's name.")
    states = tuple(state for state in _STATES[action] if state in (wanted.states or _STATES[action]))
    if not states:
        return BulkAction()
    # Where the action is for every state, naming them all would only hide the order by which there is an index.
    narrowed = replace(wanted, states=states) if wanted.states or action != "delete" else wanted
    done = BulkAction(next=after)
    for _ in range(MOST_WINDOWS):
        limit = min(most if dry_run else BATCH, most - done.matched)
        page = await site.read(find_ids(site.catalog, narrowed, after=done.next, limit=limit))
        changed, conflicts = (0, 0) if dry_run else await _batch(site, who, action, page.jobs, filter=wanted.said())
        done = BulkAction(
            done.matched + len(page.jobs), done.changed + changed, done.conflicts + conflicts, next=page.next
        )
        if page.next is None or done.matched >= most:
            break
    return done


async def act_on_these(
    site: Site, who: Principal, action: JobAction, jobs: Sequence[DependencyRef], *, dry_run: bool, **why: Any
) -> BulkAction:
    """Do something to these jobs, as far as they are there and in a state that it is for.

    Args:
        site: whose jobs.
        who: does it.
        action: what.
        jobs: up to :data:`MOST_AT_ONCE`.
        dry_run: only count them.
        **why: what the record says of them, instead of their ids.
    """
    nodes = await site.read(glances_of(site.schema, jobs))
    fitting = [ref for ref, node in zip(jobs, nodes, strict=True) if node.job and applies_to(action, node.job.state)]
    changed = conflicts = 0
    for start in range(0, 0 if dry_run else len(fitting), BATCH):
        done, refused = await _batch(site, who, action, fitting[start : start + BATCH], **why)
        changed, conflicts = changed + done, conflicts + refused
    return BulkAction(len(fitting), changed, conflicts)


async def _batch(
    site: Site, who: Principal, action: JobAction, jobs: Iterable[DependencyRef], **why: Any
) -> tuple[int, int]:
    by_queue = defaultdict[str, list[UUID]](list)
    for job in jobs:
        by_queue[job.name].append(job.id)
    changed = conflicts = 0
    for queue, ids in by_queue.items():
        # Not by their ids where there is a reason: a record of a thousand of them would be read by nobody.
        said = {"queue": queue, "jobs": len(ids)} | (why or {"ids": [str(id) for id in ids]})
        async with site.acting(who, _VERBS[action], **said) as connection:
            done, refused = await _settle(_call(site.boss, action), queue, ids, connection)
        changed, conflicts = changed + done, conflicts + refused
    return changed, conflicts


async def _settle(call: _Call, queue: str, ids: Sequence[UUID], connection: Any) -> tuple[int, int]:
    """How many were changed and how many refused; one that is refused keeps none of the others from it."""
    try:
        return (await call(queue, ids, connection=connection)).affected, 0
    except JobConflictError:
        if len(ids) == 1:
            return 0, 1
    half = len(ids) // 2
    first = await _settle(call, queue, ids[:half], connection)
    second = await _settle(call, queue, ids[half:], connection)
    return first[0] + second[0], first[1] + second[1]


_Call: TypeAlias = Callable[..., Awaitable[Settled]]


def _call(boss: Client, action: JobAction) -> _Call:
    calls: dict[JobAction, _Call] = {
        "retry": boss.retry,
        "cancel": boss.cancel,
        "resume": boss.resume,
        "delete": boss.delete_job,
    }
    return calls[action]
