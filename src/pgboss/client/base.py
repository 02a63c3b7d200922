"""What all calls share: the database, the schema, and the memory of queues."""

from __future__ import annotations

import logging
from datetime import datetime
from time import monotonic
from typing import TypeAlias, TypedDict, TypeVar

from pgboss.core.call import Call
from pgboss.core.instance_options import Pooler
from pgboss.core.names import CLOCK_SETTING, SchemaName
from pgboss.core.options import QueueOptions
from pgboss.core.query import Operation
from pgboss.core.queue import QueueCatalog
from pgboss.core.queue_stats import StatsSource
from pgboss.core.telemetry_options import OpenTelemetryOptions, telemetry_options
from pgboss.drivers.database import AnyAsyncDatabase, choose_async_database
from pgboss.drivers.kinds import AsyncCallersConnection, AsyncCallersPool
from pgboss.drivers.psycopg import named, with_setting
from pgboss.errors import ConfigurationError
from pgboss.operations import clock as clock_operations
from pgboss.operations.install import SchemaState, ensure
from pgboss.operations.queues import current_database
from pgboss.runtime.clock import Clock
from pgboss.runtime.job_watch import AsyncJobWatch
from pgboss.runtime.telemetry import make_telemetry
from pgboss.runtime.watch import Watch
from pgboss.settings import load_settings

__all__ = ["QUEUE_DEFAULTS", "ClientBase", "ClientKeywords", "Connection"]

T = TypeVar("T")
Connection: TypeAlias = AsyncCallersConnection
"""What ``connection=`` takes; docs/connections.md has the list."""

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
    pool: AsyncCallersPool | None
    queue_defaults: QueueOptions
    migrate: bool
    create_schema: bool
    allow_schema_case_variant: bool
    max_payload_bytes: int | None
    open_telemetry: OpenTelemetryOptions | bool
    clock: Clock | None


class ClientBase:
    """Opening and closing, and running operations."""

    def __init__(
        self,
        dsn: str | None = None,
        *,
        schema: str | None = None,
        pool_size: int | None = None,
        pool: AsyncCallersPool | None = None,
        queue_defaults: QueueOptions = QUEUE_DEFAULTS,
        migrate: bool = True,
        create_schema: bool = True,
        allow_schema_case_variant: bool = False,
        max_payload_bytes: int | None = None,
        open_telemetry: OpenTelemetryOptions | bool = True,
        clock: Clock | None = None,
    ) -> None:
        """Prepare a client; nothing is connected yet.

        Args:
            dsn: any libpq connection string; ``DATABASE_URL`` by default.
            schema: where pg-boss lives; ``PGBOSS_SCHEMA``, else ``pgboss``.
            pool_size: the most connections of the pool; ``PGBOSS_POOL_SIZE``, else 10.
            pool: a pool of yours to run everything on, instead of one of our own. Open it before, and close it after.
            queue_defaults: options of queues created here where the call says nothing; ``QueueOptions()`` means
                pg-boss's own defaults.
            migrate: install the schema when it is missing. With ``False`` a missing schema is an error.
            create_schema: with ``False`` the PostgreSQL schema itself must exist already.
            allow_schema_case_variant: install even where another schema, whose name differs by case alone, holds
                pg-boss.
            max_payload_bytes: the largest job data that is sent, as JSON; ``PGBOSS_MAX_PAYLOAD_BYTES``, else 8 MiB.
            open_telemetry: what of OpenTelemetry is used, where it is installed; False for nothing.
            clock: a clock that a test moves, by which this instance and its sessions live: docs/testing.md.

        Raises:
            ConfigurationError: no database is configured, or a setting is unusable.
        """
        settings = load_settings()
        if pool is not None and pool_size is not None:
            raise ConfigurationError("pool_size= is for a pool of our own: leave it out beside pool=.")
        if pool is not None and clock is not None:
            raise ConfigurationError("clock= needs a pool of our own, whose sessions are set to it: leave pool= out.")
        self.schema = SchemaName(schema or settings.pgboss_schema)
        self._database: AnyAsyncDatabase = choose_async_database(
            _clocked(named(dsn or settings.database_url, self._application_name), clock),
            pool,
            pool_size=pool_size or settings.pgboss_pool_size,
        )
        self._queue_defaults = queue_defaults
        self._settings = settings
        self._database.heed(self._pooler)
        self._migrate = migrate
        self._create_schema = create_schema
        self._allow_schema_case_variant = allow_schema_case_variant
        self._max_payload_bytes = max_payload_bytes or settings.pgboss_max_payload_bytes
        self._catalog = QueueCatalog(self.schema)
        self._catalog_read = monotonic()
        self._job_watch = AsyncJobWatch(self._run, lambda: self.schema)
        self._state: SchemaState | None = None
        self._stats_source = StatsSource()
        self._clock = clock
        self._real_time: str | None = None
        self._watch = Watch(make_telemetry(telemetry_options(open_telemetry), self.schema))

    @property
    def _application_name(self) -> str:
        """What our sessions are called, where the connection string says nothing."""
        return "pgboss"

    @property
    def _pooler(self) -> Pooler:
        """What is known of a pooler in between."""
        return self._settings.pgboss_pooler

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
            await self._join_clock()
            if self._watch.telemetry is not None:
                self._watch.telemetry.connected_to(await self._run(current_database()))
        except BaseException:
            await self._close()
            raise
        self.schema = self._state.found_in(self.schema)
        self._catalog = QueueCatalog(self.schema)
        if self._state.warning:
            logger.warning(self._state.warning)

    async def _close(self) -> None:
        await self._job_watch.close()
        try:
            await self._leave_clock()
        finally:
            await self._database.close()

    async def _run(self, operation: Operation[T], connection: Connection | None = None, call: Call | None = None) -> T:
        if not self._watch.is_needed:
            return await self._database.run(operation, connection)
        with self._watch.call(call) as watched:
            value = await self._database.run(operation, connection)
            watched.returned(value)
        return value

    async def _join_clock(self) -> None:
        """Put the schema on the clock, once for all instances that share it."""
        if self._clock is not None and self._clock.join(
            self, f"{self.schema.sql} of {self._database.place}", self._move_clock
        ):
            self._real_time = await self._run(clock_operations.attach(self.schema, self._clock.now))

    async def _move_clock(self, now: datetime) -> None:
        """Told by the clock: let the sessions of its schema read this time."""
        await self._database.run(clock_operations.move(self.schema, now))

    async def _leave_clock(self) -> None:
        if self._clock is not None and self._clock.leave(self):
            await self._run(clock_operations.release(self.schema, self._real_time))

    def _queues(self, connection: Connection | None = None) -> QueueCatalog:
        """The queues we remember; a caller's transaction remembers nothing, as it may see what never comes to be."""
        if connection is not None:
            return QueueCatalog(self.schema)
        if monotonic() - self._catalog_read > CATALOG_SECONDS:
            self._catalog.forget()
            self._catalog_read = monotonic()
        return self._catalog


def _clocked(conninfo: str, clock: Clock | None) -> str:
    """The connection string, whose sessions read the clock if there is one."""
    return conninfo if clock is None else with_setting(conninfo, CLOCK_SETTING, "on")
