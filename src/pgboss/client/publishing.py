"""Calls about events: who wants to hear of them, and telling."""

from __future__ import annotations

from typing import TypeVar, Unpack, overload
from uuid import UUID

from pgboss.client.base import ClientBase, Connection
from pgboss.core.call import Call
from pgboss.core.options import SendKeywords, SendOptions
from pgboss.core.target import QueueLike, Target, outgoing, queue_name
from pgboss.core.wire import JSON
from pgboss.operations import pubsub as operations

__all__ = ["PublishCalls"]

P = TypeVar("P")


class PublishCalls(ClientBase):
    """Subscribing queues to events, and publishing."""

    async def subscribe(self, event: QueueLike, queue: QueueLike, *, connection: Connection | None = None) -> None:
        """Let a queue get a job whenever the event is published; once is enough, and it lasts as long as the queue.

        Args:
            event: any text that is not empty, or an event made by ``jobs.event``.
            queue: the queue.
            connection: the caller's connection.

        Raises:
            ValidationError: the event is empty, or the queue's name out of range.
            QueueNotFoundError: the queue does not exist.
        """
        await self._run(operations.subscribe(self.schema, queue_name(event), queue_name(queue)), connection)

    async def unsubscribe(self, event: QueueLike, queue: QueueLike, *, connection: Connection | None = None) -> None:
        """Let a queue no longer hear of an event; one that does not is passed over.

        Raises:
            ValidationError: the event is empty, or the queue's name out of range.
        """
        await self._run(operations.unsubscribe(self.schema, queue_name(event), queue_name(queue)), connection)

    @overload
    async def publish(
        self, event: str, data: JSON = None, *, connection: Connection | None = None, **options: Unpack[SendKeywords]
    ) -> dict[str, UUID | None]: ...

    @overload
    async def publish(
        self,
        event: Target[None],
        data: None = None,
        *,
        connection: Connection | None = None,
        **options: Unpack[SendKeywords],
    ) -> dict[str, UUID | None]: ...

    @overload
    async def publish(
        self, event: Target[P], data: P, *, connection: Connection | None = None, **options: Unpack[SendKeywords]
    ) -> dict[str, UUID | None]: ...

    async def publish(
        self,
        event: QueueLike,
        data: object = None,
        *,
        connection: Connection | None = None,
        **options: Unpack[SendKeywords],
    ) -> dict[str, UUID | None]:
        """Create a job in every queue that subscribes to the event: in all of them, or after an error in none.

        Returns:
            The new job's id by queue; ``None`` where it was left out, as ``send`` leaves one out. Without a subscriber
            the mapping is empty.

        Raises:
            ValidationError: the event is empty, an option out of range, or a subscriber's policy wants a key.
            PayloadError: the data is not JSON, is too large, or does not fit the event's payload type.
            QueueNotFoundError: the dead letter queue named does not exist.
        """
        return await self._run(
            operations.publish(
                self.schema,
                queue_name(event),
                outgoing(event, data),
                SendOptions(**options),
                self._max_payload_bytes,
            ),
            connection,
            Call("publish", "send", queue_name(event)),
        )
