"""Publishing events to the queues that subscribe to them."""

from __future__ import annotations

from uuid import UUID

from pgboss.core.checks import filled_text
from pgboss.core.names import SchemaName, check_queue_name
from pgboss.core.options import SendOptions
from pgboss.core.query import Steps, atomic
from pgboss.core.sqlstate import FOREIGN_KEY_VIOLATION
from pgboss.core.wire import JSON
from pgboss.errors import DatabaseError
from pgboss.operations.queues import queue_not_found
from pgboss.operations.send import key_needed, send
from pgboss.sql import pubsub as sql

__all__ = ["publish", "subscribe", "unsubscribe"]


def subscribe(schema: SchemaName, event: str, name: str) -> Steps[None]:
    """Let a queue get a job whenever the event is published; a subscription that exists is left."""
    filled_text("event", event)
    check_queue_name(name)
    try:
        yield sql.subscribe(schema, event, name)
    except DatabaseError as error:
        if error.sqlstate == FOREIGN_KEY_VIOLATION:
            raise queue_not_found(name) from error
        raise


def unsubscribe(schema: SchemaName, event: str, name: str) -> Steps[None]:
    """Let a queue no longer hear of an event; without a subscription nothing happens."""
    filled_text("event", event)
    check_queue_name(name)
    yield sql.unsubscribe(schema, event, name)


@atomic
def publish(
    schema: SchemaName, event: str, data: JSON, options: SendOptions, max_payload_bytes: int
) -> Steps[dict[str, UUID | None]]:
    """Create a job in every queue that subscribes to the event, or in none."""
    filled_text("event", event)
    subscribers = list((yield sql.subscribers(schema, event)))
    # Looked at first: in a caller's transaction the jobs before the one that is refused would stay. Whatever else can
    # be refused is refused at the first queue.
    if not isinstance(options.singleton_key, str) or not options.singleton_key:
        for queue in subscribers:
            if queue["policy"] == "key_strict_fifo":
                raise key_needed(queue["name"])
    published: dict[str, UUID | None] = {}
    for queue in subscribers:
        published[queue["name"]] = yield from send(schema, queue["name"], data, options, max_payload_bytes)
    return published
