"""Server-sent events: the counts of all queues, as they change."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import asdict
from typing import Any

from fastapi import APIRouter
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from pgboss.web.dependencies import AnyReader, AnySite
from pgboss.web.feed import CountsFeed, CountsSnapshot

__all__ = ["EventStream", "router"]

router = APIRouter(tags=["events"])

HEARTBEAT = ": still here\n\n"


class EventStream(StreamingResponse):
    """Server-sent events from an async generator, which is closed with the answer, however that ends.

    The answer ends when the site closes: servers that stop wait for it.
    """

    media_type = "text/event-stream"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # Cancelled while it sends, the answer would leave its generator to the garbage collector.
        generator: Any = self.body_iterator
        async with aclosing(generator):
            self.body_iterator = _until(scope["app"].state.site.closing, generator)
            async with aclosing(self.body_iterator):
                await super().__call__(scope, receive, send)


async def _until(closing: asyncio.Event, events: AsyncGenerator[Any, None]) -> AsyncGenerator[Any, None]:
    """The events up to the moment when somebody closes."""
    closed = asyncio.ensure_future(closing.wait())
    coming: asyncio.Future[Any] | None = None
    try:
        while True:
            coming = asyncio.ensure_future(anext(events, None))
            await asyncio.wait((closed, coming), return_when=asyncio.FIRST_COMPLETED)
            if closed.done() or (event := coming.result()) is None:
                return
            yield event
    finally:
        closed.cancel()
        if coming is not None and not coming.done():
            coming.cancel()
            await asyncio.wait((coming,))


@router.get(
    "/events",
    response_class=EventStream,
    responses={200: {"description": "Events named `counts`.", "content": {"text/event-stream": {}}}},
)
async def get_events(site: AnySite, reader: AnyReader) -> Any:
    """The counts of all queues: at once, and again whenever they have changed."""
    return EventStream(_events(site.counts), headers={"X-Accel-Buffering": "no"})


async def _events(feed: CountsFeed) -> AsyncGenerator[str, None]:
    async with aclosing(feed.listen()) as news:
        async for snapshot in news:
            yield HEARTBEAT if snapshot is None else _event(snapshot)


def _event(snapshot: CountsSnapshot) -> str:
    data = {"version": snapshot.version, "queues": [asdict(one) for one in snapshot.queues]}
    return f"id: {snapshot.version}\nevent: counts\ndata: {json.dumps(data)}\n\n"
