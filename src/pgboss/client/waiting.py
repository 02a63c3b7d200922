"""Calls that wait for jobs."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, TypeVar, overload
from uuid import UUID

from pgboss.client.base import ClientBase
from pgboss.core.checks import as_uuid, positive_seconds
from pgboss.core.result import JobResult, ResultReader, reader_of
from pgboss.core.target import queue_name

__all__ = ["WaitCalls"]

Result = TypeVar("Result")


class WaitCalls(ClientBase):
    """Waiting for results."""

    @overload
    async def wait_for(
        self, id: UUID | str, *, queue: ResultReader[Result], timeout: float | timedelta | None = None
    ) -> JobResult[Result]: ...

    @overload
    async def wait_for(
        self, id: UUID | str, *, queue: str | None = None, timeout: float | timedelta | None = None
    ) -> JobResult[Any]: ...

    async def wait_for(self, id: UUID | str, *, queue: Any = None, timeout: float | timedelta | None = None) -> Any:
        """Wait until a job has ended, wherever it is worked, and return how.

        Retries are waited for, too. ``result.value`` is what the handler returned, and raises when the job failed or
        was cancelled; ``result.state`` only tells. Its row is looked at, at first soon and then twice a second; with
        asyncio, all waits of a client share a statement.

        Args:
            id: the job.
            queue: its definition, for a typed result; or its queue's name, which spares a look into every other.
            timeout: how many seconds to wait at most; without it, for as long as the job takes.

        Raises:
            JobNotFoundError: there is no such job, or there is none any more.
            WaitTimeoutError: it has not ended in time, and goes on.
            StoppedError: the client was stopped meanwhile.
            ValidationError: the id is none, or the timeout no positive number.
        """
        name = None if queue is None else queue_name(queue)
        seconds = None if timeout is None else positive_seconds("timeout", timeout)
        return JobResult(await self._job_watch.wait(as_uuid("id", id), name, seconds), reader_of(queue))
