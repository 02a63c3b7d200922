"""The decorators that make a function the handler of a kind of job.

There is one for each shape a handler may have, because type checkers must know it; they all make definitions alike.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from types import FrameType
from typing import Any, Protocol, TypeAlias, TypeVar, overload
from uuid import UUID

from pgboss.core.job import Job
from pgboss.core.options import QueueOptions
from pgboss.core.schedule import Schedule
from pgboss.core.work_options import WorkOptions
from pgboss.jobs.codec import PayloadCodec, ResultCodec
from pgboss.jobs.definition import HandledBatch, HandledJob, JobDefinition, Takes
from pgboss.jobs.elsewhere import check_executor
from pgboss.jobs.handlers import Handler, Shape, Signature, is_async

__all__ = ["BatchDecorator", "JobDecorator", "TransactionalBatchDecorator", "TransactionalDecorator"]

Payload = TypeVar("Payload")
Result = TypeVar("Result")
Connection = TypeVar("Connection")
# JobDetails with include_metadata.
AnyJob = TypeVar("AnyJob", bound=Job)
Definition = TypeVar("Definition", bound=JobDefinition[Any, Any])


class Register(Protocol):
    """Where a finished definition goes."""

    def __call__(self, definition: Definition) -> Definition: ...


Results: TypeAlias = Sequence[Result | BaseException] | Mapping[UUID, Result | BaseException] | None
"""What a batch handler returns: nothing, one result a job in their order, or results by the jobs' ids.

An exception among them fails its own job, ``Discard`` for good; ``Snooze`` brings the job back.
"""


@dataclass(frozen=True, slots=True)
class _Decorator:
    register: Register
    name: str
    work_options: WorkOptions
    queue_options: QueueOptions
    schedules: tuple[Schedule, ...] = ()

    def _define(self, handler: Handler, frame: FrameType | None) -> JobDefinition[Any, Any]:
        """Define the job and register it; the frame is that of ``__call__``.

        Raises:
            ConfigurationError: the function cannot be a handler; the message says why.
        """
        options = self.work_options
        shape = Shape(options.is_batch, options.is_transactional, options.has_metadata)
        signature = Signature(self.name, handler, _local_names(frame), shape)
        check_executor(self.name, handler, options)
        kind = HandledBatch[Any, Any, ..., Any] if options.is_batch else HandledJob[Any, Any, ..., Any]
        definition: JobDefinition[Any, Any] = kind(
            name=self.name,
            payload=PayloadCodec[Any](self.name, signature.payload_type),
            result=ResultCodec[Any](self.name, signature.result_type),
            queue_options=self.queue_options,
            schedules=self.schedules,
            handler=handler,
            takes=Takes.PAYLOAD_AND_JOB if signature.takes_job else Takes.PAYLOAD,
            work_options=options,
            is_async=is_async(handler),
        )
        return self.register(definition)


class JobDecorator(_Decorator):
    """What ``@jobs.job(…)`` applies to the function beneath it.

    The overloads tell type checkers what a handler takes and gives, and refuse other shapes.
    """

    __slots__ = ()

    @overload
    def __call__(
        self, handler: Callable[[Payload], Coroutine[Any, Any, Result]]
    ) -> HandledJob[Payload, Result, [], Coroutine[Any, Any, Result]]: ...

    @overload
    def __call__(
        self, handler: Callable[[Payload, AnyJob], Coroutine[Any, Any, Result]]
    ) -> HandledJob[Payload, Result, [AnyJob], Coroutine[Any, Any, Result]]: ...

    @overload
    def __call__(self, handler: Callable[[Payload], Result]) -> HandledJob[Payload, Result, [], Result]: ...

    @overload
    def __call__(
        self, handler: Callable[[Payload, AnyJob], Result]
    ) -> HandledJob[Payload, Result, [AnyJob], Result]: ...

    def __call__(self, handler: Handler) -> Any:
        return self._define(handler, inspect.currentframe())


class TransactionalDecorator(_Decorator):
    """What ``@jobs.job(…, transactional=True)`` applies to the function beneath it."""

    __slots__ = ()

    @overload
    def __call__(
        self, handler: Callable[[Payload, AnyJob, Connection], Coroutine[Any, Any, Result]]
    ) -> HandledJob[Payload, Result, [AnyJob, Connection], Coroutine[Any, Any, Result]]: ...

    @overload
    def __call__(
        self, handler: Callable[[Payload, AnyJob, Connection], Result]
    ) -> HandledJob[Payload, Result, [AnyJob, Connection], Result]: ...

    def __call__(self, handler: Handler) -> Any:
        return self._define(handler, inspect.currentframe())


class BatchDecorator(_Decorator):
    """What ``@jobs.batch(…)`` applies to the function beneath it."""

    __slots__ = ()

    @overload
    def __call__(
        self, handler: Callable[[list[Payload]], Coroutine[Any, Any, None]]
    ) -> HandledBatch[Payload, None, [], Coroutine[Any, Any, None]]: ...

    @overload
    def __call__(
        self, handler: Callable[[list[Payload], list[AnyJob]], Coroutine[Any, Any, None]]
    ) -> HandledBatch[Payload, None, [list[AnyJob]], Coroutine[Any, Any, None]]: ...

    @overload
    def __call__(
        self, handler: Callable[[list[Payload]], Coroutine[Any, Any, Results[Result]]]
    ) -> HandledBatch[Payload, Result, [], Coroutine[Any, Any, Results[Result]]]: ...

    @overload
    def __call__(
        self, handler: Callable[[list[Payload], list[AnyJob]], Coroutine[Any, Any, Results[Result]]]
    ) -> HandledBatch[Payload, Result, [list[AnyJob]], Coroutine[Any, Any, Results[Result]]]: ...

    @overload
    def __call__(self, handler: Callable[[list[Payload]], None]) -> HandledBatch[Payload, None, [], None]: ...

    @overload
    def __call__(
        self, handler: Callable[[list[Payload], list[AnyJob]], None]
    ) -> HandledBatch[Payload, None, [list[AnyJob]], None]: ...

    @overload
    def __call__(
        self, handler: Callable[[list[Payload]], Results[Result]]
    ) -> HandledBatch[Payload, Result, [], Results[Result]]: ...

    @overload
    def __call__(
        self, handler: Callable[[list[Payload], list[AnyJob]], Results[Result]]
    ) -> HandledBatch[Payload, Result, [list[AnyJob]], Results[Result]]: ...

    def __call__(self, handler: Handler) -> Any:
        return self._define(handler, inspect.currentframe())


class TransactionalBatchDecorator(_Decorator):
    """What ``@jobs.batch(…, transactional=True)`` applies to the function beneath it."""

    __slots__ = ()

    @overload
    def __call__(
        self, handler: Callable[[list[Payload], list[AnyJob], Connection], Coroutine[Any, Any, None]]
    ) -> HandledBatch[Payload, None, [list[AnyJob], Connection], Coroutine[Any, Any, None]]: ...

    @overload
    def __call__(
        self, handler: Callable[[list[Payload], list[AnyJob], Connection], Coroutine[Any, Any, Results[Result]]]
    ) -> HandledBatch[Payload, Result, [list[AnyJob], Connection], Coroutine[Any, Any, Results[Result]]]: ...

    @overload
    def __call__(
        self, handler: Callable[[list[Payload], list[AnyJob], Connection], None]
    ) -> HandledBatch[Payload, None, [list[AnyJob], Connection], None]: ...

    @overload
    def __call__(
        self, handler: Callable[[list[Payload], list[AnyJob], Connection], Results[Result]]
    ) -> HandledBatch[Payload, Result, [list[AnyJob], Connection], Results[Result]]: ...

    def __call__(self, handler: Handler) -> Any:
        return self._define(handler, inspect.currentframe())


def _local_names(frame: FrameType | None) -> dict[str, Any]:
    """The names around a handler that is defined within a function, whose annotations may be mere text."""
    around = frame.f_back if frame is not None else None
    if around is None or around.f_locals is around.f_globals:
        return {}
    return dict(around.f_locals)
