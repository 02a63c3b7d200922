"""The registry of a program's jobs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, Literal, TypeVar, Unpack, overload

from pgboss.core.names import SEND_IT_QUEUE, check_queue_name
from pgboss.core.options import QueueKeywords, QueueOptions
from pgboss.core.schedule import Schedule
from pgboss.core.work_options import JobKeywords, WorkKeywords, WorkOptions
from pgboss.errors import ConfigurationError, ValidationError
from pgboss.jobs.codec import PayloadCodec, ResultCodec, plain
from pgboss.jobs.decorator import (
    BatchDecorator,
    JobDecorator,
    TransactionalBatchDecorator,
    TransactionalDecorator,
)
from pgboss.jobs.definition import JobDefinition, work_options_of
from pgboss.jobs.events import Event
from pgboss.jobs.handlers import describe

__all__ = ["Jobs", "collect"]

Payload = TypeVar("Payload")
Definition = TypeVar("Definition", bound=JobDefinition[Any, Any])


class Jobs:
    """The jobs of a program, or of a part of it::

        jobs = Jobs()

        @jobs.job("document-parse", concurrency=2, retry_limit=3)
        async def parse(payload: DocumentParse, job: Job) -> ParseResult: ...

    ``jobs["document-parse"]`` is a definition by its name; iterating gives the definitions in the order in which they
    were made.
    """

    def __init__(self) -> None:
        self._definitions: dict[str, JobDefinition[Any, Any]] = {}
        self._subscriptions: dict[tuple[str, str], None] = {}

    @overload
    def job(
        self, name: str, *, transactional: Literal[False] = ..., **options: Unpack[JobKeywords]
    ) -> JobDecorator: ...

    @overload
    def job(
        self, name: str, *, transactional: Literal[True], **options: Unpack[JobKeywords]
    ) -> TransactionalDecorator: ...

    def job(self, name: str, *, transactional: bool = False, **options: Unpack[JobKeywords]) -> Any:
        """Make a function the handler of a kind of job.

        The function takes the payload and, if it wants to, the :class:`~pgboss.core.job.Job`. The payload's
        annotation says what it must look like: a pydantic model, a dataclass, a TypedDict or anything else pydantic
        reads; without one, or with Any, it is plain JSON. A function that is not ``async def`` runs in a thread.

        Args:
            name: the queue's name.
            transactional: the function takes payload, job and the connection on which the job will be completed: what
                it writes there is committed together with the completion, or not at all. An ``async def`` gets a
                connection of the instance's pool, a plain one a ``psycopg.Connection``.
            **options: ``concurrency``, ``group_concurrency``, ``executor="process"`` for a function that computes, and
                the other options of a worker, see
                :class:`~pgboss.core.work_options.WorkOptions`; and the queue's, in case it has to be created: one
                that exists is left as it is. ``schedule`` is a :class:`~pgboss.core.schedule.Schedule`, or several
                with different keys, that whatever starts with this registry stores.

        Raises:
            ValidationError: the name or an option is out of range.
            ConfigurationError: the name is taken, an option unknown, or (when applied) the function is no handler.
        """
        if "batch_size" in options:
            raise ConfigurationError(f"{name}: batch_size is for handlers that take lists: use @jobs.batch.")
        schedules = _schedules(name, options.pop("schedule", ()))
        work_options, queue_options = self._read(name, {"transactional": transactional, **options})
        kind = TransactionalDecorator if work_options.is_transactional else JobDecorator
        return kind(self.add, name, work_options, queue_options, schedules)

    @overload
    def batch(
        self, name: str, *, batch_size: int, transactional: Literal[False] = ..., **options: Unpack[JobKeywords]
    ) -> BatchDecorator: ...

    @overload
    def batch(
        self, name: str, *, batch_size: int, transactional: Literal[True], **options: Unpack[JobKeywords]
    ) -> TransactionalBatchDecorator: ...

    def batch(self, name: str, *, batch_size: int, transactional: bool = False, **options: Unpack[JobKeywords]) -> Any:
        """Make a function the handler of many jobs of a kind at once::

            @jobs.batch("embed", batch_size=50)
            async def embed(payloads: list[EmbedText]) -> list[Embedded]: ...

        The function takes a list of payloads and, if it wants to, the list of their jobs; a single job is a list,
        too. It returns ``None``, or a list with one result for each job in order, or a mapping from job ids to
        results, in which a job that is missing fails. An exception as a result fails its own job, :class:`Discard`
        for good, and :class:`Snooze` brings its job back. What the function raises counts for the whole batch.

        Args:
            name: the queue's name.
            batch_size: the most jobs of one call; there are fewer when fewer are due.
            transactional: as in :meth:`job`, with the lists of payloads and jobs; all jobs are completed together,
                so that no result may be an exception.
            **options: as in :meth:`job`; ``concurrency`` is how many calls run at once.

        Raises:
            ValidationError: the name or an option is out of range.
            ConfigurationError: the name is taken, an option unknown, or (when applied) the function is no handler.
        """
        schedules = _schedules(name, options.pop("schedule", ()))
        given = {"batch_size": batch_size, "transactional": transactional, **options}
        work_options, queue_options = self._read(name, given)
        kind = TransactionalBatchDecorator if work_options.is_transactional else BatchDecorator
        return kind(self.add, name, work_options, queue_options, schedules)

    @overload
    def declare(
        self, name: str, payload: type[Payload], **queue_options: Unpack[QueueKeywords]
    ) -> JobDefinition[Payload, Any]: ...

    @overload
    def declare(self, name: str, payload: None, **queue_options: Unpack[QueueKeywords]) -> JobDefinition[None, Any]: ...

    @overload
    def declare(
        self, name: str, payload: Any = ..., **queue_options: Unpack[QueueKeywords]
    ) -> JobDefinition[Any, Any]: ...

    def declare(self, name: str, payload: Any = Any, **queue_options: Unpack[QueueKeywords]) -> JobDefinition[Any, Any]:
        """Declare a kind of job that another program works, a Node worker say, so that it is sent with checks.

        Raises:
            ValidationError: the name or an option is out of range.
            ConfigurationError: the name is taken, an option unknown, or the payload no type that pydantic handles.
        """
        self._check_name(name)
        declared = type(None) if payload is None else payload
        return self.add(
            JobDefinition[Any, Any](
                name=name,
                payload=PayloadCodec[Any](name, lambda: declared),
                result=ResultCodec[Any](name, plain),
                queue_options=_options(name, queue_options),
            )
        )

    @overload
    def event(self, name: str, payload: type[Payload]) -> Event[Payload]: ...

    @overload
    def event(self, name: str, payload: None) -> Event[None]: ...

    @overload
    def event(self, name: str, payload: Any = ...) -> Event[Any]: ...

    def event(self, name: str, payload: Any = Any) -> Event[Any]:
        """Declare an event, so that it is published with checks: ``boss.publish(event, payload)``.

        Raises:
            ValidationError: the name is no text, or empty.
            ConfigurationError: the payload is no type that pydantic handles.
        """
        return Event.declare(name, payload)

    def subscribe(self, event: Event[Payload], *definitions: JobDefinition[Payload, Any]) -> None:
        """Let jobs hear of an event: whatever starts with this registry subscribes their queues to it.

        A subscription lasts in the database, also when it is no longer declared: end it with ``boss.unsubscribe``.
        """
        self._subscriptions.update(dict.fromkeys((event.name, definition.name) for definition in definitions))

    @property
    def subscriptions(self) -> Iterable[tuple[str, str]]:
        """Every event, by name, with a queue that shall hear of it."""
        return self._subscriptions.keys()

    def add(self, definition: Definition) -> Definition:
        """Add a definition, and return it.

        Raises:
            ConfigurationError: another definition has its name.
        """
        self._check_name(definition.name)
        self._definitions[definition.name] = definition
        return definition

    @classmethod
    def merge(cls, *registries: Jobs) -> Jobs:
        """One registry with the jobs of several.

        Raises:
            ConfigurationError: two definitions have the same name.
        """
        merged = cls()
        for definition in _distinct(registries).values():
            merged.add(definition)
        for registry in registries:
            merged._subscriptions.update(dict.fromkeys(registry.subscriptions))
        return merged

    def __getitem__(self, name: str) -> JobDefinition[Any, Any]:
        return self._definitions[name]

    def __contains__(self, name: object) -> bool:
        return name in self._definitions

    def __iter__(self) -> Iterator[JobDefinition[Any, Any]]:
        return iter(self._definitions.values())

    def __len__(self) -> int:
        return len(self._definitions)

    def __repr__(self) -> str:
        return f"<Jobs: {', '.join(self._definitions) or 'none yet'}>"

    def _read(self, name: str, given: Mapping[str, Any]) -> tuple[WorkOptions, QueueOptions]:
        self._check_name(name)
        for_work = {option: value for option, value in given.items() if option in WorkKeywords.__annotations__}
        for_queue = {option: value for option, value in given.items() if option not in for_work}
        # The queue's first, where an option that nobody knows is found out.
        queue_options = _options(name, for_queue)
        return work_options_of(name, for_work), queue_options

    def _check_name(self, name: object) -> None:
        if callable(name):
            raise ConfigurationError('The job has no name. Write @jobs.job("its-name"), with the name of its queue.')
        checked = check_queue_name(name, what="job name")
        if checked == SEND_IT_QUEUE:
            raise ConfigurationError(f"The queue {checked} delivers schedules. Give the job another name.")
        if checked in self._definitions:
            raise ConfigurationError(_twice(self._definitions[checked]))


def collect(registries: Jobs | Iterable[Jobs]) -> dict[str, JobDefinition[Any, Any]]:
    """The definitions of several registries by name, each ready for use.

    Raises:
        ConfigurationError: two definitions have the same name, the payload's type of one is not known, or something
            else than a registry was given.
    """
    definitions = _distinct([registries] if isinstance(registries, Jobs) else registries)
    for definition in definitions.values():
        definition.prepare()
    return definitions


def _distinct(registries: Iterable[Jobs]) -> dict[str, JobDefinition[Any, Any]]:
    definitions: dict[str, JobDefinition[Any, Any]] = {}
    for registry in registries:
        if not isinstance(registry, Jobs):
            raise ConfigurationError(f"Expected a Jobs registry, not {type(registry).__name__}: {registry!r}.")
        for definition in registry:
            # The same definition may come by two ways: a registry, and another one merged from it.
            if definitions.setdefault(definition.name, definition) is not definition:
                raise ConfigurationError(_twice(definitions[definition.name]))
    return definitions


def _twice(first: JobDefinition[Any, Any]) -> str:
    where = f"handled by {describe(first.handler)}" if first.handler else "declared for sending"
    return f"There are two definitions of the job {first.name}; the first one is {where}. Give each its own name."


def _schedules(name: str, given: Schedule | Sequence[Schedule]) -> tuple[Schedule, ...]:
    schedules = (given,) if isinstance(given, Schedule) else tuple(given)
    for schedule in schedules:
        if not isinstance(schedule, Schedule):
            raise ConfigurationError(f"{name}: schedule must be a Schedule, or a list of them, not {schedule!r}.")
    if len({schedule.key for schedule in schedules}) < len(schedules):
        raise ConfigurationError(f"{name}: several schedules need different keys: Schedule(…, key=…).")
    return schedules


def _options(name: str, given: Mapping[str, Any]) -> QueueOptions:
    unknown = [option for option in given if option not in QueueKeywords.__annotations__]
    if unknown:
        similar = get_close_matches(unknown[0], JobKeywords.__annotations__, n=1)
        hint = f" Did you mean {similar[0]}?" if similar else ""
        raise ConfigurationError(f"{name}: there is no option {unknown[0]}.{hint}")
    try:
        options = QueueOptions(**given)
    except ValidationError as error:
        raise ValidationError(f"{name}: {error}") from None
    if options.dead_letter == name:
        raise ValidationError(f"{name}: dead_letter must be another queue, not the job's own.")
    return options
