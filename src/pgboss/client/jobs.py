"""Calls that create, claim and read jobs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal, TypeVar, Unpack, overload
from uuid import UUID

from pgboss.client.base import ClientBase, Connection
from pgboss.core.job import Job, JobDetails
from pgboss.core.options import UNSET, FetchKeywords, FetchOptions, SendKeywords, SendOptions, StartAfter, as_uuid
from pgboss.core.target import QueueLike, Target, outgoing, queue_name
from pgboss.core.wire import JSON
from pgboss.operations import jobs as operations
from pgboss.operations.jobs import NewJob

__all__ = ["JobCalls"]

P = TypeVar("P")


class JobCalls(ClientBase):
    """Sending, fetching and finding jobs."""

    @overload
    async def send(
        self, queue: str, data: JSON = None, *, connection: Connection | None = None, **options: Unpack[SendKeywords]
    ) -> UUID | None: ...

    @overload
    async def send(
        self,
        queue: Target[None],
        data: None = None,
        *,
        connection: Connection | None = None,
        **options: Unpack[SendKeywords],
    ) -> UUID | None: ...

    @overload
    async def send(
        self, queue: Target[P], data: P, *, connection: Connection | None = None, **options: Unpack[SendKeywords]
    ) -> UUID | None: ...

    async def send(
        self,
        queue: QueueLike,
        data: object = None,
        *,
        connection: Connection | None = None,
        **options: Unpack[SendKeywords],
    ) -> UUID | None:
        """Create a job and return its id.

        Options that are absent come from the queue's row. With ``connection`` the job is part of that connection's
        transaction: it exists when, and only if, the caller commits.

        Returns:
            The id, or ``None`` when the given id, or the job's slot in the queue's policy, is taken.

        Raises:
            ValidationError: an option is out of range.
            PayloadError: the data is not JSON, is too large, or does not fit the definition's payload type.
            QueueNotFoundError: the queue, or the dead letter queue named, does not exist.
        """
        return await self._run(
            operations.send(
                self.schema,
                queue_name(queue),
                outgoing(queue, data),
                SendOptions(**options),
                self._max_payload_bytes,
            ),
            connection,
        )

    async def send_after(
        self,
        queue: QueueLike,
        data: Any,
        after: StartAfter,
        *,
        connection: Connection | None = None,
        **options: Unpack[SendKeywords],
    ) -> UUID | None:
        """Create a job that waits: until an instant, or for a delay (seconds or a timedelta). See :meth:`send`."""
        options["start_after"] = after
        return await self.send(queue, data, connection=connection, **options)

    @overload
    async def insert(
        self,
        queue: QueueLike,
        jobs: Iterable[NewJob | Mapping[str, Any]],
        *,
        return_id: Literal[True],
        connection: Connection | None = None,
    ) -> list[UUID]: ...

    @overload
    async def insert(
        self,
        queue: QueueLike,
        jobs: Iterable[NewJob | Mapping[str, Any]],
        *,
        return_id: bool = False,
        connection: Connection | None = None,
    ) -> list[UUID] | None: ...

    async def insert(
        self,
        queue: QueueLike,
        jobs: Iterable[NewJob | Mapping[str, Any]],
        *,
        return_id: bool = False,
        connection: Connection | None = None,
    ) -> list[UUID] | None:
        """Create many jobs in one statement: all of them, less those whose id or policy slot is taken.

        Args:
            queue: a queue's name, or a definition, which then checks and encodes each job's data.
            jobs: ``NewJob``s, or mappings with ``data`` and options by name. Unlike in ``send``, a negative
                ``start_after`` is kept, as an instant in the past.
            return_id: whether to return the ids of the jobs created.
            connection: the caller's connection, to create them in its transaction.

        Raises:
            ValidationError: an option is out of range, or an id is given twice.
            PayloadError: see :meth:`send`.
            QueueNotFoundError: see :meth:`send`.
        """
        new = (operations.NewJob.of(job).encoded_by(queue) for job in jobs)
        return await self._run(
            operations.insert(self.schema, queue_name(queue), new, self._max_payload_bytes, return_ids=return_id),
            connection,
        )

    async def fetch(
        self, queue: QueueLike, *, connection: Connection | None = None, **options: Unpack[FetchKeywords]
    ) -> list[Job]:
        """Claim due jobs, most urgent first; they are ``active`` and yours to complete or fail.

        Returns:
            Up to ``batch_size`` (default 1) jobs, in no particular order; empty when none is due.

        Raises:
            QueueNotFoundError: the queue does not exist.
        """
        return await self._run(
            operations.fetch(self._queues(connection), queue_name(queue), FetchOptions(**options)), connection
        )

    async def fetch_details(
        self, queue: QueueLike, *, connection: Connection | None = None, **options: Unpack[FetchKeywords]
    ) -> list[JobDetails]:
        """Claim due jobs like :meth:`fetch`, with everything stored about them (pg-boss's ``includeMetadata``)."""
        return await self._run(
            operations.fetch_details(self._queues(connection), queue_name(queue), FetchOptions(**options)), connection
        )

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
