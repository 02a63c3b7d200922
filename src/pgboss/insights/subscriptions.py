"""Which queues hear of which events."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from pgboss.core.checks import text
from pgboss.core.names import SchemaName
from pgboss.core.query import Steps
from pgboss.sql import pubsub as sql

__all__ = ["Subscription", "subscriptions"]


@dataclass(frozen=True, slots=True)
class Subscription:
    """A queue that gets a job whenever the event is published."""

    event: str
    queue: str
    created_on: datetime


def subscriptions(
    schema: SchemaName, *, event: str | None, queue: str | None, after: tuple[str, str] | None, limit: int
) -> Steps[list[Subscription]]:
    """Subscriptions in the order of event and queue, behind the pair ``after``."""
    for value in (event, queue, *(after or ())):
        if value is not None:
            text("event or queue", value)
    return [Subscription(*row) for row in (yield sql.find(schema, event, queue, after, limit)).values]
