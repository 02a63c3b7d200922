"""One kind of job: its name, its queue's options, its payload's type and, where it is worked, its handler."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from enum import Enum, auto
from functools import WRAPPER_ASSIGNMENTS
from typing import Any, Generic, ParamSpec, TypeVar, Unpack

from pgboss.core.job import Job, JobDetails
from pgboss.core.names import check_queue_name
from pgboss.core.options import QueueOptions
from pgboss.core.schedule import Schedule
from pgboss.core.wire import JSON
from pgboss.core.work_options import WorkKeywords, WorkOptions
from pgboss.errors import ConfigurationError, ValidationError
from pgboss.jobs.codec import PayloadCodec, ResultCodec, plain
from pgboss.jobs.elsewhere import check_executor, import_of
from pgboss.jobs.handlers import Handler, Shape, check_job_handler, is_async

__all__ = ["HandledBatch", "HandledJob", "JobDefinition", "Takes"]

Payload = TypeVar("Payload")
Result = TypeVar("Result")
Extra = ParamSpec("Extra")
Returned = TypeVar("Returned", covariant=True)


class Takes(Enum):
    """What a handler is called with: one of each, or lists in a batch; a transaction's connection comes last."""

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
        schedules: when jobs of this kind come by themselves; whatever starts with the definition stores them.
        handler: the function that does the work; ``None`` when another program does it.
        takes: what the handler is called with.
        work_options: how a worker works these jobs, where it is not told otherwise.
        is_async: whether calling the handler gives a coroutine; otherwise it belongs in a thread.
    """

    name: str
    payload: PayloadCodec[Payload]
    result: ResultCodec[Result]
    queue_options: QueueOptions = QueueOptions()
    schedules: tuple[Schedule, ...] = ()
    handler: Handler | None = None
    takes: Takes = Takes.PAYLOAD
    work_options: WorkOptions = WorkOptions()
    is_async: bool = False

    def __post_init__(self) -> None:
        if self.handler is not None:
            self._look_like(self.handler)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}>"

    def prepare(self) -> None:
        """Find the payload's type now, so that a mistake shows when a program starts and not at its first job.

        Raises:
            ConfigurationError: the type is not known, or pydantic cannot handle it; or processes are to run the
                handler, and its name means something else.
        """
        self.payload.prepare()
        if self.handler is not None and self.work_options.is_in_process:
            import_of(self)

    def encode(self, payload: Payload) -> JSON:
        """The payload as JSON, checked: see :meth:`~pgboss.jobs.codec.PayloadCodec.encode`."""
        return self.payload.encode(payload)

    def decode(self, data: JSON) -> Payload:
        """The payload within a row's data, checked: see :meth:`~pgboss.jobs.codec.PayloadCodec.decode`."""
        return self.payload.decode(data)

    def encode_result(self, value: Result) -> JSON:
        """What the handler returned, as output: see :meth:`~pgboss.jobs.codec.ResultCodec.encode`."""
        return self.result.encode(value)

    @property
    def concurrency(self) -> int | None:
        """How many calls of the handler run at once; ``None`` is the worker's default."""
        concurrency = self.work_options.concurrency
        return concurrency if isinstance(concurrency, int) else None

    @property
    def is_batch(self) -> bool:
        """Whether the handler takes lists of payloads and jobs."""
        return self.work_options.is_batch

    @property
    def is_transactional(self) -> bool:
        """Whether the handler takes the connection on which its jobs are completed."""
        return self.work_options.is_transactional

    def payload_of(self, job: Job) -> Payload:
        """The payload of a job that was fetched or found.

        Raises:
            PayloadError: its data do not fit the declared type.
        """
        return self.decode(job.data)

    def result_of(self, job: JobDetails) -> Result | None:
        """What the handler returned for a job; ``None`` when it returned nothing, or the job is not completed.

        The type must accept what it is written as: a model with another alias for reading than for writing does not.

        Raises:
            PayloadError: the stored output does not fit the declared type, as that of another release may.
        """
        return self.result.decode(job.output) if job.state == "completed" else None

    def call(self, payload: Any, job: Any, *connection: object) -> Any:
        """Call the handler with what it takes, and return what it returns: a coroutine when it ``is_async``.

        Args:
            payload: in a batch, a list of payloads.
            job: in a batch, a list of jobs in the same order.
            *connection: that of the transaction, for a transactional handler.

        Raises:
            ConfigurationError: this definition has no handler.
        """
        match self.takes:
            case Takes.PAYLOAD:
                return self._function(payload)
            case Takes.PAYLOAD_AND_JOB:
                return self._function(payload, job, *connection)
            case Takes.JOB:
                return self._function(job, *connection)

    @staticmethod
    def untyped(name: str, handler: Handler, **options: Unpack[WorkKeywords]) -> JobDefinition[Any, Any]:
        """A definition for a handler that takes the job, or a list of jobs; data and result are plain JSON.

        Args:
            name: the queue's name.
            handler: takes a list when there is a ``batch_size``, and the connection too when ``transactional``.
            **options: of the worker.

        Raises:
            ValidationError: the name is no queue name, or an option out of range.
            ConfigurationError: the handler is not callable, yields, or takes other parameters.
        """
        check_queue_name(name)
        work_options = work_options_of(name, options)
        check_job_handler(name, handler, Shape(work_options.is_batch, work_options.is_transactional))
        check_executor(name, handler, work_options)
        return JobDefinition(
            name=name,
            payload=PayloadCodec(name, plain),
            result=ResultCodec(name, plain),
            handler=handler,
            takes=Takes.JOB,
            work_options=work_options,
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


class HandledBatch(JobDefinition[Payload, Result], Generic[Payload, Result, Extra, Returned]):
    """A definition whose handler takes lists. Calling it calls the handler and nothing else."""

    def __call__(self, payloads: list[Payload], /, *args: Extra.args, **kwargs: Extra.kwargs) -> Returned:
        returned: Returned = self._function(payloads, *args, **kwargs)
        return returned


def work_options_of(name: str, given: Mapping[str, Any]) -> WorkOptions:
    """Worker options, with the job's name in whatever is wrong with them."""
    try:
        return WorkOptions(**given)
    except ValidationError as error:
        raise ValidationError(f"{name}: {error}") from None
