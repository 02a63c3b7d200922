"""Calls about queues."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Unpack

from pgboss.client.base import ClientBase, Connection
from pgboss.core.options import QueueKeywords, QueueOptions
from pgboss.core.queue import Queue
from pgboss.core.target import QueueLike, queue_name
from pgboss.operations import queues as operations
from pgboss.operations.delete_queue import delete_queue

__all__ = ["QueueCalls"]


class QueueCalls(ClientBase):
    """Creating, changing, reading and deleting queues."""

    async def create_queue(
        self, queue: QueueLike, *, connection: Connection | None = None, **options: Unpack[QueueKeywords]
    ) -> None:
        """Create a queue; one that exists is left as it is, whatever its options.

        Options that are absent come from the instance's ``queue_defaults``.

        Raises:
            ValidationError: the name or an option is out of range.
            QueueNotFoundError: the dead letter queue does not exist.
        """
        chosen = QueueOptions(**options).over(self._queue_defaults)
        await self._run(operations.create_queue(self.schema, queue_name(queue), chosen), connection)

    async def update_queue(
        self, queue: QueueLike, *, connection: Connection | None = None, **options: Unpack[QueueKeywords]
    ) -> None:
        """Change options of a queue, for jobs sent from now on; a queue that does not exist is passed over.

        ``None`` clears retry_delay_max, heartbeat_seconds and dead_letter. Policy and partition are fixed.

        Raises:
            ValidationError: no option is given, one is out of range, or one is fixed.
            QueueNotFoundError: the dead letter queue does not exist.
        """
        changes = QueueOptions(**options)
        await self._run(operations.update_queue(self.schema, queue_name(queue), changes), connection)

    async def get_queue(self, queue: QueueLike, *, connection: Connection | None = None) -> Queue | None:
        """Read one queue, or ``None``."""
        return await self._run(operations.get_queue(self.schema, queue_name(queue)), connection)

    async def get_queues(
        self,
        queues: Sequence[QueueLike] | None = None,
        *,
        after: QueueLike | None = None,
        limit: int | None = None,
        connection: Connection | None = None,
    ) -> list[Queue]:
        """Read queues by name, or all of them, in name order; unknown names are passed over.

        Args:
            queues: only these.
            after: continue behind this name: the last one of the page before.
            limit: at most this many, from 1 to 100,000; without it all.
            connection: the caller's connection.

        Raises:
            ValidationError: a name or the limit is out of range.
        """
        names = None if queues is None else [queue_name(queue) for queue in queues]
        last = None if after is None else queue_name(after)
        return await self._run(operations.get_queues(self.schema, names, after=last, limit=limit), connection)

    async def delete_queue(self, queue: QueueLike, *, connection: Connection | None = None) -> None:
        """Delete a queue with its jobs, schedules and subscriptions; a missing one is passed over.

        The jobs go in batches of 10,000, each committed by itself, and then the queue; a table of its own is dropped
        at once, between two moments of its users. With ``connection`` all of it is part of the caller's transaction.

        Raises:
            ConflictError: another queue, or another queue's job, names it as its dead letter queue; or its own table
                stayed busy through 12 tries, within about four seconds.
        """
        await self._run(delete_queue(self._queues(connection), queue_name(queue)), connection)
