"""Running a command that may take hours, so that a stop need not wait for it.

Cancelling the wait ends the command in one of two ways. A concurrent build is left to the server: its client hangs up,
and the server finishes what it has begun, which the lock on the table shows to all others. Cancelled, it would leave
half an index behind. Any other command is cancelled, because nobody could see whether it still runs.
"""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeVar

from pgboss.core.bam import outlives_client
from pgboss.core.query import Operation, Rows, Script, Statement
from pgboss.drivers.alone import Alone, LoneSession
from pgboss.drivers.runner import AsyncSession, arun

__all__ = ["LongCommand"]

T = TypeVar("T")


class LongCommand:
    """One such run, on a connection that nobody else uses.

    Attributes:
        has_begun: whether a command was sent.
        goes_on: whether the server may still be at it.
        is_done: whether the operation has come to its end, also where the wait for it was cancelled in that moment.
    """

    def __init__(self, database: Alone) -> None:
        self.has_begun = False
        self.goes_on = False
        self.is_done = False
        self._database = database

    async def run(self, operation: Operation[T]) -> T:
        """Run an operation whose scripts are the commands.

        Raises:
            DatabaseError: what went wrong; where the connection was lost, ``goes_on`` says whether the server may not
                have noticed.
        """
        async with self._database.alone() as lone:
            running = asyncio.create_task(self._drive(lone.session, operation), name="pgboss command")
            try:
                return await asyncio.shield(running)
            except asyncio.CancelledError:
                await self._end(lone, running)
                raise

    async def _drive(self, session: AsyncSession, operation: Operation[T]) -> T:
        value = await arun(_Watched(session, self), operation)
        self.is_done = True
        return value

    async def _end(self, lone: LoneSession, running: asyncio.Task[Any]) -> None:
        if self.goes_on:
            lone.hang_up()
        else:
            running.cancel()
        await asyncio.wait([running])
        if not running.cancelled():
            # Looked at, or asyncio complains; what it says of the broken connection is our doing.
            running.exception()


class _Watched:
    """A session that notes what is being run on it."""

    def __init__(self, session: AsyncSession, command: LongCommand) -> None:
        self._session = session
        self._command = command

    async def execute(self, statement: Statement) -> Rows:
        is_command = isinstance(statement, Script)
        self._command.has_begun |= is_command
        # Still set after an error: the connection may have been lost while the server was at it.
        self._command.goes_on = is_command and outlives_client(statement.sql)
        rows = await self._session.execute(statement)
        self._command.goes_on = False
        return rows

    def atomic(self) -> AbstractAsyncContextManager[Any]:
        return self._session.atomic()
