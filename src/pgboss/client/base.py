"""What all calls share: the database, the schema, and the memory of queues."""

from __future__ import annotations

import logging
from time import monotonic
from typing import TypedDict, TypeVar

from psycopg import AsyncConnection

from pgboss.core.names import SchemaName
from pgboss.core.options import QueueOptions
from pgboss.core.query import Operation
from pgboss.core.queue import QueueCatalog
from pgboss.drivers.psycopg import AsyncDatabase
from pgboss.operations.install import SchemaState, ensure
from pgboss.settings import load_settings

__all__ = ["QUEUE_DEFAULTS", "ClientBase", "ClientKeywords", "Connection"]

T = TypeVar("T")
Connection = AsyncConnection[object]

CATALOG_SECONDS = 60.0

logger = logging.getLogger("pgboss")

QUEUE_DEFAULTS = QueueOptions(
    retry_limit=3,
    retry_delay=1,
    retry_backoff=True,
    expire_in_seconds=24 * 60 * 60,
    heartbeat_seconds=60,
    notify=True,
)
"""What queues created from Python get where nothing else is said. They are written to the queue's row."""


class ClientKeywords(TypedDict, total=False):
    """The keyword arguments of a client, for what wraps one."""

    schema: str | None
    pool_size: int | None
    queue_defaults: QueueOptions
    migrate: bool
    create_schema: bool
    allow_schema_case_variant: bool
    max_payload_bytes: int | None


class ClientBase:
    """Opening and closing, and running operations."""

    def __init__(
        self,
        dsn: str | None = None,
        *,
        schema: str | None = None,
        pool_size: int | None = None,
        queue_defaults: QueueOptions = QUEUE_DEFAULTS,
        migrate: bool = True,
        create_schema: bool = True,
        allow_schema_case_variant: bool = False,
        max_payload_bytes: int | None = None,
    ) -> None:
        """Prepare a client; nothing is connected yet.

        Args:
            dsn: any libpq connection string; ``DATABASE_URL`` by default.
            schema: where pg-boss lives; ``PGBOSS_SCHEMA``, else ``pgboss``.
            pool_size: the most connections of the pool; ``PGBOSS_POOL_SIZE``, else 10.
            queue_defaults: options of queues created here where the call says nothing; ``QueueOptions()`` means
                pg-boss's own defaults.
            migrate: install the schema when it is missing. With ``False`` a missing schema is an error.
            create_schema: with ``False`` the PostgreSQL schema itself must exist already.
            allow_schema_case_variant: install even where another schema, whose name differs by case alone, holds
                pg-boss.
            max_payload_bytes: the largest job data that is sent, as JSON; ``PGBOSS_MAX_PAYLOAD_BYTES``, else 8 MiB.

        Raises:
            ConfigurationError: no database is configured, or a setting is unusable.
        """
        settings = load_settings()
        self.schema = SchemaName(schema or settings.pgboss_schema)
        self._database = AsyncDatabase(dsn or settings.database_url, pool_size=pool_size or settings.pgboss_pool_size)
        self._queue_defaults = queue_defaults
        self._settings = settings
        self._migrate = migrate
        self._create_schema = create_schema
        self._allow_schema_case_variant = allow_schema_case_variant
        self._max_payload_bytes = max_payload_bytes or settings.pgboss_max_payload_bytes
        self._catalog = QueueCatalog(self.schema)
        self._catalog_read = monotonic()
        self._state: SchemaState | None = None

    async def _open(self) -> None:
        await self._database.open()
        try:
            self._state = await self._run(
                ensure(
                    self.schema,
                    migrate=self._migrate,
                    create_schema=self._create_schema,
                    allow_case_variant=self._allow_schema_case_variant,
                )
            )
        except BaseException:
            await self._database.close()
            raise
        if self._state.warning:
            logger.warning(self._state.warning)

    async def _close(self) -> None:
        await self._database.close()

    async def _run(self, operation: Operation[T], connection: Connection | None = None) -> T:
        return await self._database.run(operation, connection)

    def _queues(self, connection: Connection | None = None) -> QueueCatalog:
        """The queues we remember; a caller's transaction remembers nothing, as it may see what never comes to be."""
        if connection is not None:
            return QueueCatalog(self.schema)
        if monotonic() - self._catalog_read > CATALOG_SECONDS:
            self._catalog.forget()
            self._catalog_read = monotonic()
        return self._catalog
