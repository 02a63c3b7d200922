"""Events: which queues hear of them, and telling."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict

from pgboss.insights.subscriptions import subscriptions
from pgboss.web.api.paging import Limit
from pgboss.web.dependencies import AnyReader, AnySite, AnyWriter

__all__ = ["router"]

router = APIRouter(tags=["subscriptions"])


class SubscriptionBody(BaseModel):
    """A queue that gets a job whenever the event is published."""

    event: str
    queue: str
    created_at: datetime


class Publication(BaseModel):
    """What happened, with the payload of every job."""

    model_config = ConfigDict(extra="forbid")

    event: str
    data: Any = None


class Published(BaseModel):
    """The new jobs by queue; ``null`` where a queue's policy left its job out."""

    jobs: dict[str, UUID | None]


@router.get("/subscriptions")
async def list_subscriptions(
    site: AnySite,
    reader: AnyReader,
    event: str | None = None,
    queue: str | None = None,
    after_event: str | None = None,
    after_queue: str = "",
    limit: Limit = 100,
) -> list[SubscriptionBody]:
    """Subscriptions in the order of event and queue, behind the one with ``after_event`` and ``after_queue``."""
    after = None if after_event is None else (after_event, after_queue)
    found = await site.read(subscriptions(site.schema, event=event, queue=queue, after=after, limit=limit))
    return [SubscriptionBody(event=one.event, queue=one.queue, created_at=one.created_on) for one in found]


@router.put("/subscriptions", status_code=204)
async def subscribe(event: str, queue: str, site: AnySite, writer: AnyWriter) -> None:
    """Let a queue get a job whenever the event is published."""
    async with site.acting(writer, "subscribe", event=event, queue=queue) as connection:
        await site.boss.subscribe(event, queue, connection=connection)


@router.delete("/subscriptions", status_code=204)
async def unsubscribe(event: str, queue: str, site: AnySite, writer: AnyWriter) -> None:
    """Let a queue no longer hear of an event; one that does not is passed over."""
    async with site.acting(writer, "unsubscribe", event=event, queue=queue) as connection:
        await site.boss.unsubscribe(event, queue, connection=connection)


@router.post("/publish")
async def publish(publication: Publication, site: AnySite, writer: AnyWriter) -> Published:
    """Create a job in every queue that subscribes to the event, or in none."""
    async with site.acting(writer, "publish", event=publication.event) as connection:
        return Published(jobs=await site.boss.publish(publication.event, publication.data, connection=connection))
