"""A database whose work a test clock waits for, before it moves on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from pgboss.core.query import Operation
from pgboss.drivers.database import AnyAsyncDatabase
from pgboss.drivers.psycopg import Listener
from pgboss.runtime.clock import Clock

__all__ = ["ClockedDatabase"]

T = TypeVar("T")


class ClockedDatabase:
    """Runs operations on another database, and tells the clock of each; hands on everything else."""

    def __init__(self, database: AnyAsyncDatabase, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def __getattr__(self, name: str) -> Any:
        return getattr(self._database, name)

    def listener(self, channel: str, on_heard: Callable[[str], object]) -> Listener:
        """One that does nothing but listen: what it ran, the clock would not know of."""
        return Listener(self._database.conninfo, channel, on_heard)

    async def run(
        self, operation: Operation[T], connection: object | None = None, *, within_seconds: float | None = None
    ) -> T:
        """See :class:`~pgboss.drivers.database.AnyAsyncDatabase`."""
        with self._clock.working():
            return await self._database.run(operation, connection, within_seconds=within_seconds)
