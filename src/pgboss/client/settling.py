"""Calls that move jobs from one state to another.

Each takes one job or several, either by id or as fetched. An id settles whatever attempt the job is at; a fetched
job only the attempt that was fetched, so a late answer cannot overwrite what somebody else has made of it since.
"""

from __future__ import annotations

from pgboss.client.base import ClientBase, Connection
from pgboss.core.call import Call
from pgboss.core.job import Settled
from pgboss.core.target import QueueLike, queue_name
from pgboss.operations import settle as operations
from pgboss.operations.settle import JobRefs

__all__ = ["SettleCalls"]


class SettleCalls(ClientBase):
    """Completing, failing, cancelling, resuming, retrying, touching and deleting jobs."""

    async def complete(
        self,
        queue: QueueLike,
        jobs: JobRefs,
        output: object = None,
        *,
        include_queued: bool = False,
        connection: Connection | None = None,
    ) -> Settled:
        """Move active jobs to ``completed``, with an output; ``include_queued`` takes waiting ones too.

        Jobs in another state are passed over: see ``Settled.affected``. An output that is not a JSON object is
        stored as ``{"value": output}``.

        Raises:
            PayloadError: the output is not JSON.
            QueueNotFoundError: the queue does not exist.
        """
        return await self._run(
            operations.complete(
                self._queues(connection), queue_name(queue), jobs, output, include_queued=include_queued
            ),
            connection,
            Call("complete", "settle", queue_name(queue)),
        )

    async def fail(
        self, queue: QueueLike, jobs: JobRefs, output: object = None, *, connection: Connection | None = None
    ) -> Settled:
        """Fail jobs that have not finished: to ``retry`` while attempts are left, else ``failed`` and dead-lettered.

        ``output`` may be an exception; it is stored with its name, message and traceback.

        Raises:
            PayloadError: the output is not JSON.
            QueueNotFoundError: the queue does not exist.
        """
        return await self._run(
            operations.fail(self._queues(connection), queue_name(queue), jobs, output),
            connection,
            Call("fail", "settle", queue_name(queue)),
        )

    async def cancel(self, queue: QueueLike, jobs: JobRefs, *, connection: Connection | None = None) -> Settled:
        """Move jobs that have not finished to ``cancelled``; others are passed over.

        Raises:
            QueueNotFoundError: the queue does not exist.
        """
        return await self._run(
            operations.cancel(self._queues(connection), queue_name(queue), jobs),
            connection,
            Call("cancel", "settle", queue_name(queue)),
        )

    async def resume(self, queue: QueueLike, jobs: JobRefs, *, connection: Connection | None = None) -> Settled:
        """Move cancelled jobs back to ``created``; a job that had been started counts a retry when claimed again.

        Raises:
            JobConflictError: another job has taken its slot in the queue's policy.
            QueueNotFoundError: the queue does not exist.
        """
        return await self._run(
            operations.resume(self._queues(connection), queue_name(queue), jobs, counting=connection is None),
            connection,
        )

    async def retry(self, queue: QueueLike, jobs: JobRefs, *, connection: Connection | None = None) -> Settled:
        """Give failed jobs one more attempt, due now; their retry_limit grows by one.

        Raises:
            JobConflictError: another job has taken its slot in the queue's policy.
            QueueNotFoundError: the queue does not exist.
        """
        return await self._run(operations.retry(self._queues(connection), queue_name(queue), jobs), connection)

    async def touch(self, queue: QueueLike, jobs: JobRefs, *, connection: Connection | None = None) -> Settled:
        """Give active jobs a fresh heartbeat; those not among ``settled`` are no longer active.

        Raises:
            QueueNotFoundError: the queue does not exist.
        """
        return await self._run(operations.touch(self._queues(connection), queue_name(queue), jobs), connection)

    async def delete_job(self, queue: QueueLike, jobs: JobRefs, *, connection: Connection | None = None) -> Settled:
        """Delete jobs, whatever their state.

        Raises:
            QueueNotFoundError: the queue does not exist.
        """
        return await self._run(
            operations.delete_job(self._queues(connection), queue_name(queue), jobs, counting=connection is None),
            connection,
            Call("delete", "settle", queue_name(queue)),
        )
