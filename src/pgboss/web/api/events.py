"""Server-sent events: the counts of all queues, and how one job is doing, as they change."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import asdict
from typing import Any, TypeVar
from uuid import UUID

from fastapi import APIRouter
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from pgboss.insights import JobNews
from pgboss.web.api.job_bodies import job_summary
from pgboss.web.api.jobs import Queue
from pgboss.web.dependencies import AnyReader, AnySite, Options
from pgboss.web.feed import Snapshot
from pgboss.web.jobs import found_job
from pgboss.web.options import WebOptions

__all__ = ["EventStream", "router"]

router = APIRouter(tags=["events"])

T = TypeVar("T")

HEARTBEAT = ": still here\n\n"
GONE = "event: gone\ndata: {}\n\n"


class EventStream(StreamingResponse):
    """Server-sent events from an async generator, which is closed with the answer, however that ends.

    It must end when its site closes, as those of feeds do: servers that stop wait for it.
    """

    media_type = "text/event-stream"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # Cancelled while it sends, the answer would leave its generator to the garbage collector.
        async with aclosing(self.body_iterator):  # type: ignore[type-var]  # always a generator here
            await super().__call__(scope, receive, send)


def _documented(description: str) -> dict[int | str, dict[str, Any]]:
    return {200: {"description": description, "content": {"text/event-stream": {}}}}


@router.get("/events", response_class=EventStream, responses=_documented("Events named `counts`."))
async def get_events(site: AnySite, reader: AnyReader) -> Any:
    """The counts of all queues: at once, and again whenever they have changed."""
    return _stream(_counts(site.counts.listen()))


@router.get(
    "/jobs/{id}/events",
    response_class=EventStream,
    responses=_documented("Events named `job`, and at the end one named `gone` if the job is."),
)
async def get_job_events(id: UUID, site: AnySite, reader: AnyReader, options: Options, queue: Queue = None) -> Any:
    """How a job is doing, as a summary: at once, and again whenever it has changed."""
    job = await found_job(site, id, queue)
    return _stream(_job(site.jobs.listen((job.name, job.id)), options))


def _stream(events: AsyncGenerator[str, None]) -> EventStream:
    return EventStream(events, headers={"X-Accel-Buffering": "no"})


async def _counts(listening: AsyncGenerator[Snapshot[Any] | None, None]) -> AsyncGenerator[str, None]:
    async with aclosing(listening) as news:
        async for snapshot in news:
            if snapshot is None:
                yield HEARTBEAT
            else:
                queues = [asdict(one) for one in snapshot.value.queues]
                yield _event("counts", snapshot, {"version": snapshot.version, "queues": queues})


async def _job(
    listening: AsyncGenerator[Snapshot[JobNews | None] | None, None], options: WebOptions
) -> AsyncGenerator[str, None]:
    async with aclosing(listening) as news:
        async for snapshot in news:
            if snapshot is None:
                yield HEARTBEAT
            elif snapshot.value is None:
                yield GONE
                return
            else:
                shown = job_summary(snapshot.value.job, snapshot.value.output, options)
                yield _event("job", snapshot, shown.model_dump(mode="json"))


def _event(name: str, snapshot: Snapshot[T], data: dict[str, Any]) -> str:
    return f"id: {snapshot.version}\nevent: {name}\ndata: {json.dumps(data)}\n\n"
