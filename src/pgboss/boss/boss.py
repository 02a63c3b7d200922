"""``PgBoss``: every call, and the loops that work jobs and keep the queue healthy."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import Any, Self, Unpack
from uuid import UUID

from pgboss.boss.duties import Duties
from pgboss.boss.signals import stop_signals
from pgboss.client import Client
from pgboss.client.base import ClientKeywords
from pgboss.core.job import Job
from pgboss.core.options import check_integer
from pgboss.core.target import QueueLike, queue_name
from pgboss.errors import ConfigurationError, StoppedError
from pgboss.jobs import JobDefinition, Jobs, collect
from pgboss.operations.queues import queue_not_found
from pgboss.worker.crew import POLLING_INTERVAL_SECONDS, Crew

__all__ = ["STOP_TIMEOUT_SECONDS", "PgBoss"]

STOP_TIMEOUT_SECONDS = 30.0

logger = logging.getLogger("pgboss")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Loops:
    """What an instance runs besides answering calls."""

    work: bool
    supervise: bool
    listen: bool
    concurrency: int
    polling_interval_seconds: float


class PgBoss(Client):
    """A job queue on PostgreSQL, sharing its tables and rules with npm pg-boss.

    Example:
        async with PgBoss(jobs=[jobs]) as boss:
            await boss.send("welcome-mail", {"to": "ada@example.com"})
    """

    def __init__(
        self,
        dsn: str | None = None,
        *,
        jobs: Jobs | Iterable[Jobs] = (),
        work: bool = True,
        supervise: bool = True,
        listen: bool = True,
        concurrency: int | None = None,
        polling_interval_seconds: float = POLLING_INTERVAL_SECONDS,
        **client: Unpack[ClientKeywords],
    ) -> None:
        """Prepare an instance; nothing is connected yet.

        Args:
            dsn: any libpq connection string; ``DATABASE_URL`` by default.
            jobs: job definitions. Their queues are created at the start when they are missing.
            work: whether to work the definitions that have a handler. With ``False`` this instance only sends.
            supervise: whether to take part in the upkeep: failing expired and silent jobs, removing old ones.
            listen: whether to keep a connection that listens for new jobs. Without it they are found by polling.
            concurrency: how many jobs of a queue run at once where its definition says nothing;
                ``PGBOSS_CONCURRENCY``, else 5.
            polling_interval_seconds: how often to look for due jobs that nobody announced.
            client: ``schema``, ``pool_size``, ``queue_defaults``, ``migrate``, ``create_schema``,
                ``allow_schema_case_variant`` and ``max_payload_bytes``, as in the client.

        Raises:
            ConfigurationError: a setting is unusable, or two definitions share a name.
        """
        super().__init__(dsn, **client)
        if polling_interval_seconds <= 0:
            raise ConfigurationError(f"polling_interval_seconds must be positive, not {polling_interval_seconds!r}.")
        self._definitions = collect([jobs] if isinstance(jobs, Jobs) else list(jobs))
        self._loops = _Loops(
            work=work,
            supervise=supervise,
            listen=listen,
            concurrency=check_integer("concurrency", concurrency or self._settings.pgboss_concurrency, 1),
            polling_interval_seconds=polling_interval_seconds,
        )
        self._crew: Crew | None = None
        self._duties: Duties | None = None
        self._hurry = asyncio.Event()
        # One start or stop at a time: each waits for the one before.
        self._changing = asyncio.Lock()
        self._stopping: asyncio.Task[None] | None = None

    async def start(self) -> Self:
        """Connect, install the schema when it is missing, create missing queues, and start the loops.

        Raises:
            DatabaseUnavailableError: the server cannot be reached or refuses the login.
            SchemaError: the schema is missing, half installed or of a version this release cannot use.
        """
        if self._stopping is not None:
            await asyncio.wait([self._stopping])
        async with self._changing:
            if self._crew is None:
                await self._start()
        return self

    async def stop(self, *, timeout: float = STOP_TIMEOUT_SECONDS) -> None:  # noqa: ASYNC109  the deadline is a duty of ours
        """Stop the loops and close all connections.

        No new jobs are claimed, claimed ones that did not start go back untouched, running ones may finish. What
        still runs after ``timeout`` seconds is failed (and retried, if attempts are left). Returns within about five
        seconds after that, also when a handler or the database hangs.

        A stop goes on when the wait for it is cancelled, as a handler's is that stops its own instance. Further calls
        wait for the stop under way; with a timeout of 0 they hurry it.
        """
        if self._stopping is None:
            self._stopping = asyncio.create_task(self._stop_once(timeout), name="pgboss stop")
        elif timeout <= 0:
            self.hurry()
        await asyncio.shield(self._stopping)

    async def serve(
        self, *, stop_timeout: float = STOP_TIMEOUT_SECONDS, on_ready: Callable[[], None] | None = None
    ) -> None:
        """Start, work until SIGTERM or SIGINT, and stop: the main coroutine of a worker program.

        The first signal lets running handlers finish within ``stop_timeout`` seconds; a second one stops at once.
        ``on_ready`` is called when the workers run.

        Raises:
            PgBossError: the start failed; see :meth:`start`.
        """
        with stop_signals(self.hurry) as told:
            await self.start()
            try:
                if on_ready is not None:
                    on_ready()
                await told.wait()
            finally:
                await self.stop(timeout=stop_timeout)

    def hurry(self) -> None:
        """Let a stop wait no longer for running handlers."""
        self._hurry.set()

    async def work(
        self, queue: QueueLike, handler: Callable[[Job], Any] | None = None, *, concurrency: int | None = None
    ) -> UUID:
        """Start working a queue and return the worker's id, for :meth:`off_work`.

        A definition's queue is created when it is missing, like those of ``jobs``.

        Args:
            queue: a definition with a handler, or a queue's name with ``handler``.
            handler: takes the ``Job``; what it returns is stored as the job's output. A plain function runs in a
                thread.
            concurrency: how many jobs run at once.

        Raises:
            StoppedError: the instance is not started.
            QueueNotFoundError: the queue does not exist.
            ConfigurationError: there is no handler, or one too many.
        """
        if self._crew is None:
            raise StoppedError("Workers need a started instance: call start() first, or use `async with PgBoss(...)`.")
        definition = _workable(queue, handler)
        if isinstance(queue, JobDefinition):
            await self._create_queues([definition])
        elif await self.get_queue(definition.name) is None:
            raise queue_not_found(definition.name)
        if self._crew is None:
            raise StoppedError("The instance was stopped meanwhile.")
        return self._crew.add(definition, self._concurrency_of(definition, concurrency)).id

    async def off_work(self, queue: QueueLike, *, id: UUID | None = None) -> None:
        """Stop working a queue (or one worker of it) and wait for its running jobs; unknown ones are passed over."""
        if self._crew is not None:
            await self._crew.remove(self._crew.named(queue_name(queue), id))

    async def _start(self) -> None:
        await super().start()
        try:
            await self._start_loops()
        except BaseException:
            await self._stop(timeout=0)
            raise

    async def _stop_once(self, timeout: float) -> None:  # noqa: ASYNC109  the deadline is a duty of ours
        try:
            async with self._changing:
                await self._stop(timeout)
        finally:
            self._stopping = None

    async def _stop(self, timeout: float) -> None:  # noqa: ASYNC109  the deadline is a duty of ours
        crew, self._crew = self._crew, None
        duties, self._duties = self._duties, None
        try:
            async with asyncio.TaskGroup() as stops:
                if duties is not None:
                    stops.create_task(duties.stop())
                if crew is not None:
                    stops.create_task(crew.stop(timeout, self._hurry))
        finally:
            await super().stop()

    async def _start_loops(self) -> None:
        # Made anew, because an event belongs to the event loop it was first waited for in.
        self._hurry = asyncio.Event()
        await self._create_queues(self._definitions.values())
        self._crew = Crew(
            conninfo=self._database.conninfo,
            schema=self.schema,
            run=self._run,
            catalog=self._queues,
            polling_interval_seconds=self._loops.polling_interval_seconds,
            listen=self._loops.listen,
        )
        if self._loops.supervise and self._may_supervise():
            self._duties = Duties(self._run, self.schema)
            self._duties.start()
        if self._loops.work:
            for definition in self._definitions.values():
                if definition.handler is not None:
                    self._crew.add(definition, self._concurrency_of(definition, None))

    def _may_supervise(self) -> bool:
        """Not on a schema of a later version, whose upkeep may have other rules."""
        return self._state is None or self._state.current

    async def _create_queues(self, definitions: Iterable[JobDefinition[Any, Any]]) -> None:
        """Create the definitions' queues where they are missing, each after the dead letter queue it names."""
        existing = {queue.name for queue in await self.get_queues()}
        missing = {definition.name: definition for definition in definitions if definition.name not in existing}
        for name in _dead_letters_first(missing.values()):
            if name not in existing:
                options = missing[name].queue_options.given() if name in missing else {}
                await self.create_queue(name, **options)

    def _concurrency_of(self, definition: JobDefinition[Any, Any], given: int | None) -> int:
        chosen = given if given is not None else definition.concurrency
        return self._loops.concurrency if chosen is None else check_integer("concurrency", chosen, 1)


def _workable(queue: QueueLike, handler: Callable[[Job], Any] | None) -> JobDefinition[Any, Any]:
    if isinstance(queue, JobDefinition):
        if handler is not None:
            raise ConfigurationError(f"The definition {queue.name!r} has a handler of its own: leave handler= out.")
        if queue.handler is None:
            raise ConfigurationError(f"The definition {queue.name!r} was declared without a handler, to be sent only.")
        return queue
    if handler is None:
        raise ConfigurationError(f"work({queue_name(queue)!r}) needs a handler.")
    return JobDefinition.untyped(queue_name(queue), handler)


def _dead_letters_first(definitions: Iterable[JobDefinition[Any, Any]]) -> Iterable[str]:
    """The queues of definitions and the dead letter queues they name, in an order in which they can be created."""
    needs: dict[str, set[str]] = {}
    for definition in definitions:
        dead_letter = definition.queue_options.dead_letter
        needs[definition.name] = {dead_letter} if isinstance(dead_letter, str) else set()
    try:
        return list(TopologicalSorter(needs).static_order())
    except CycleError as error:
        ring = " -> ".join(error.args[1])
        raise ConfigurationError(f"These queues are one another's dead letter queues, in a ring: {ring}.") from None
