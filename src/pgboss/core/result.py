"""What came of a job that somebody waited for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from pgboss.core.job import JobDetails, JobState
from pgboss.errors import JobCancelledError, JobFailedError

__all__ = ["JobResult", "ResultReader", "reader_of"]

Result = TypeVar("Result")
R_co = TypeVar("R_co", covariant=True)


class ResultReader(Protocol[R_co]):
    """A job definition, as far as results are concerned."""

    @property
    def name(self) -> str:
        """The queue's name."""

    def result_of(self, job: JobDetails) -> R_co | None:
        """What the handler returned for a job.

        Raises:
            PayloadError: the stored output does not fit the declared type.
        """


@dataclass(frozen=True, slots=True)
class JobResult(Generic[Result]):
    """How a job ended.

    Attributes:
        job: everything stored about it, as it was when it had ended.
    """

    job: JobDetails
    _read: Callable[[JobDetails], Result | None] = field(repr=False)

    @property
    def state(self) -> JobState:
        """``completed``, ``failed`` or ``cancelled``."""
        return self.job.state

    @property
    def value(self) -> Result | None:
        """What the handler returned, in the type of its definition; ``None`` when it returned nothing.

        Raises:
            JobFailedError: it failed for good; the message says why.
            JobCancelledError: it was cancelled; a ``JobFailedError``, too.
            PayloadError: the stored output does not fit the declared type.
        """
        job = self.job
        if job.state == "cancelled":
            raise JobCancelledError(f"Job {job.id} of queue {job.name} was cancelled.", job=job)
        if job.state == "failed":
            raise JobFailedError(f"Job {job.id} of queue {job.name} failed: {reason_of(job.output)}", job=job)
        return self._read(job)


def reason_of(output: Any) -> str:
    """Whatever was stored of why a job failed, in one line: errors have a message, other values are wrapped."""
    wrapped = output.get("value", output) if isinstance(output, dict) else output
    message = wrapped.get("message") if isinstance(wrapped, dict) else wrapped
    return str(wrapped if message is None else message)[:500]


def reader_of(queue: object) -> Callable[[JobDetails], Any]:
    """How to read results of jobs of this queue: as its definition says, or as they are stored."""
    read = getattr(queue, "result_of", None)
    return read if callable(read) else _bare


def _bare(job: JobDetails) -> Any:
    output = job.output
    is_wrapped = isinstance(output, dict) and output.keys() == {"value"} and not isinstance(output["value"], dict)
    return output["value"] if is_wrapped else output
