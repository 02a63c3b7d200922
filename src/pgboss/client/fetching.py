"""Calls that claim jobs."""

from __future__ import annotations

from typing import Unpack

from pgboss.client.base import ClientBase, Connection
from pgboss.core.call import Call
from pgboss.core.job import Job, JobDetails
from pgboss.core.options import FetchKeywords, FetchOptions
from pgboss.core.target import QueueLike, queue_name
from pgboss.operations import fetch as operations

__all__ = ["FetchCalls"]


class FetchCalls(ClientBase):
    """Claiming jobs by hand; workers do it by themselves."""

    async def fetch(
        self, queue: QueueLike, *, connection: Connection | None = None, **options: Unpack[FetchKeywords]
    ) -> list[Job]:
        """Claim due jobs, most urgent first; they are ``active`` and yours to complete or fail.

        The queue's policy decides which jobs may be active at once; docs/compatibility.md, "Policies".

        Args:
            queue: the queue.
            connection: the caller's connection.
            **options: ``batch_size``: at most so many, 1 by default. ``min_priority``, ``max_priority``: leave jobs
                below or above to others. ``ignore_start_after``: also take jobs that are not due yet.
                ``ignore_groups``: leave these groups to others. ``group_concurrency``: how many jobs of a group may
                be active at once, by all who work the queue; a number, or :class:`GroupConcurrency` with other limits
                for some tiers. Two fetches at the same moment do not see each other, so a group may exceed it for once.

        Returns:
            Up to ``batch_size`` jobs, in no particular order; empty when none may start.

        Raises:
            QueueNotFoundError: the queue does not exist.
            ValidationError: an option is out of its range.
        """
        return await self._run(
            operations.fetch(
                self._queues(connection),
                queue_name(queue),
                FetchOptions(**options),
                is_traced=self._watch.is_traced,
            ),
            connection,
            Call("receive", "receive", queue_name(queue)),
        )

    async def fetch_details(
        self, queue: QueueLike, *, connection: Connection | None = None, **options: Unpack[FetchKeywords]
    ) -> list[JobDetails]:
        """Claim due jobs like :meth:`fetch`, with everything stored about them (pg-boss's ``includeMetadata``)."""
        return await self._run(
            operations.fetch_details(
                self._queues(connection),
                queue_name(queue),
                FetchOptions(**options),
                is_traced=self._watch.is_traced,
            ),
            connection,
            Call("receive", "receive", queue_name(queue)),
        )
