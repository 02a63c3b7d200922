"""Counting what every queue holds, and recording it.

A queue's turn comes once in a monitor interval, for all instances together: whoever moves ``queue.monitor_claim_on``
has it, and up to a hundred queues of a table are claimed and counted together. With ``persist_queue_stats`` that
includes what went through since the last time, and a snapshot is recorded. Only one instance counts at a time, because
a count holds back vacuum for as long as it takes: one that finds another at it hands its claims back. When a pass has
held back vacuum for long, all instances stop counting for a while.

A turn that is cut short hands back what it claimed and did not count. An instance that is killed leaves its claims to
the next interval.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from functools import partial

from pgboss.core.events import WarningEvent
from pgboss.core.instance_options import InstanceOptions, seconds_of
from pgboss.core.names import SchemaName
from pgboss.core.sqlstate import UNDEFINED_TABLE
from pgboss.drivers.runner import Run
from pgboss.errors import DatabaseError, DatabaseUnavailableError, PgBossError
from pgboss.operations import monitor, queue_stats
from pgboss.operations.monitor import Backoff, Counted, QueueChunk

__all__ = ["Monitor"]

HAND_BACK_SECONDS = 2.0

logger = logging.getLogger("pgboss.maintenance")


class Monitor:
    """Counts the queues whose turn it is."""

    def __init__(
        self, run: Run, schema: SchemaName, options: InstanceOptions, warn: Callable[[WarningEvent], None]
    ) -> None:
        self._run = run
        self._schema = schema
        self._options = options
        self._warn = warn
        self._interval_seconds = seconds_of(options.monitor_interval_seconds)
        # A pass needs both timers.
        self._pass_seconds = max(self._interval_seconds, seconds_of(options.supervise_interval_seconds))
        self._pinned_seconds = 0.0
        self._counting = asyncio.Lock()

    async def run_once(self, names: Sequence[str] | None = None) -> float | None:
        """Count every queue that is due and that no other instance has claimed; with names, only among these.

        A table that cannot be counted does not keep the others from it.

        Raises:
            DatabaseError: why something could not be counted or recorded, after all else was.
        """
        async with self._counting:
            failures: list[DatabaseError] = []
            if self._options.persist_queue_stats:
                await self._attempt(self._make_days, failures)
            for chunk in await self._run(monitor.find_chunks(self._schema, names)):
                await self._attempt(partial(self._count_chunk, chunk), failures)
            await self._attempt(self._make_room_for_vacuum, failures)
        if failures:
            raise failures[0]
        return None

    async def _attempt(self, step: Callable[[], Awaitable[None]], failures: list[DatabaseError]) -> None:
        try:
            await step()
        except DatabaseUnavailableError:
            raise
        except DatabaseError as error:
            # A table is missing when its queue was deleted a moment ago.
            if error.sqlstate != UNDEFINED_TABLE:
                failures.append(error)

    async def _make_days(self) -> None:
        if await self._run(queue_stats.is_partitioned(self._schema)):
            for day in await self._run(queue_stats.missing_days(self._schema)):
                await self._run(queue_stats.make_day(self._schema, day))

    async def _count_chunk(self, chunk: QueueChunk) -> None:
        claim = await self._run(monitor.claim(self._schema, chunk, self._interval_seconds))
        if claim is None or not claim.may_count:
            return
        try:
            counted = await self._run(
                monitor.count(
                    self._schema,
                    chunk,
                    claim.names,
                    throughput=self._options.persist_queue_stats,
                    pass_seconds=self._pass_seconds,
                )
            )
        except (Exception, asyncio.CancelledError):
            await self._hand_back(claim.names)
            raise
        if not counted:
            return
        self._pinned_seconds += max(queue.pin_seconds for queue in counted)
        if self._options.persist_queue_stats:
            await self._record(chunk, counted)
        for queue in counted:
            self._warn_of_backlog(queue)

    async def _record(self, chunk: QueueChunk, counted: Sequence[Counted]) -> None:
        await self._run(monitor.take_snapshots(self._schema, chunk, [queue.name for queue in counted]))
        if late := [queue.name for queue in counted if queue.is_late]:
            self._pinned_seconds += await self._run(monitor.raise_counts(self._schema, chunk, late))

    def _warn_of_backlog(self, queue: Counted) -> None:
        # Pass after pass, for as long as it lasts, as pg-boss does.
        limit = queue.warning_queued or self._options.warning_queue_size
        if queue.queued_count > limit:
            self._warn(
                WarningEvent(
                    "queue_backlog",
                    f"Queue {queue.name} has {queue.queued_count} queued jobs; its limit for this warning is {limit}.",
                    self._backlog(queue),
                )
            )

    def _backlog(self, queue: Counted) -> dict[str, object]:
        told: dict[str, object] = {
            "name": queue.name,
            "queuedCount": queue.queued_count,
            "warningQueueSize": queue.warning_queued,
            "pinSeconds": queue.pin_seconds,
        }
        return told | ({"trueUp": queue.is_late} if self._options.persist_queue_stats else {})

    async def _make_room_for_vacuum(self) -> None:
        pinned, self._pinned_seconds = self._pinned_seconds, 0.0
        if not pinned or not self._options.monitor_vacuum:
            return
        backoff = await self._run(monitor.back_off(self._schema, pinned))
        if backoff is not None:
            self._warn(_held_off(pinned, backoff))

    async def _hand_back(self, names: Sequence[str]) -> None:
        # Bounded, because a stop may be waiting for this. Where it fails, the turn comes again an interval later.
        with suppress(PgBossError, TimeoutError):
            async with asyncio.timeout(HAND_BACK_SECONDS):
                await self._run(monitor.hand_back(self._schema, names))


def _held_off(pinned_seconds: float, backoff: Backoff) -> WarningEvent:
    return WarningEvent(
        "monitor_backoff",
        f"Counting the queues held back vacuum for {pinned_seconds:.1f} s, with {backoff.naptime_seconds:g} s between "
        f"autovacuum's rounds, so no counts are taken for {backoff.backoff_seconds:.0f} s. Fewer jobs kept, or "
        "partitions for the busiest queues, make it shorter.",
        {
            "elapsedSeconds": pinned_seconds,
            "naptimeSeconds": backoff.naptime_seconds,
            "backoffSeconds": backoff.backoff_seconds,
            "backoffUntil": backoff.backoff_until,
        },
    )
