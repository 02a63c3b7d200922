"""``PgBoss``: every call, and the loops that work jobs and keep the queue healthy."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from difflib import get_close_matches
from typing import Any, Protocol, TypeVar, Unpack, overload
from uuid import UUID, uuid4

from pgboss.boss.builds import Builds
from pgboss.boss.clocked import ClockedDatabase
from pgboss.boss.declaring import create_queues, declare_schedules
from pgboss.boss.duties import Duties
from pgboss.boss.lifecycle import STOP_TIMEOUT_SECONDS, Lifecycle
from pgboss.boss.presence import Presence
from pgboss.boss.queue_gauge import QueueGauge
from pgboss.boss.report import Reporter
from pgboss.boss.spies import JobSpy, Spies
from pgboss.boss.upkeep import Upkeep
from pgboss.boss.workable import workable
from pgboss.client.base import ClientKeywords
from pgboss.core.events import EventName
from pgboss.core.instance_options import InstanceKeywords, InstanceOptions, Pooler, ReindexOptions, seconds_of
from pgboss.core.names import INTERNAL_PREFIX, SEND_IT_QUEUE
from pgboss.core.options import QueueOptions
from pgboss.core.queue_stats import StatsSource
from pgboss.core.target import QueueLike, queue_name
from pgboss.core.wip import WipData
from pgboss.core.work_options import WorkKeywords, WorkOptions
from pgboss.errors import ConfigurationError, SchemaVersionError, StoppedError
from pgboss.jobs import JobDefinition, Jobs, collect
from pgboss.maintenance import Registration
from pgboss.operations import express
from pgboss.operations.queues import create_queue, queue_not_found
from pgboss.runtime.clock import running_on
from pgboss.runtime.events import Callback
from pgboss.runtime.vitals import LoopDelay, Vitals
from pgboss.scheduler import Scheduler
from pgboss.schema.version import SCHEMA_VERSION
from pgboss.worker.crew import Crew

__all__ = ["STOP_TIMEOUT_SECONDS", "PgBoss"]

logger = logging.getLogger("pgboss")


AnyCallback = TypeVar("AnyCallback", bound=Callback)


class _Part(Protocol):
    """Something that runs, and ends when it is told to."""

    async def stop(self) -> None: ...


class BossKeywords(InstanceKeywords, ClientKeywords, total=False):
    """The keyword arguments of ``PgBoss``, for what wraps one."""


class PgBoss(Lifecycle):
    """A job queue on PostgreSQL, sharing its tables and rules with npm pg-boss.

    Example:
        async with PgBoss(jobs=[jobs]) as boss:
            await boss.send("welcome-mail", {"to": "ada@example.com"})
    """

    def __init__(
        self, dsn: str | None = None, *, jobs: Jobs | Iterable[Jobs] = (), **options: Unpack[BossKeywords]
    ) -> None:
        """Prepare an instance; nothing is connected yet.

        Args:
            dsn: any libpq connection string; ``DATABASE_URL`` by default.
            jobs: job definitions. Their queues are created at the start when they are missing, and subscribed to events
                as declared.
            **options: what runs and how often, such as ``work``, ``supervise``, ``schedule``, ``listen`` and
                ``concurrency``: see :class:`~pgboss.core.instance_options.InstanceOptions`. And ``schema``,
                ``pool_size``, ``pool``, ``queue_defaults``, ``migrate``, ``create_schema``,
                ``allow_schema_case_variant`` and ``max_payload_bytes``, as in the client.

        Raises:
            ConfigurationError: a setting is unusable, an option unknown, or two definitions share a name.
            ValidationError: an option is out of its range.
        """
        _refuse_unknown(options)
        own = InstanceKeywords.__annotations__
        self.id = uuid4()
        """What this instance is called in the table ``instance``."""
        self._options = InstanceOptions(**{name: value for name, value in options.items() if name in own})  # type: ignore[arg-type]  # a selection of the keywords
        super().__init__(dsn, **{name: value for name, value in options.items() if name not in own})  # type: ignore[arg-type]  # and of the client's
        registries = [jobs] if isinstance(jobs, Jobs) else list(jobs)
        self._definitions = collect(registries)
        self._subscriptions = list(dict.fromkeys(pair for registry in registries for pair in registry.subscriptions))
        self._concurrency = self._options.concurrency or self._settings.pgboss_concurrency
        self._stats_source = _stats_source(self._options)
        if self._clock is not None:
            self._database = ClockedDatabase(self._database, self._clock)
        self._spies = Spies(self._watch, enabled=self._options.enable_spies)
        self._crew: Crew | None = None
        self._upkeep: Upkeep | None = None
        self._duties: Duties | None = None
        self._scheduler: Scheduler | None = None
        self._builds: Builds | None = None
        self._gauge: QueueGauge | None = None
        self._others: list[_Part] = []

    @overload
    def on(self, event: EventName) -> Callable[[AnyCallback], AnyCallback]: ...

    @overload
    def on(self, event: EventName, callback: AnyCallback) -> AnyCallback: ...

    def on(self, event: EventName, callback: AnyCallback | None = None) -> Any:
        """Call back at every event of this name, until :meth:`off`; without a callback, a decorator.

        Callbacks may be async. They are called one after the other, in the order of the events, and what one of them
        raises is logged. Everything that is told here is logged as well.

        Args:
            event: ``error`` and ``warning`` (:class:`~pgboss.core.events.ErrorEvent`,
                :class:`~pgboss.core.events.WarningEvent`), ``wip`` (what :meth:`get_wip_data` gives, every two seconds
                while jobs are worked), ``bam`` and ``flow`` (:class:`~pgboss.core.events.BamEvent`,
                :class:`~pgboss.core.events.FlowEvent`), and ``stopped``, with ``None``.
            callback: takes what the event is about.

        Raises:
            ValidationError: there is no such event.
        """
        if callback is None:
            return lambda function: self.on(event, function)
        self._events.on(event, callback)
        return callback

    def off(self, event: EventName, callback: Callback) -> None:
        """Call back no more; one that was never added is passed over."""
        self._events.off(event, callback)

    async def work(
        self, queue: QueueLike, handler: Callable[..., Any] | None = None, **options: Unpack[WorkKeywords]
    ) -> UUID:
        """Start working a queue and return the worker's id, for :meth:`off_work`.

        A definition's queue is created when it is missing, like those of ``jobs``.

        Args:
            queue: a definition with a handler, or a queue's name with ``handler``.
            handler: takes the ``Job``; what it returns is stored as the job's output. A plain function runs in a
                thread.
            **options: ``concurrency``, how many calls run at once; ``min_priority`` and ``max_priority``;
                ``group_concurrency`` or ``local_group_concurrency``; ``lease_seconds``, a heartbeat for jobs that have
                none; ``executor="process"`` for a plain function that computes. With ``batch_size`` the handler takes
                a list of up to so many jobs, and answers for each as
                :meth:`Jobs.batch <pgboss.jobs.registry.Jobs.batch>` says. With ``transactional=True`` it takes the
                connection, too, on which its jobs will be completed. For a definition they stand above its own, which
                alone says whether it takes lists and a connection.

        Raises:
            StoppedError: the instance is not started.
            QueueNotFoundError: the queue does not exist.
            ValidationError: an option is out of its range.
            ConfigurationError: there is no handler, or one too many, or it cannot be called in the way the options ask.
        """
        if self._crew is None:
            raise StoppedError("Workers need a started instance: call start() first, or use `async with PgBoss(...)`.")
        definition, work_options = workable(queue, handler, options)
        concurrency = self._concurrency_of(work_options)
        if isinstance(queue, JobDefinition):
            await create_queues(self, [definition])
        elif await self.get_queue(definition.name) is None:
            raise queue_not_found(definition.name)
        if work_options.is_express:
            await self._run(express.recover(self._catalog, definition.name))
        if self._crew is None:
            raise StoppedError("The instance was stopped meanwhile.")
        with running_on(self._clock):
            return self._crew.add(definition, work_options, concurrency).id

    def get_spy(self, queue: QueueLike) -> JobSpy:
        """The spy on a queue, for tests: it remembers what this instance does to its jobs from now on.

        Raises:
            ConfigurationError: the instance was made without ``enable_spies=True``.
        """
        return self._spies.on(queue_name(queue))

    def clear_spies(self) -> None:
        """Let all spies forget what they have seen, and whom they have promised to tell."""
        self._spies.clear()

    async def _move_clock(self, now: datetime) -> None:
        """Told by the clock: let the sessions of its schema read this time, and leases live on."""
        await super()._move_clock(now)
        if self._crew is not None:
            await self._crew.time_moved()

    async def off_work(self, queue: QueueLike, *, id: UUID | None = None, wait: bool = True) -> None:
        """Stop working a queue, or one worker of it; unknown ones are passed over.

        Nothing more is claimed, what has not started goes back, and what runs may finish: this waits for that, unless
        told not to.
        """
        if self._crew is None:
            return
        workers = self._crew.named(queue_name(queue), id)
        if wait:
            await self._crew.remove(workers)
        else:
            self._crew.remove_soon(workers)

    def notify_worker(self, id: UUID) -> None:
        """Have a worker look for jobs now; an unknown one is passed over.

        Seldom needed: workers are told of new jobs, and look for all others twice a second.
        """
        if self._crew is not None:
            self._crew.look(id)

    def get_wip_data(self, *, include_internal: bool = False) -> list[WipData]:
        """What each worker of this instance is at, in the order in which they were started.

        Args:
            include_internal: also of those that work queues of pg-boss's own, such as the one that delivers schedules.
        """
        data = self._crew.wip() if self._crew is not None else []
        return [one for one in data if include_internal or not one.name.startswith(INTERNAL_PREFIX)]

    async def supervise(
        self,
        queues: QueueLike | Sequence[QueueLike] | None = None,
        *,
        reindex: bool | ReindexOptions | None = None,
    ) -> None:
        """Do the upkeep once, now: count, fail what is overdue, remove what is old, as far as it is due.

        For programs that drive it themselves, with ``supervise=False``. What others have claimed within its interval is
        left to them, so calling this more often does no more. On a schema of an older version nothing is counted.

        Args:
            queues: only this one, or these; old warnings and statistics are removed in any case.
            reindex: whether bloated indexes are rebuilt, instead of what the instance's option says; with
                ``ReindexOptions(force=True)`` every index of these queues' tables, now.

        Raises:
            StoppedError: the instance is not started.
            SchemaVersionError: the schema is of a later version, whose upkeep may have other rules.
            DatabaseError: why something could not be done.
        """
        if self._upkeep is None:
            raise StoppedError(
                "The upkeep needs a started instance: call start() first, or use `async with PgBoss(...)`."
            )
        if self._state is not None and not self._state.may_sweep:
            raise SchemaVersionError(
                f"The upkeep of a schema of version {self._state.version} is left to releases that know it.",
                installed=self._state.version,
                expected=SCHEMA_VERSION,
            )
        await self._upkeep.run_pass(_names(queues), reindex=reindex)

    async def _end_loops(self, timeout: float) -> None:  # noqa: ASYNC109  the deadline is a duty of ours
        crew, self._crew = self._crew, None
        builds, self._builds = self._builds, None
        upkeep, self._upkeep = self._upkeep, None
        others, self._others = self._others, []
        self._duties = self._scheduler = self._gauge = None
        try:
            async with asyncio.TaskGroup() as stops:
                for part in others:
                    stops.create_task(part.stop())
                if builds is not None:
                    stops.create_task(builds.stop(timeout, self._hurry))
                if crew is not None:
                    stops.create_task(crew.stop(timeout, self._hurry))
        finally:
            if upkeep is not None:
                await upkeep.close()

    @property
    def _is_running(self) -> bool:
        return self._crew is not None

    async def _start_loops(self) -> None:
        with running_on(self._clock):
            await self._start_loops_on_clock()

    async def _start_loops_on_clock(self) -> None:
        self._upkeep = Upkeep(
            self._run,
            self._database,
            self.schema,
            self._options,
            self._events,
            is_current=self._may_supervise(),
            instance=str(self.id),
        )
        self._upkeep.open()
        await create_queues(self, self._definitions.values())
        for event, queue in self._subscriptions:
            await self.subscribe(event, queue)
        await declare_schedules(self._run, self.schema, self._definitions.values(), self._max_payload_bytes)
        self._crew = Crew(
            conninfo=self._database.conninfo,
            schema=self.schema,
            run=self._database.run,
            cut=self._database.cut,
            listener=self._database.listener,
            transactions=self._database,
            catalog=self._queues,
            on_parents_completed=self._parents_completed,
            on_settled=self._job_watch.look,
            events=self._events,
            instance_id=self.id,
            polling_interval_seconds=self._options.polling_interval_seconds,
            listen=self._options.listen,
            pooler=self._pooler,
            on_pooler=lambda: self._database.heed("transaction"),
            watch=self._watch,
        )
        if self._watch.telemetry is not None:
            self._gauge = QueueGauge(self._run, self.schema, self._watch.telemetry)
            self._others.append(self._gauge)
            self._gauge.start()
        if self._options.supervise and (self._state is None or self._state.may_sweep):
            self._duties = Duties(self._run, self.schema, self._options, self._events, self._upkeep)
            self._others.append(self._duties)
            self._duties.start()
        if self._options.schedule and (self._state is None or self._state.may_schedule):
            await self._start_scheduler()
        if self._migrate and self._may_supervise():
            self._builds = Builds(self._database, self.schema, self._options, self._events)
            self._builds.start()
        if self._options.work:
            for definition in self._definitions.values():
                if definition.handler is not None:
                    options = definition.work_options
                    self._crew.add(definition, options, self._concurrency_of(options))
        presence = self._make_presence()
        self._others.append(presence)
        await presence.start()

    def _make_presence(self) -> Presence:
        options, loop_delay, registration = self._options, LoopDelay(), None
        if options.register_instance and self.schema.has("instance"):
            report = Reporter(
                self.id,
                options,
                migrate=self._migrate,
                create_schema=self._create_schema,
                start_attempt=self._start_attempt,
                pool_counts=self._database.pool_counts,
                wip=self.get_wip_data,
                vitals=Vitals(loop_delay).take,
            )
            registration = Registration(self._run, self.schema, self.id, report)
        heartbeat_seconds = seconds_of(options.instance_heartbeat_seconds)
        return Presence(self._events, self.get_wip_data, registration, loop_delay, heartbeat_seconds)

    @property
    def _application_name(self) -> str:
        # As Node does it, so that whoever looks at the server's sessions finds the instance.
        return f"pgboss:{str(self.id)[:8]}" if self._options.register_instance else "pgboss"

    @property
    def _pooler(self) -> Pooler:
        return self._options.pooler or super()._pooler

    async def _start_scheduler(self) -> None:
        # With pg-boss's own options, because its instances share the queue.
        await self._run(create_queue(self.schema, SEND_IT_QUEUE, QueueOptions()))
        self._scheduler = Scheduler(self._run, self.schema, self._queues, self._options, self._events)
        self._others.append(self._scheduler)
        self._scheduler.start()

    def _parents_completed(self, queue: str) -> None:
        if self._duties is not None:
            self._duties.parents_completed(queue)

    def _may_supervise(self) -> bool:
        """Not on a schema of another version, whose upkeep may have other rules, and which others may migrate."""
        return self._state is None or self._state.current

    def _concurrency_of(self, options: WorkOptions) -> int:
        concurrency = options.concurrency if isinstance(options.concurrency, int) else self._concurrency
        options.check_reachable(concurrency)
        return concurrency


def _names(queues: QueueLike | Sequence[QueueLike] | None) -> list[str] | None:
    if queues is None:
        return None
    if isinstance(queues, str) or not isinstance(queues, Sequence):
        return [queue_name(queues)]
    return [queue_name(queue) for queue in queues]


def _stats_source(options: InstanceOptions) -> StatsSource:
    intervals = (seconds_of(options.monitor_interval_seconds), seconds_of(options.supervise_interval_seconds))
    return StatsSource(options.persist_queue_stats, max(StatsSource().cached_seconds, *intervals))


def _refuse_unknown(options: BossKeywords) -> None:
    known = {*InstanceKeywords.__annotations__, *ClientKeywords.__annotations__}
    for name in sorted(set(options) - known):
        near = get_close_matches(name, known, n=1)
        raise ConfigurationError(f"PgBoss() has no option {name!r}{f'; did you mean {near[0]}?' if near else '.'}")
