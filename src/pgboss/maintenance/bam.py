"""Running what migrations have put off: index builds, which must not hold up a start.

All instances that may migrate share the turns, Node's too, by moving ``version.bam_on``; and one command is run at a
time in the whole deployment, because the claim is refused while another is in progress. A turn runs one command after
the other. Only its first may be one that has failed before, so that what fails again waits for the next turn.

A claim outlives its claimer, so it must be known when one is forsaken: when nobody holds the lock that a concurrent
build holds on its table. That is why a stop, and a lost connection, leave such a row ``in_progress``: the server may
still be building, and whoever finds the row later can see whether it is.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Literal

from pgboss.core.bam import BamClaim
from pgboss.core.events import BamEvent, ErrorEvent
from pgboss.core.names import SchemaName
from pgboss.core.query import Operation
from pgboss.drivers.alone import Alone
from pgboss.errors import DatabaseError, DatabaseUnavailableError, PgBossError
from pgboss.maintenance.long_command import LongCommand
from pgboss.operations import bam
from pgboss.runtime.events import Events

__all__ = ["BamRunner"]

RECORD_SECONDS = 2.0
STOPPED = "Error: the instance that ran it was stopped."

logger = logging.getLogger("pgboss.maintenance")


class BamRunner:
    """Runs the commands in the table ``bam``."""

    def __init__(self, database: Alone, schema: SchemaName, events: Events, *, interval_seconds: float) -> None:
        """Prepare the duty; ``interval_seconds`` is how often a turn comes for all instances together."""
        self._database = database
        self._schema = schema
        self._events = events
        self._interval_seconds = interval_seconds
        self._stopping = False

    async def run_once(self) -> float | None:
        """Run the commands that wait, if this turn is ours.

        Cancelled, it hangs up on a concurrent build, cancels any other command, and writes down what is to be known.

        Raises:
            DatabaseError: the list could not be read or written. What goes wrong with a command is told as an event.
        """
        if await self._database.run(bam.claim_turn(self._schema, self._interval_seconds)):
            pending_only = False
            while not self._stopping and (claim := await self._claim(pending_only)) is not None:
                await self._attend(claim)
                pending_only = True
        return None

    def stop(self) -> None:
        """Begin no further command."""
        self._stopping = True

    async def _claim(self, pending_only: bool) -> BamClaim | None:
        return await self._database.run(bam.claim(self._schema, pending_only=pending_only))

    async def _attend(self, claim: BamClaim) -> None:
        if self._stopping:
            await self._database.run(bam.release(self._schema, claim))
            return
        self._tell(claim, "in_progress")
        command = LongCommand(self._database)
        try:
            await command.run(bam.perform(self._schema, claim))
        except asyncio.CancelledError:
            await self._leave(claim, command)
            raise
        except DatabaseError as error:
            await self._failed(claim, error, goes_on=command.goes_on)
        else:
            await self._completed(claim)

    async def _completed(self, claim: BamClaim) -> None:
        await self._database.run(bam.complete(self._schema, claim))
        self._tell(claim, "completed")

    async def _failed(self, claim: BamClaim, error: DatabaseError, *, goes_on: bool) -> None:
        # Told before it is written: often it is the server that is away.
        logger.error("%s failed: %s", _named(claim), error, extra=_facts(claim))
        self._events.error(ErrorEvent(error, "an index build in the background", queue=claim.queue))
        # The server says of a session that it ends. Where it said nothing, it may not know that we are gone.
        if goes_on and isinstance(error, DatabaseUnavailableError) and error.sqlstate is None:
            return
        reason = bam.text_of(error)
        await self._database.run(bam.fail(self._schema, claim, reason))
        self._tell(claim, "failed", reason)

    async def _leave(self, claim: BamClaim, command: LongCommand) -> None:
        if command.is_done:
            await self._write(claim, bam.complete(self._schema, claim), "completed")
        elif command.goes_on:
            logger.info("%s is left to the server", _named(claim), extra=_facts(claim))
        elif command.has_begun:
            await self._write(claim, bam.fail(self._schema, claim, STOPPED), "failed", STOPPED)
        else:
            await self._write(claim, bam.release(self._schema, claim))

    async def _write(
        self,
        claim: BamClaim,
        operation: Operation[None],
        status: Literal["completed", "failed"] | None = None,
        reason: str | None = None,
    ) -> None:
        try:
            # Bounded, because a stop waits for this.
            async with asyncio.timeout(RECORD_SECONDS):
                await self._database.run(operation)
        except (PgBossError, TimeoutError) as error:
            told = str(error) or "the database did not answer in time"
            logger.warning("It could not be written how %s ended: %s", _named(claim), told, extra=_facts(claim))
            return
        if status is not None:
            self._tell(claim, status, reason)

    def _tell(
        self, claim: BamClaim, status: Literal["in_progress", "completed", "failed"], error: str | None = None
    ) -> None:
        if status != "failed":
            logger.info("%s is %s", _named(claim), status.replace("_", " "), extra=_facts(claim))
        self._events.emit("bam", BamEvent(claim.id, claim.name, status, claim.queue, claim.table, error))


def _named(claim: BamClaim) -> str:
    return f"The background command {claim.name} on {claim.table}"


def _facts(claim: BamClaim) -> dict[str, str | None]:
    return {"bam": str(claim.id), "table": claim.table, "queue": claim.queue}
