"""Calls that read jobs without changing them."""

from __future__ import annotations

from uuid import UUID

from pgboss.client.base import ClientBase, Connection
from pgboss.core.checks import UNSET, as_uuid
from pgboss.core.job import JobDetails
from pgboss.core.target import QueueLike, queue_name
from pgboss.core.wire import JSON
from pgboss.operations import find as operations

__all__ = ["FindCalls"]


class FindCalls(ClientBase):
    """Finding jobs."""

    async def find_jobs(
        self,
        queue: QueueLike,
        *,
        id: UUID | str | None = None,
        key: str | None = None,
        data: JSON = UNSET,
        queued: bool = False,
        after: UUID | str | None = None,
        limit: int = 1000,
        connection: Connection | None = None,
    ) -> list[JobDetails]:
        """Read jobs of a queue that match every given filter, oldest first.

        Args:
            queue: the queue.
            id: only this job.
            key: only jobs with this singleton_key.
            data: only jobs whose data contains this JSON (PostgreSQL's ``@>``).
            queued: only jobs that wait (created or retry).
            after: continue behind this job: the last one of the page before.
            limit: at most this many, from 1 to 100,000.
            connection: the caller's connection.

        Raises:
            ValidationError: an id or the limit is out of range, or ``after`` names a job that is gone.
            QueueNotFoundError: the queue does not exist.
        """
        return await self._run(
            operations.find_jobs(
                self._queues(connection),
                queue_name(queue),
                id=None if id is None else as_uuid("id", id),
                key=key,
                data=data,
                queued=queued,
                after=None if after is None else as_uuid("after", after),
                limit=limit,
            ),
            connection,
        )

    async def get_job(
        self, id: UUID | str, *, queue: QueueLike | None = None, connection: Connection | None = None
    ) -> JobDetails | None:
        """Read one job by its id, or ``None``. Naming its queue spares a look into every other."""
        name = None if queue is None else queue_name(queue)
        return await self._run(operations.get_job(self.schema, as_uuid("id", id), name), connection)
