"""The decorator that makes a function the handler of a kind of job."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from types import FrameType
from typing import Any, Protocol, TypeVar, overload

from pgboss.core.job import Job
from pgboss.core.options import QueueOptions
from pgboss.jobs.codec import PayloadCodec, ResultCodec
from pgboss.jobs.definition import HandledJob, JobDefinition, Takes
from pgboss.jobs.handlers import Handler, Signature, is_async

__all__ = ["JobDecorator"]

Payload = TypeVar("Payload")
Result = TypeVar("Result")
Definition = TypeVar("Definition", bound=JobDefinition[Any, Any])


class Register(Protocol):
    """Where a finished definition goes."""

    def __call__(self, definition: Definition) -> Definition: ...


@dataclass(frozen=True, slots=True)
class JobDecorator:
    """What ``@jobs.job(…)`` applies to the function beneath it.

    The overloads tell type checkers what a handler takes and gives, and refuse other shapes.
    """

    register: Register
    name: str
    concurrency: int | None
    queue_options: QueueOptions

    @overload
    def __call__(
        self, handler: Callable[[Payload], Coroutine[Any, Any, Result]]
    ) -> HandledJob[Payload, Result, [], Coroutine[Any, Any, Result]]: ...

    @overload
    def __call__(
        self, handler: Callable[[Payload, Job], Coroutine[Any, Any, Result]]
    ) -> HandledJob[Payload, Result, [Job], Coroutine[Any, Any, Result]]: ...

    @overload
    def __call__(self, handler: Callable[[Payload], Result]) -> HandledJob[Payload, Result, [], Result]: ...

    @overload
    def __call__(self, handler: Callable[[Payload, Job], Result]) -> HandledJob[Payload, Result, [Job], Result]: ...

    def __call__(self, handler: Handler) -> HandledJob[Any, Any, ..., Any]:
        """Define the job and register it.

        Raises:
            ConfigurationError: the function cannot be a handler; the message says why.
        """
        signature = Signature(self.name, handler, _local_names(inspect.currentframe()))
        definition = HandledJob[Any, Any, ..., Any](
            name=self.name,
            payload=PayloadCodec[Any](self.name, signature.payload_type),
            result=ResultCodec[Any](self.name, signature.result_type),
            queue_options=self.queue_options,
            handler=handler,
            takes=Takes.PAYLOAD_AND_JOB if signature.takes_job else Takes.PAYLOAD,
            concurrency=self.concurrency,
            is_async=is_async(handler),
        )
        return self.register(definition)


def _local_names(frame: FrameType | None) -> dict[str, Any]:
    """The names around a handler that is defined within a function, whose annotations may be mere text."""
    around = frame.f_back if frame is not None else None
    if around is None or around.f_locals is around.f_globals:
        return {}
    return dict(around.f_locals)
