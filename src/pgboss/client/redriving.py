"""Calls that bring dead letters back to work."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from pgboss.client.base import ClientBase, Connection
from pgboss.core.checks import UNSET
from pgboss.core.redrive import RedriveFilter, RedrivePreview
from pgboss.core.target import QueueLike, queue_name
from pgboss.core.wire import JSON
from pgboss.operations import redrive as operations

__all__ = ["RedriveCalls"]


class RedriveCalls(ClientBase):
    """Moving jobs from a dead letter queue back to work."""

    async def redrive(
        self,
        queue: QueueLike,
        *,
        destination: QueueLike | None = None,
        source_name: QueueLike | None = None,
        data: JSON = UNSET,
        created_before: datetime | None = None,
        ids: Sequence[UUID | str] | None = None,
        limit: int = 1000,
        connection: Connection | None = None,
    ) -> int:
        """Move waiting jobs of a dead letter queue back to the queues they came from, and return how many moved.

        Each becomes a new job with a new id and the settings its queue has now; data, priority, key and group are
        kept. Jobs whose queue is unknown or gone stay. One that finds its slot taken, by its queue's policy, fails
        where it is, with the reason in its output. Nobody is notified: workers find the jobs when they next look.

        Args:
            queue: the dead letter queue.
            destination: move them here instead.
            source_name: only jobs that failed in this queue.
            data: only jobs whose data contains this JSON object (PostgreSQL's ``@>``).
            created_before: only jobs that came into the dead letter queue before this instant.
            ids: only these jobs, by their ids in the dead letter queue.
            limit: at most this many, the oldest first.
            connection: the caller's connection.

        Raises:
            ValidationError: a filter or the limit is out of range.
            QueueNotFoundError: the dead letter queue, or the destination, does not exist.
            ConflictError: a job without key would go to a key_strict_fifo queue; nothing was moved.
        """
        wanted = RedriveFilter(_name(destination), _name(source_name), data, created_before, ids)
        return await self._run(
            operations.redrive(self._queues(connection), queue_name(queue), wanted, limit), connection
        )

    async def preview_redrive(
        self,
        queue: QueueLike,
        *,
        destination: QueueLike | None = None,
        source_name: QueueLike | None = None,
        data: JSON = UNSET,
        created_before: datetime | None = None,
        ids: Sequence[UUID | str] | None = None,
        limit: int = 1000,
        connection: Connection | None = None,
    ) -> RedrivePreview:
        """Count what :meth:`redrive` would move, and where to, without moving anything.

        At most ``limit`` jobs (from 1 to 100,000) are read of those that would move, and as many of those that would
        stay because the queue they came from is unknown or gone. Slots that are taken are not foreseen.

        Raises:
            ValidationError: a filter or the limit is out of range.
            QueueNotFoundError: the dead letter queue, or the destination, does not exist.
        """
        wanted = RedriveFilter(_name(destination), _name(source_name), data, created_before, ids)
        return await self._run(
            operations.preview_redrive(self._queues(connection), queue_name(queue), wanted, limit), connection
        )


def _name(queue: QueueLike | None) -> str | None:
    return None if queue is None else queue_name(queue)
