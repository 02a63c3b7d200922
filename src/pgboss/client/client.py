"""The client: all calls on one object, which opens and closes the pool beneath them."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from pgboss.client.jobs import JobCalls
from pgboss.client.queues import QueueCalls
from pgboss.client.settling import SettleCalls

__all__ = ["Client"]


class Client(QueueCalls, JobCalls, SettleCalls):
    """Every call of pg-boss, without workers."""

    async def start(self) -> Self:
        """Connect, and install the schema when it is missing (unless ``migrate=False``).

        Raises:
            DatabaseUnavailableError: the server cannot be reached or refuses the login.
            SchemaError: the schema is missing, half installed or of a version this release cannot use.
        """
        await self._open()
        return self

    async def stop(self) -> None:
        """Close the pool."""
        await self._close()

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.stop()
