"""Calls that delete many jobs at once.

Each is a series of short transactions, so workers hardly notice; when one breaks off, what was deleted so far stays
deleted. With ``connection`` all of it is part of the caller's transaction instead.
"""

from __future__ import annotations

from typing import Literal, overload

from pgboss.client.base import ClientBase, Connection
from pgboss.core.target import QueueLike, queue_name
from pgboss.operations import deletes as operations

__all__ = ["DeleteCalls"]


class DeleteCalls(ClientBase):
    """Deleting jobs by their state."""

    async def delete_queued_jobs(self, queue: QueueLike, *, connection: Connection | None = None) -> int:
        """Delete the jobs of a queue that wait (created or retry), and return how many.

        Raises:
            QueueNotFoundError: the queue does not exist.
        """
        return await self._run(
            operations.delete_jobs(self._queues(connection), queue_name(queue), "queued", counting=connection is None),
            connection,
        )

    async def delete_stored_jobs(self, queue: QueueLike, *, connection: Connection | None = None) -> int:
        """Delete the jobs of a queue that have ended (completed, cancelled or failed), and return how many.

        Raises:
            QueueNotFoundError: the queue does not exist.
        """
        return await self._run(
            operations.delete_jobs(self._queues(connection), queue_name(queue), "stored", counting=connection is None),
            connection,
        )

    @overload
    async def delete_all_jobs(self, queue: QueueLike, *, connection: Connection | None = None) -> int | None: ...

    @overload
    async def delete_all_jobs(self, *, every_queue: Literal[True], connection: Connection | None = None) -> None: ...

    async def delete_all_jobs(
        self, queue: QueueLike | None = None, *, every_queue: bool = False, connection: Connection | None = None
    ) -> int | None:
        """Delete all jobs of a queue, whatever their state, or with ``every_queue=True`` those of all queues.

        A queue with a table of its own is emptied by TRUNCATE, as is everything: at once, but only when nobody else is
        using the table; until then whoever comes later waits too.

        Returns:
            How many were deleted; ``None`` where a table was emptied, without counting.

        Raises:
            ValidationError: neither a queue nor ``every_queue=True`` is given, or both are.
            QueueNotFoundError: the queue does not exist.
        """
        return await self._run(
            operations.delete_all_jobs(
                self._queues(connection),
                None if queue is None else queue_name(queue),
                every_queue=every_queue,
                counting=connection is None,
            ),
            connection,
        )
