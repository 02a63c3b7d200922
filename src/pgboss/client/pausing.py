"""Calls that pause work and resume it."""

from __future__ import annotations

from uuid import UUID

from pgboss.client.base import ClientBase, Connection
from pgboss.core.checks import as_uuid
from pgboss.core.pause import Pause
from pgboss.core.target import QueueLike, queue_name
from pgboss.operations import pauses as operations

__all__ = ["PauseCalls"]


class PauseCalls(ClientBase):
    """Pausing queues and instances, from any process."""

    async def pause_queue(self, queue: QueueLike) -> None:
        """Have all Python workers claim nothing more of a queue, within about two seconds, until it is resumed.

        What runs may finish, what was claimed ahead goes back, and jobs can still be sent. Node's workers and
        ``fetch`` know nothing of pauses. The first pause makes a table of ours, which takes the right to create one.

        Raises:
            QueueNotFoundError: the queue does not exist.
        """
        await self._run(operations.pause_queue(self._queues(), queue_name(queue)))

    async def resume_queue(self, queue: QueueLike) -> bool:
        """Let workers claim jobs of a queue again; whether it was paused."""
        return await self._run(operations.resume_queue(self.schema, queue_name(queue)))

    async def pause_instance(self, id: UUID | str) -> None:
        """Have one instance of Python's claim nothing more of any queue, as by :meth:`pause_queue`.

        To drain a process before it is stopped, for example; a restarted process is another instance.
        """
        await self._run(operations.pause(self.schema, "instance", str(as_uuid("id", id))))

    async def resume_instance(self, id: UUID | str) -> bool:
        """Let an instance claim jobs again; whether it was paused."""
        return await self._run(operations.resume(self.schema, "instance", str(as_uuid("id", id))))

    async def get_pauses(self, *, connection: Connection | None = None) -> list[Pause]:
        """Read which queues and instances are paused, the earliest first."""
        return await self._run(operations.get_pauses(self.schema), connection)
