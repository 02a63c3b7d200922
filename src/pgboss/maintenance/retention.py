"""Removing what is old: finished jobs after their time of deletion, queued ones after their keep_until.

A queue's turn comes once in a maintenance interval, for all instances together: whoever moves ``queue.maintain_on``
has it. The walk then goes over the queue's job ids in batches, so it never holds many locks or a long snapshot, and
ends with the count of finished jobs that stay, from which the statistics go on. Dependencies whose jobs are gone come
last. A turn that is cut short hands the queue back, so it is due again at once rather than in a day.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

from pgboss.core.names import SchemaName
from pgboss.core.query import Operation
from pgboss.core.sqlstate import UNDEFINED_TABLE
from pgboss.drivers.runner import Run
from pgboss.errors import DatabaseError, DatabaseUnavailableError, PgBossError
from pgboss.operations import maintain
from pgboss.operations.maintain import QueueClaim, WalkedBatch

__all__ = ["MAINTENANCE_INTERVAL_SECONDS", "RetentionPass"]

MAINTENANCE_INTERVAL_SECONDS = 24 * 60 * 60
HAND_BACK_SECONDS = 2.0


logger = logging.getLogger("pgboss.maintenance")


@dataclass(slots=True)
class _Tally:
    """What the batches of a walk have done, and committed, so far."""

    deleted: int = 0
    deleted_retained: int = 0
    kept: int = 0

    def add(self, batch: WalkedBatch) -> None:
        self.deleted += batch.deleted
        self.deleted_retained += batch.deleted_retained
        self.kept += batch.kept


class RetentionPass:
    """Removes old jobs of the queues whose turn it is."""

    def __init__(
        self, run: Run, schema: SchemaName, *, maintenance_interval_seconds: float = MAINTENANCE_INTERVAL_SECONDS
    ) -> None:
        """Prepare the duty; ``maintenance_interval_seconds`` is how often a queue's turn comes."""
        self._run = run
        self._schema = schema
        self._interval_seconds = maintenance_interval_seconds

    async def run_once(self, names: Sequence[str] | None = None) -> float | None:
        """Maintain every queue that is due and that no other instance has claimed; with names, only among these.

        A queue that cannot be maintained does not keep the others from it.

        Raises:
            DatabaseError: why a queue could not be maintained, after all others were.
        """
        passed_over: list[str] = []
        failure: DatabaseError | None = None
        while (claim := await self._claim(passed_over, names)) is not None:
            # Each queue once a turn, however short the interval and whatever came of it.
            passed_over.append(claim.name)
            try:
                await self._maintain(claim)
            except DatabaseUnavailableError:
                raise
            except DatabaseError as error:
                # A table is missing when its queue was deleted a moment ago.
                if error.sqlstate != UNDEFINED_TABLE:
                    failure = failure or error
        if failure is not None:
            raise failure
        return None

    async def _claim(self, passed_over: list[str], names: Sequence[str] | None) -> QueueClaim | None:
        return await self._run(maintain.claim_retention(self._schema, self._interval_seconds, passed_over, names))

    async def _maintain(self, claim: QueueClaim) -> None:
        uncounted = _Tally()
        try:
            await self._walk(lambda after: maintain.delete_old(self._schema, claim, after), uncounted)
            await self._run(maintain.set_retained(self._schema, claim, uncounted.kept))
            _report(claim, uncounted)
            uncounted = _Tally()
            await self._walk(lambda after: maintain.delete_orphans(self._schema, claim, "child", after), _Tally())
            await self._walk(lambda after: maintain.delete_orphans(self._schema, claim, "parent", after), _Tally())
        except (Exception, asyncio.CancelledError):
            _report(claim, uncounted)
            await self._hand_back(claim, uncounted)
            raise

    async def _walk(self, next_batch: Callable[[UUID | None], Operation[WalkedBatch]], tally: _Tally) -> None:
        after: UUID | None = None
        while True:
            batch = await self._run(next_batch(after))
            tally.add(batch)
            if batch.last_id is None:
                return
            after = batch.last_id

    async def _hand_back(self, claim: QueueClaim, uncounted: _Tally) -> None:
        operation = maintain.hand_back(self._schema, claim, uncounted.deleted, uncounted.deleted_retained)
        try:
            # Bounded, because a stop may be waiting for this.
            async with asyncio.timeout(HAND_BACK_SECONDS):
                await self._run(operation)
        except (PgBossError, TimeoutError) as error:
            logger.warning(
                "The upkeep of queue %s was cut short; its next turn comes in %.0f s: %s",
                claim.name,
                self._interval_seconds,
                str(error) or "the database did not answer in time",
                extra={"queue": claim.name},
            )


def _report(claim: QueueClaim, tally: _Tally) -> None:
    if tally.deleted:
        logger.info(
            "Queue %s: %d old jobs removed",
            claim.name,
            tally.deleted,
            extra={"queue": claim.name, "removed": tally.deleted},
        )
