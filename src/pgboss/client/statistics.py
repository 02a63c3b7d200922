"""Calls about what was counted, and what was warned of."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from pgboss.client.base import ClientBase, Connection
from pgboss.core.queue_stats import Aggregate, QueueStats, StatsRequest
from pgboss.core.target import QueueLike, queue_name
from pgboss.core.warnings import StoredWarning
from pgboss.operations.queue_stats import get_queue_stats
from pgboss.operations.warnings import get_warnings

__all__ = ["StatisticsCalls"]


class StatisticsCalls(ClientBase):
    """Reading statistics and stored warnings."""

    async def get_queue_stats(
        self,
        queue: QueueLike,
        *,
        from_: datetime | None = None,
        to: datetime | None = None,
        limit: int = 1000,
        bucket_seconds: int | None = None,
        max_data_points: int | None = None,
        aggregate: Aggregate = "max",
        force: bool = False,
        percentiles: Sequence[float] | None = None,
        connection: Connection | None = None,
    ) -> list[QueueStats]:
        """Read a queue's figures over time, newest first.

        They are recorded once a minute by instances with ``persist_queue_stats``. An instance without it gets one
        figure: the counts on the queue's row, which are counted anew when they are more than an hour old. A client that
        is no instance, as ``SyncPgBoss``, reads what was recorded if there is anything, and else that one figure.
        (docs/compatibility.md, "Statistics")

        Args:
            queue: the queue.
            from_: only what was captured since then.
            to: only what was captured until then.
            limit: at most so many, from 1 to 100,000.
            bucket_seconds: one figure for each so many seconds: of the counts the ``aggregate``, of what happened the
                sum.
            max_data_points: the same, with the width that makes so many of them; ``bucket_seconds`` goes before.
            aggregate: ``max``, ``min`` or ``avg``.
            force: with nothing recorded: count anew, unless that was done within the last minute.
            percentiles: also read these, such as ``[50, 95]``, from the times that jobs waited and ran.
            connection: the caller's connection; what is counted anew is then written by your transaction.

        Raises:
            QueueNotFoundError: the queue does not exist.
            ValidationError: something is out of its range.
        """
        request = StatsRequest(from_, to, limit, bucket_seconds, max_data_points, aggregate, force, percentiles)
        return await self._run(get_queue_stats(self.schema, queue_name(queue), request, self._stats_source), connection)

    async def get_warnings(
        self,
        type: str | None = None,
        *,
        limit: int = 100,
        before: StoredWarning | None = None,
        connection: Connection | None = None,
    ) -> list[StoredWarning]:
        """Read stored warnings, newest first; instances with ``persist_warnings`` store theirs.

        Args:
            type: only of this kind, such as ``queue_backlog``.
            limit: at most so many, from 1 to 100,000.
            before: continue behind this one, the last of the page before.
            connection: the caller's connection.

        Raises:
            ValidationError: something is out of its range.
        """
        return await self._run(get_warnings(self.schema, type, limit=limit, before=before), connection)
