"""The registry of a program's jobs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any, TypeVar, Unpack, overload

from pgboss.core.names import SEND_IT_QUEUE, check_queue_name
from pgboss.core.options import QueueKeywords, QueueOptions
from pgboss.errors import ConfigurationError, ValidationError
from pgboss.jobs.codec import PayloadCodec, ResultCodec, plain
from pgboss.jobs.decorator import JobDecorator
from pgboss.jobs.definition import JobDefinition
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

    def job(self, name: str, *, concurrency: int | None = None, **queue_options: Unpack[QueueKeywords]) -> JobDecorator:
        """Make a function the handler of a kind of job.

        The function takes the payload and, if it wants to, the :class:`~pgboss.core.job.Job`. The payload's
        annotation says what it must look like: a pydantic model, a dataclass, a TypedDict or anything else pydantic
        reads; without one, or with Any, it is plain JSON. A function that is not ``async def`` runs in a thread.

        Args:
            name: the queue's name.
            concurrency: how many of these jobs one worker runs at once; ``None`` is the worker's default.
            **queue_options: for the queue, in case it has to be created; one that exists is left as it is.

        Raises:
            ValidationError: the name or an option is out of range.
            ConfigurationError: the name is taken, an option unknown, or (when applied) the function is no handler.
        """
        self._check_name(name)
        return JobDecorator(self.add, name, concurrency, _options(name, queue_options))

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


def _options(name: str, given: Mapping[str, Any]) -> QueueOptions:
    unknown = [option for option in given if option not in QueueKeywords.__annotations__]
    if unknown:
        similar = get_close_matches(unknown[0], [*QueueKeywords.__annotations__, "concurrency"], n=1)
        hint = f" Did you mean {similar[0]}?" if similar else ""
        raise ConfigurationError(f"{name}: there is no option {unknown[0]}.{hint}")
    try:
        options = QueueOptions(**given)
    except ValidationError as error:
        raise ValidationError(f"{name}: {error}") from None
    if options.dead_letter == name:
        raise ValidationError(f"{name}: dead_letter must be another queue, not the job's own.")
    return options
