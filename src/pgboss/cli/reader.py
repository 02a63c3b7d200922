"""The client that commands use: every call, and the read models beside them."""

from __future__ import annotations

from typing import TypeVar

from pgboss.core.query import Operation
from pgboss.core.queue import QueueCatalog
from pgboss.sync import SyncPgBoss

__all__ = ["Reader"]

T = TypeVar("T")


class Reader(SyncPgBoss):
    """The sync client, which also runs operations that are no call of their own: those of ``insights/``."""

    def read(self, operation: Operation[T]) -> T:
        """Run an operation to its end and return its value."""
        return self._run(operation)

    @property
    def catalog(self) -> QueueCatalog:
        """The queues known so far, for operations that need them."""
        return self._queues()
