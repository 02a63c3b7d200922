"""Calls about the keys of ordered queues."""

from __future__ import annotations

from pgboss.client.base import ClientBase, Connection
from pgboss.core.target import QueueLike, queue_name
from pgboss.operations import keys as operations

__all__ = ["KeyCalls"]


class KeyCalls(ClientBase):
    """Finding out which keys stand still."""

    async def get_blocked_keys(
        self, queue: QueueLike, *, limit: int = 1000, after: str | None = None, connection: Connection | None = None
    ) -> list[str]:
        """Read the keys of a ``key_strict_fifo`` queue that stand still because a job of theirs has failed.

        Such a key goes on once that job is retried and succeeds, or is deleted.

        Args:
            queue: the queue.
            limit: at most this many keys, from 1 to 100,000.
            after: continue behind this key: the last one of the page before.
            connection: the caller's connection.

        Returns:
            The keys, in the order of the database.

        Raises:
            QueueNotFoundError: the queue does not exist.
            ValidationError: the queue has another policy, or an option is out of its range.
        """
        return await self._run(
            operations.get_blocked_keys(self._queues(connection), queue_name(queue), limit=limit, after=after),
            connection,
        )
