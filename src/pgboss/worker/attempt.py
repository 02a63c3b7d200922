"""One attempt at one job: decode the payload, call the handler within its time, and say how it ended.

Whatever a handler raises ends its own job and nothing else, ``SystemExit`` included.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any

from pgboss.core.job import Job
from pgboss.core.wire import output_text
from pgboss.errors import HandlerTimeoutError, PayloadError
from pgboss.jobs import Discard, JobDefinition, Snooze
from pgboss.runtime.threads import DaemonThreads
from pgboss.worker.outcome import Completed, Failed, GivenBack, Outcome, failed_with

__all__ = ["attempt"]


async def attempt(definition: JobDefinition[Any, Any], job: Job, threads: DaemonThreads) -> Outcome:
    """Work the job and return its outcome, also when the attempt is cancelled, by whomever."""
    try:
        async with asyncio.timeout(job.expire_in_seconds) as limit:
            payload = _decode(definition, job)
            result = await _call(definition, payload, job, threads)
        return Completed(output_text(definition.encode_result(result)))
    except UnreadableJob as unreadable:
        # No retry can mend the row.
        return failed_with(unreadable.reason, is_final=True)
    except Snooze as snooze:
        return GivenBack(snooze.delay.total_seconds())
    except Discard as discard:
        return _discarded(discard)
    except TimeoutError as error:
        return failed_with(_timed_out(job) if limit.expired() else error)
    except BaseException as error:  # noqa: BLE001  whatever a handler raises fails its job and must not end the worker
        return failed_with(error)


class UnreadableJob(Exception):  # noqa: N818  it carries the error
    """The row's data do not fit the payload's type."""

    def __init__(self, reason: PayloadError) -> None:
        super().__init__(str(reason))
        self.reason = reason


def _decode(definition: JobDefinition[Any, Any], job: Job) -> Any:
    try:
        return definition.decode(job.data)
    except PayloadError as error:
        raise UnreadableJob(error) from error


async def _call(definition: JobDefinition[Any, Any], payload: Any, job: Job, threads: DaemonThreads) -> Any:
    if not definition.is_async:
        return await threads.run(lambda: definition.call(payload, job))
    awaitable: Awaitable[Any] = definition.call(payload, job)
    return await awaitable


def _discarded(discard: Discard) -> Outcome:
    if discard.output is None:
        return failed_with(discard, is_final=True)
    try:
        return Failed(output_text(discard.output), is_final=True, error=discard)
    except PayloadError as error:
        return failed_with(error, is_final=True)


def _timed_out(job: Job) -> HandlerTimeoutError:
    return HandlerTimeoutError(f"handler execution exceeded {job.expire_in_seconds}s")
