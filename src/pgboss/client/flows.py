"""Calls about flows: jobs that wait for others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from pgboss.client.base import ClientBase, Connection
from pgboss.core.call import Call
from pgboss.core.checks import as_uuid
from pgboss.core.flow import DependencyRef, Flow, FlowIds, FlowJob
from pgboss.core.target import QueueLike, queue_name
from pgboss.operations import flows as operations

__all__ = ["FlowCalls"]


class FlowCalls(ClientBase):
    """Creating flows, freeing what waits in them, and reading who waits for whom."""

    async def flow(
        self, jobs: Flow | Iterable[FlowJob | Mapping[str, Any]], *, connection: Connection | None = None
    ) -> FlowIds:
        """Create jobs that wait for one another, all of them or none, and return their ids.

        A job starts when every job it depends on is completed. One that fails for good or is cancelled leaves those
        behind it waiting; retried and completed after all, it frees them.

        Args:
            jobs: a :class:`Flow`, or a list of ``FlowJob``s or of mappings of the same shape.
            connection: the caller's connection, to create them in its transaction.

        Returns:
            The ids by ref; for a ``Flow`` also by what its ``add`` has returned.

        Raises:
            ValidationError: fewer than two jobs, a ref that is given twice or unknown, no dependency at all, jobs that
                wait for one another in a ring, or an option out of range.
            PayloadError: a job's data is not JSON, too large, or does not fit the definition's payload type.
            QueueNotFoundError: a queue, or a dead letter queue, does not exist.
            JobConflictError: a job's id, or its slot in its queue's policy, is taken.
        """
        return await self._run(
            operations.create(self.schema, jobs, self._max_payload_bytes), connection, Call("flow", "send")
        )

    async def resolve_flow(self) -> int:
        """Free the jobs whose last parent is completed, now, and return how many.

        Instances that take part in the upkeep do this by themselves: at once for the jobs they have worked, and every
        five seconds for all others.
        """
        return await self._run(operations.resolve(self.schema))

    async def get_dependencies(
        self,
        queue: QueueLike,
        id: UUID | str,
        *,
        limit: int = 1000,
        after: DependencyRef | None = None,
        connection: Connection | None = None,
    ) -> list[DependencyRef]:
        """Read which jobs a job waits for, or has waited for, by queue and id.

        They are listed until the upkeep removes them, some time after either job is gone.

        Args:
            queue: the job's queue.
            id: its id; for a job that is unknown or in no flow there is nothing to list.
            limit: at most this many, from 1 to 100,000.
            after: continue behind this one: the last of the page before.
            connection: the caller's connection.

        Raises:
            ValidationError: an argument is out of its range.
        """
        return await self._run(
            operations.get_dependencies(self.schema, queue_name(queue), as_uuid("id", id), limit, after), connection
        )

    async def get_dependents(
        self,
        queue: QueueLike,
        id: UUID | str,
        *,
        limit: int = 1000,
        after: DependencyRef | None = None,
        connection: Connection | None = None,
    ) -> list[DependencyRef]:
        """Read which jobs wait for a job, or have waited for it. See :meth:`get_dependencies`."""
        return await self._run(
            operations.get_dependents(self.schema, queue_name(queue), as_uuid("id", id), limit, after), connection
        )
