"""One kind of job: its name, its queue's options, its payload's type and, where it is worked, its handler."""

from __future__ import annotations

import dataclasses
from enum import Enum, auto
from functools import WRAPPER_ASSIGNMENTS
from typing import Any, Generic, ParamSpec, TypeVar

from pgboss.core.job import Job
from pgboss.core.names import check_queue_name
from pgboss.core.options import QueueOptions, check_integer
from pgboss.core.wire import JSON
from pgboss.errors import ConfigurationError, ValidationError
from pgboss.jobs.codec import PayloadCodec, ResultCodec, plain
from pgboss.jobs.handlers import Handler, check_job_handler, is_async

__all__ = ["HandledJob", "JobDefinition", "Takes"]

Payload = TypeVar("Payload")
Result = TypeVar("Result")
Extra = ParamSpec("Extra")
Returned = TypeVar("Returned", covariant=True)

MAX_CONCURRENCY = 10_000


class Takes(Enum):
    """What a handler is called with."""

    PAYLOAD = auto()
    PAYLOAD_AND_JOB = auto()
    JOB = auto()


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class JobDefinition(Generic[Payload, Result]):
    """A kind of job, to send and, when it has a handler, to work.

    Typed definitions are made by :class:`~pgboss.jobs.registry.Jobs`.

    Attributes:
        name: the queue's name.
        payload: between payloads and the JSON in their rows.
        result: from what the handler returns to JSON.
        queue_options: those that were given; a worker creates the queue with them when it is missing.
        handler: the function that does the work; ``None`` when another program does it.
        takes: what the handler is called with.
        concurrency: how many of these jobs one worker runs at once; ``None`` is the worker's default.
        is_async: whether calling the handler gives a coroutine; otherwise it belongs in a thread.

    Raises:
        ValidationError: the concurrency is no integer from 1 to 10000.
    """

    name: str
    payload: PayloadCodec[Payload]
    result: ResultCodec[Result]
    queue_options: QueueOptions = QueueOptions()
    handler: Handler | None = None
    takes: Takes = Takes.PAYLOAD
    concurrency: int | None = None
    is_async: bool = False

    def __post_init__(self) -> None:
        if self.concurrency is not None:
            _check_concurrency(self.name, self.concurrency)
        if self.handler is not None:
            self._look_like(self.handler)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}>"

    def prepare(self) -> None:
        """Find the payload's type now, so that a mistake shows when a program starts and not at its first job.

        Raises:
            ConfigurationError: the type is not known, or pydantic cannot handle it.
        """
        self.payload.prepare()

    def encode(self, payload: Payload) -> JSON:
        """The payload as JSON, checked: see :meth:`~pgboss.jobs.codec.PayloadCodec.encode`."""
        return self.payload.encode(payload)

    def decode(self, data: JSON) -> Payload:
        """The payload within a row's data, checked: see :meth:`~pgboss.jobs.codec.PayloadCodec.decode`."""
        return self.payload.decode(data)

    def encode_result(self, value: Result) -> JSON:
        """What the handler returned, as output: see :meth:`~pgboss.jobs.codec.ResultCodec.encode`."""
        return self.result.encode(value)

    def call(self, payload: Payload, job: Job) -> Any:
        """Call the handler with what it takes, and return what it returns: a coroutine when it ``is_async``.

        Raises:
            ConfigurationError: this definition has no handler.
        """
        match self.takes:
            case Takes.PAYLOAD:
                return self._function(payload)
            case Takes.PAYLOAD_AND_JOB:
                return self._function(payload, job)
            case Takes.JOB:
                return self._function(job)

    @staticmethod
    def untyped(name: str, handler: Handler, concurrency: int | None = None) -> JobDefinition[Any, Any]:
        """A definition for a handler that takes the job and nothing else; data and result are plain JSON.

        Raises:
            ValidationError: the name is no queue name, or the concurrency out of range.
            ConfigurationError: the handler is not callable, yields, or takes other parameters.
        """
        check_queue_name(name)
        check_job_handler(name, handler)
        return JobDefinition(
            name=name,
            payload=PayloadCodec(name, plain),
            result=ResultCodec(name, plain),
            handler=handler,
            takes=Takes.JOB,
            concurrency=concurrency,
            is_async=is_async(handler),
        )

    @property
    def _function(self) -> Handler:
        if self.handler is None:
            raise ConfigurationError(
                f"{self.name} is declared without a handler: it can be sent here, and is worked by another program."
            )
        return self.handler

    def _look_like(self, handler: Handler) -> None:
        """What functools.update_wrapper does, for a frozen object."""
        for attribute in WRAPPER_ASSIGNMENTS:
            if hasattr(handler, attribute):
                object.__setattr__(self, attribute, getattr(handler, attribute))
        object.__setattr__(self, "__wrapped__", handler)


class HandledJob(JobDefinition[Payload, Result], Generic[Payload, Result, Extra, Returned]):
    """A definition with its handler. Calling it calls the handler and nothing else, so that tests need no queue."""

    def __call__(self, payload: Payload, /, *args: Extra.args, **kwargs: Extra.kwargs) -> Returned:
        returned: Returned = self._function(payload, *args, **kwargs)
        return returned


def _check_concurrency(name: str, value: int) -> None:
    try:
        check_integer("concurrency", value, 1, MAX_CONCURRENCY)
    except ValidationError as error:
        raise ValidationError(f"{name}: {error}") from None
