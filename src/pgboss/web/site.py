"""One schema of one database, as the API and the dashboard reach it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any, TypeAlias, TypeVar
from uuid import UUID

from pgboss.boss import PgBoss
from pgboss.core.names import SchemaName
from pgboss.core.query import Operation
from pgboss.core.queue import QueueCatalog
from pgboss.drivers.database import AnyAsyncDatabase
from pgboss.drivers.runner import AsyncSession, arun
from pgboss.errors import PgBossError, SchemaError
from pgboss.insights import JobNews, QueueNews, job_news, queue_news
from pgboss.jobs import JobDefinition
from pgboss.operations import audit
from pgboss.prometheus import WorkerCollector
from pgboss.sql import transactions as sql
from pgboss.web.access import Principal
from pgboss.web.feed import Feed, Feeds

__all__ = ["Site"]

T = TypeVar("T")
AnyDefinition: TypeAlias = JobDefinition[Any, Any]

JOB_POLL_SECONDS = 1.0


class Site:
    """Runs read models and actions of one instance, within limits.

    Attributes:
        boss: the client behind it. Give its calls the connection of :meth:`acting`.
        name: what it is called where there are several.
        counts: tells listeners of the counts of its queues.
        jobs: tells listeners of how single jobs are doing, by queue and id; of one that is gone it is ``None``.
        workers: tells Prometheus of the workers of this process, from now on.
        problem: why the instance could not be started so far.
    """

    def __init__(self, boss: PgBoss, *, name: str, query_seconds: float, jobs: Iterable[AnyDefinition] = ()) -> None:
        """``jobs`` are typed definitions that the instance itself was not made with."""
        self.boss = boss
        self._definitions = {definition.name: definition for definition in jobs}
        self.name = name
        self.workers = WorkerCollector(boss)
        self.counts = Feed(self._read_counts)
        self.jobs = Feeds(self._read_job, poll_seconds=JOB_POLL_SECONDS)
        self.problem: PgBossError | None = None
        self._query_seconds = query_seconds
        self._is_record_prepared = False

    def close(self) -> None:
        """End open streams: servers wait for them when they stop."""
        self.counts.close()
        self.jobs.close()

    @property
    def schema(self) -> SchemaName:
        return self.boss.schema

    @property
    def is_working_as_meant(self) -> bool:
        """Whether its loops run, unless it was made to work nothing."""
        return self.boss._is_running or not self.boss._options.work  # noqa: SLF001  as for the database

    @property
    def catalog(self) -> QueueCatalog:
        """For read models: the queues are read anew, since others change them."""
        return QueueCatalog(self.boss.schema)

    def definition(self, queue: str) -> AnyDefinition | None:
        """The typed definition of a queue's jobs, if there is one."""
        return self._definitions.get(queue) or self.boss._definitions.get(queue)  # noqa: SLF001  as for the database

    @property
    def _database(self) -> AnyAsyncDatabase:
        return self.boss._database  # noqa: SLF001  the web is a part of the instance that lives in another room

    async def read(self, operation: Operation[T]) -> T:
        """Run a read model in a transaction that cannot write, each statement within the limit.

        Raises:
            DatabaseError: a statement took too long (SQLSTATE 57014), or failed.
        """
        async with self.reading() as connection:
            return await self.run(operation, connection)

    @asynccontextmanager
    async def reading(self, *, may_count: bool = False) -> AsyncIterator[Any]:
        """A transaction in which each statement is held to the limit, and which cannot write.

        Args:
            may_count: it can: counts of a queue that are too old are taken anew when they are asked for.

        Yields:
            The connection, for ``connection=``.
        """
        async with self._database.transaction() as opened:
            await self._limit(opened.session, read_only=not may_count)
            yield opened.connection

    async def run(self, operation: Operation[T], connection: Any) -> T:
        """Run an operation that the client has no call for, on the connection of :meth:`reading` or :meth:`acting`."""
        return await self._database.run(operation, connection)

    @asynccontextmanager
    async def acting(self, who: Principal, action: str, **what: Any) -> AsyncIterator[Any]:
        """A transaction for one action, which is recorded in it: both happen, or neither.

        Args:
            who: does it.
            action: a verb of the client, such as ``cancel``.
            what: to what and how, as JSON.

        Yields:
            The connection, for ``connection=``.

        Raises:
            SchemaError: the table of the record was removed meanwhile; the next action makes it anew.
        """
        if not self._is_record_prepared:
            await self._prepare_record()
        async with self._database.transaction() as opened:
            await self._limit(opened.session, read_only=False)
            yield opened.connection
            try:
                await arun(opened.session, audit.record(self.schema, who=who.name, action=action, what=what))
            except SchemaError:
                self._is_record_prepared = False
                raise

    async def _prepare_record(self) -> None:
        async with self._database.transaction() as opened:
            await self._limit(opened.session, read_only=False)
            await arun(opened.session, audit.prepare(self.schema))
        self._is_record_prepared = True

    async def _read_job(self, job: tuple[str, UUID]) -> JobNews | None:
        queue, id = job
        return await self.read(job_news(self.schema, queue, id))

    async def _read_counts(self) -> QueueNews:
        return await self.read(queue_news(self.schema))

    async def _limit(self, session: AsyncSession, *, read_only: bool) -> None:
        await session.execute(sql.limit_statements(self._query_seconds, read_only=read_only))
