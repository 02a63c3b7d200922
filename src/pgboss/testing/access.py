"""The parts of an instance that the tools for tests work with. This room and that of instances are built as one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pgboss import PgBoss, SyncPgBoss
from pgboss.core.queue import QueueCatalog
from pgboss.drivers.database import AnyAsyncDatabase, AnyDatabase
from pgboss.drivers.runner import Run
from pgboss.jobs import JobDefinition
from pgboss.runtime.watch import Watch

__all__ = ["Access", "SyncAccess"]


class Access:
    """The parts of a ``PgBoss``."""

    def __init__(self, boss: PgBoss) -> None:
        self._boss = boss

    @property
    def definitions(self) -> Mapping[str, JobDefinition[Any, Any]]:
        return self._boss._definitions  # noqa: SLF001  see the docstring of this module

    @property
    def database(self) -> AnyAsyncDatabase:
        return self._boss._database  # noqa: SLF001  likewise

    @database.setter
    def database(self, database: AnyAsyncDatabase) -> None:
        self._boss._database = database  # noqa: SLF001  likewise

    @property
    def watch(self) -> Watch:
        return self._boss._watch  # noqa: SLF001  likewise

    @property
    def run(self) -> Run:
        return self._boss._run  # noqa: SLF001  likewise

    def catalog(self, connection: Any = None) -> QueueCatalog:
        return self._boss._queues(connection)  # noqa: SLF001  likewise


class SyncAccess:
    """The parts of a ``SyncPgBoss``."""

    def __init__(self, boss: SyncPgBoss) -> None:
        self._boss = boss

    @property
    def database(self) -> AnyDatabase:
        return self._boss._database  # noqa: SLF001  likewise

    @database.setter
    def database(self, database: AnyDatabase) -> None:
        self._boss._database = database  # noqa: SLF001  likewise

    @property
    def watch(self) -> Watch:
        return self._boss._watch  # noqa: SLF001  likewise

    def catalog(self, connection: Any = None) -> QueueCatalog:
        return self._boss._queues(connection)  # noqa: SLF001  likewise
