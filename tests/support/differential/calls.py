"""The one table of calls: what a step may say, how Node is called for it, and how we are.

A step names its call in pg-boss's words. Where a job is meant it says what it was in this script:

    "first"                  the job that the step with ``"as": "first"`` made
    {"$nth": ["queue", 0]}   the oldest job of a queue, or the n-th; with a state as third, of those in that state
    {"$fetched": "taken"}    all jobs that the fetch with ``"as": "taken"`` returned
    {"$ref": ["all", "a"]}   job "a" of the flow with ``"as": "all"``
    {"$at": 30}              not a job: the instant 30 s after the script's beginning

``"fenced": true`` names the attempt last fetched instead of the job alone. What is not there has an id without a job.
``"by": "node"`` has a Node instance supervise on both sides: on ours it takes a turn between ours.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, TypeAlias
from uuid import UUID

from pgboss.core.checks import UNSET
from pgboss.core.job import Attempt, Job
from support.differential.database import BASE
from support.node_process import UNDEFINED

__all__ = ["CALLS", "Known", "Script", "Step", "for_node", "for_us", "instants", "snake_case"]

Step: TypeAlias = dict[str, Any]
Script: TypeAlias = list[Step]

NOBODY = UUID("ffffffff-ffff-4fff-bfff-ffffffffffff")

# Node's positional arguments, by the key of the step that holds each.
CALLS: dict[str, tuple[str, ...]] = {
    "createQueue": ("queue", "options"),
    "updateQueue": ("queue", "options"),
    "getQueue": ("queue",),
    "getQueues": ("queues",),
    "deleteQueue": ("queue",),
    "send": ("queue", "data", "options"),
    "sendAfter": ("queue", "data", "options", "after"),
    "sendThrottled": ("queue", "data", "options", "seconds", "key"),
    "sendDebounced": ("queue", "data", "options", "seconds", "key"),
    "insert": ("queue", "rows", "options"),
    "update": ("queue", "data", "options"),
    "upsert": ("queue", "data", "options"),
    "fetch": ("queue", "options"),
    "complete": ("queue", "jobs", "output", "options"),
    "fail": ("queue", "jobs", "output"),
    "cancel": ("queue", "jobs"),
    "resume": ("queue", "jobs"),
    "retry": ("queue", "jobs"),
    "touch": ("queue", "jobs"),
    "deleteJob": ("queue", "jobs"),
    "deleteQueuedJobs": ("queue",),
    "deleteStoredJobs": ("queue",),
    "deleteAllJobs": ("queue",),
    "findJobs": ("queue", "options"),
    "getBlockedKeys": ("queue", "options"),
    "flow": ("parts",),
    "resolveFlow": (),
    "getDependencies": ("queue", "job", "options"),
    "getDependents": ("queue", "job", "options"),
    "redrive": ("queue", "options"),
    "previewRedrive": ("queue", "options"),
    "subscribe": ("event", "queue"),
    "unsubscribe": ("event", "queue"),
    "publish": ("event", "data", "options"),
    "supervise": ("queue",),
    "getQueueStats": ("queue", "options"),
    "schedule": ("queue", "expression", "data", "options"),
    "unschedule": ("queue", "key"),
    "getSchedule": ("queue", "key"),
    "getSchedules": ("queue", "key", "options"),
    "previewSchedule": ("expression", "options"),
    # A pass over all schedules, the delivery of what it found, and what older releases leave in the rows.
    "cronPass": (),
    "deliverSchedules": (),
    "mislabel": ("queue", "kind"),
    "putExpression": ("queue", "expression", "tz"),
}

_KEYS = {"call", "as", "fenced", "by"}


def for_node(step: Step) -> dict[str, Any]:
    """A step as ``differential.mjs`` takes it."""
    names = CALLS[step["call"]]
    unknown = set(step) - _KEYS - set(names)
    assert not unknown, f"{step['call']} takes {names}, not {unknown}"
    arguments = [_argument(step, name) for name in names]
    while arguments and arguments[-1] is UNDEFINED:
        arguments.pop()
    return {"method": step["call"], "args": arguments, "as": step.get("as")}


def _argument(step: Step, name: str) -> Any:
    if name not in step:
        return UNDEFINED
    if name == "job":
        return _reference(step[name])
    if name != "jobs":
        return step[name]
    jobs = {"$list": [_reference(job) for job in step["jobs"]]}
    return {"$attempts": jobs} if step.get("fenced") else jobs


def _reference(job: str | dict[str, Any]) -> dict[str, Any]:
    return {"$job": job} if isinstance(job, str) else job


def instants(script: Script) -> list[int]:
    """When each step happens, in milliseconds from the beginning: one after the other, and ``advance`` besides."""
    now, found = 0, []
    for step in script:
        now += 1
        now += round(step.get("advance", 0) * 1000)
        found.append(now)
    return found


class Known:
    """What our side of a script has seen so far."""

    def __init__(self, nth: Callable[..., Awaitable[UUID | None]]) -> None:
        self._nth = nth
        self._results: dict[str, Any] = {}
        self._attempts: dict[UUID, Job] = {}

    def remember(self, step: Step, result: Any) -> None:
        if step["call"] == "fetch":
            self._attempts.update((job.id, job) for job in result)
        if "as" in step:
            self._results[step["as"]] = result

    async def jobs(self, step: Step) -> list[UUID | Job | Attempt]:
        """The jobs that a step is about."""
        ids = [id for job in step["jobs"] for id in await self._ids(_reference(job))]
        return [self._attempts.get(id) or Attempt(id, 0) for id in ids] if step.get("fenced") else list(ids)

    async def resolve(self, value: Any) -> Any:
        """A value of a step with everything it refers to in its place."""
        if isinstance(value, list):
            return [await self.resolve(inner) for inner in value]
        if not isinstance(value, dict):
            return value
        if "$at" in value:
            return BASE + timedelta(seconds=value["$at"])
        if value.keys() & {"$job", "$nth", "$ref", "$fetched"}:
            return (await self._ids(value))[0]
        return {key: await self.resolve(inner) for key, inner in value.items()}

    async def _ids(self, reference: dict[str, Any]) -> list[UUID]:
        match reference:
            case {"$job": label}:
                found = self._results.get(label)
                ids = [found] if isinstance(found, UUID) else [getattr(job, "id", job) for job in found or []][:1]
                return ids or [NOBODY]
            case {"$fetched": label}:
                return [job.id for job in self._results.get(label) or []]
            case {"$ref": [label, ref]}:
                return [(self._results.get(label) or {}).get(ref, NOBODY)]
            case {"$nth": which}:
                return [await self._nth(*which) or NOBODY]
        raise AssertionError(f"No job is meant by {reference}")


async def for_us(boss: Any, step: Step, known: Known) -> Any:
    """Make the call of a step on our side and return what it returned."""
    call = step["call"]
    return await OURS.get(call, _by_name)(boss, step, known)


async def _by_name(boss: Any, step: Step, known: Known) -> Any:
    """A call like Node's: its positional arguments are, and its options are keywords."""
    arguments = [await _ours(step, name, known) for name in CALLS[step["call"]] if name != "options" and name in step]
    return await getattr(boss, snake_case(step["call"]))(*arguments, **await keywords(step, known))


async def _ours(step: Step, name: str, known: Known) -> Any:
    if name == "jobs":
        return await known.jobs(step)
    return await known.resolve(_reference(step[name]) if name == "job" else step[name])


async def keywords(step: Step, known: Known) -> dict[str, Any]:
    return in_our_words(await known.resolve(step.get("options", {})))


def in_our_words(options: dict[str, Any]) -> dict[str, Any]:
    """pg-boss's options by our names."""
    ours = {snake_case(name): value for name, value in options.items() if name != "group"}
    group = options.get("group") or {}
    return ours | {f"group_{name}": value for name, value in group.items()}


def snake_case(name: str) -> str:
    return re.sub(r"([A-Z])", lambda found: "_" + found[1].lower(), name)


async def _send(boss: Any, step: Step, known: Known) -> Any:
    options = await keywords(step, known)
    return await boss.send(step["queue"], step.get("data"), **options)


async def _send_after(boss: Any, step: Step, known: Known) -> Any:
    after = await known.resolve(step["after"])
    return await boss.send_after(step["queue"], step.get("data"), after, **await keywords(step, known))


async def _send_in_slot(boss: Any, step: Step, known: Known) -> Any:
    method = getattr(boss, snake_case(step["call"]))
    key = {"key": step["key"]} if "key" in step else {}
    return await method(step["queue"], step.get("data"), step["seconds"], **key, **await keywords(step, known))


async def _insert(boss: Any, step: Step, known: Known) -> Any:
    rows = [in_our_words(row) for row in await known.resolve(step["rows"])]
    return await boss.insert(step["queue"], rows, **await keywords(step, known))


async def _edit(boss: Any, step: Step, known: Known) -> Any:
    method = getattr(boss, step["call"])
    return await method(step["queue"], step.get("data", UNSET), **await keywords(step, known))


async def _fetch(boss: Any, step: Step, known: Known) -> Any:
    options = await keywords(step, known)
    fetch = boss.fetch_details if options.pop("include_metadata", False) else boss.fetch
    return await fetch(step["queue"], **options)


async def _settle(boss: Any, step: Step, known: Known) -> Any:
    output = (step["output"],) if "output" in step else ()
    method = getattr(boss, snake_case(step["call"]))
    return await method(step["queue"], await known.jobs(step), *output, **await keywords(step, known))


async def _flow(boss: Any, step: Step, known: Known) -> Any:
    parts = [
        {snake_case(key): in_our_words(value) if key == "options" else value for key, value in part.items()}
        for part in await known.resolve(step["parts"])
    ]
    return await boss.flow(parts)


async def _preview(boss: Any, step: Step, known: Known) -> Any:
    found = await boss.preview_redrive(step["queue"], **await keywords(step, known))
    destinations = [{"name": name, "count": count} for name, count in found.destinations.items()]
    return {"total": found.total, "destinations": destinations, "unroutable": found.unroutable}


async def _supervise(boss: Any, step: Step, known: Known) -> Any:
    await boss.supervise(step.get("queue"), by_node=step.get("by") == "node")


async def _get_queue_stats(boss: Any, step: Step, known: Known) -> Any:
    options = await keywords(step, known)
    if "from" in options:
        options["from_"] = options.pop("from")
    return await boss.get_queue_stats(step["queue"], **options)


async def _schedule(boss: Any, step: Step, known: Known) -> Any:
    return await boss.schedule(step["queue"], step["expression"], step.get("data"), **await keywords(step, known))


async def _get_schedules(boss: Any, step: Step, known: Known) -> Any:
    options = await keywords(step, known)
    if "after" in options:
        options["after"] = (options["after"]["name"], options["after"]["key"])
    return await boss.get_schedules(step.get("queue"), key=step.get("key"), **options)


async def _preview_schedule(boss: Any, step: Step, known: Known) -> Any:
    options = await keywords(step, known)
    if "from" in options:
        options["after"] = options.pop("from")
    return await boss.preview_schedule(step["expression"], **options)


OURS: dict[str, Callable[[Any, Step, Known], Awaitable[Any]]] = {
    "send": _send,
    "sendAfter": _send_after,
    "sendThrottled": _send_in_slot,
    "sendDebounced": _send_in_slot,
    "insert": _insert,
    "update": _edit,
    "upsert": _edit,
    "fetch": _fetch,
    "complete": _settle,
    "fail": _settle,
    "flow": _flow,
    "previewRedrive": _preview,
    "supervise": _supervise,
    "getQueueStats": _get_queue_stats,
    "schedule": _schedule,
    "getSchedules": _get_schedules,
    "previewSchedule": _preview_schedule,
}
