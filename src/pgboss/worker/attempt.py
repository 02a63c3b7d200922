"""One attempt at one job: decode the payload, call the handler within its time, and say how it ended.

Whatever a handler raises ends its own job and nothing else, ``SystemExit`` included.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from time import monotonic
from typing import Any, TypeAlias, TypeVar

from pgboss.core.job import Job
from pgboss.core.wire import output_text
from pgboss.errors import HandlerProcessError, HandlerTimeoutError, PayloadError
from pgboss.jobs import Discard, JobDefinition, Snooze
from pgboss.runtime.clock import call_later, timeout
from pgboss.worker.outcome import COMPLETED, Completed, Failed, GivenBack, Outcome, failed_with
from pgboss.worker.pump import Rest

__all__ = ["CallHandler", "Settle", "UnreadableJob", "attempt", "decoded", "outcome_in_loop", "outcome_of", "within"]

T = TypeVar("T")

CallHandler: TypeAlias = Callable[[Callable[[], Any]], Awaitable[Any]]
"""Runs a call of the handler: a coroutine in the event loop, a plain function in a thread."""


Settle: TypeAlias = Callable[[Job, Outcome], None]
"""Is told what became of a job."""


async def attempt(definition: JobDefinition[Any, Any], jobs: Sequence[Job], call: CallHandler, settle: Settle) -> None:
    """Work the only one of the jobs and settle it, also when the attempt is cancelled, by whomever."""
    settle(jobs[0], await outcome_of_attempt(definition, jobs[0], call))


async def outcome_in_loop(definition: JobDefinition[Any, Any], job: Job) -> Outcome:
    """:func:`outcome_of_attempt` for a handler that the event loop runs: the way of most jobs, and so a short one."""
    try:
        steps = definition.call(decoded(definition, job), job).__await__()
        began = monotonic()
        try:
            waits_for = steps.send(None)
        except StopIteration as end:
            # Most short handlers wait for nothing, and need no timers.
            result = end.value
        else:
            result = await _within((job,), Rest(steps, waits_for), monotonic() - began)
        return COMPLETED if result is None else Completed(output_text(definition.encode_result(result)))
    except BaseException as error:  # noqa: BLE001  whatever a handler raises fails its job and must not end the worker
        return outcome_of(error)


async def outcome_of_attempt(definition: JobDefinition[Any, Any], job: Job, call: CallHandler) -> Outcome:
    """Work a job; also when the attempt is cancelled there is an outcome."""
    try:
        payload = decoded(definition, job)
        result = await within((job,), call(lambda: definition.call(payload, job)))
        return Completed(output_text(definition.encode_result(result)))
    except BaseException as error:  # noqa: BLE001  whatever a handler raises fails its job and must not end the worker
        return outcome_of(error)


class UnreadableJob(Exception):  # noqa: N818  it carries the error
    """The row's data do not fit the payload's type."""

    def __init__(self, reason: PayloadError) -> None:
        super().__init__(str(reason))
        self.reason = reason


def decoded(definition: JobDefinition[Any, Any], job: Job) -> Any:
    """The payload of the job.

    Raises:
        UnreadableJob: its data do not fit.
    """
    try:
        return definition.payload_of(job)
    except PayloadError as error:
        raise UnreadableJob(error) from error


async def within(jobs: Sequence[Job], awaitable: Awaitable[T]) -> T:
    """Await a handler for as long as the most patient of its jobs allows.

    Raises:
        HandlerTimeoutError: it takes longer, and was cancelled.
    """
    began = monotonic()
    steps = awaitable.__await__()
    try:
        waits_for = steps.send(None)
    except StopIteration as end:
        # Most short handlers wait for nothing, and need no timers.
        value: T = end.value
        return value
    return await _within(jobs, Rest(steps, waits_for), monotonic() - began)


async def _within(jobs: Sequence[Job], rest: Awaitable[T], taken_seconds: float) -> T:
    seconds = max(job.expire_in_seconds for job in jobs)
    left = max(0.0, seconds - taken_seconds)
    # A moment before the other timer, so that an async handler that is cancelled finds it set.
    telling = call_later(left, cancel_all, jobs)
    try:
        async with timeout(left) as limit:
            return await rest
    except TimeoutError:
        if limit.expired():
            raise HandlerTimeoutError(f"handler execution exceeded {seconds}s") from None
        raise
    finally:
        telling.cancel()


def cancel_all(jobs: Iterable[Job]) -> None:
    """Tell handlers that look that they should stop."""
    for job in jobs:
        job.cancelled.set()


def outcome_of(error: BaseException) -> Outcome:
    """What becomes of a job for which a handler has raised this, or given it as the job's result."""
    match error:
        case UnreadableJob():
            # No retry can mend the row.
            return failed_with(error.reason, is_final=True)
        case Snooze():
            return GivenBack(error.delay.total_seconds())
        case Discard():
            return _discarded(error)
        case HandlerTimeoutError() | HandlerProcessError():
            # Raised by us, whose frames say nothing about the handler.
            return failed_with(error.with_traceback(None))
        case _:
            return failed_with(error)


def _discarded(discard: Discard) -> Outcome:
    if discard.output is None:
        return failed_with(discard, is_final=True)
    try:
        return Failed(output_text(discard.output), is_final=True, error=discard)
    except PayloadError as error:
        return failed_with(error, is_final=True)
