"""Waiting for jobs to end: one poll for everybody who waits.

Nothing announces the end of a job, so its row is looked at: soon after the wait begins, and then at growing intervals
up to half a second. All who wait in an event loop share the look, one statement for up to a thousand jobs, and it needs
no connection of its own. When this very process has written results, it looks at once.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from itertools import islice
from typing import Any, Protocol, TypeVar
from uuid import UUID

from pgboss.core.job import JobDetails
from pgboss.core.names import SchemaName
from pgboss.core.query import Operation
from pgboss.drivers.runner import Run
from pgboss.errors import DatabaseUnavailableError, JobNotFoundError, PgBossError, StoppedError, WaitTimeoutError
from pgboss.operations import find as operations
from pgboss.runtime.backoff import Backoff
from pgboss.runtime.wakeup import Wakeup

__all__ = ["AsyncJobWatch", "JobWatch"]

T = TypeVar("T")
JobKey = tuple[str, UUID]

FIRST_PAUSE_SECONDS = 0.05
LAST_PAUSE_SECONDS = 0.5
JOBS_A_LOOK = 1000
ENDED = ("completed", "cancelled", "failed")


class SyncRun(Protocol):
    """Runs an operation to its end."""

    def __call__(self, operation: Operation[T]) -> T: ...


class AsyncJobWatch:
    """Watches the jobs that somebody waits for."""

    def __init__(self, run: Run, schema: Callable[[], SchemaName]) -> None:
        self._run = run
        self._schema = schema
        self._waiting: defaultdict[JobKey, list[asyncio.Future[JobDetails]]] = defaultdict(list)
        self._looking: asyncio.Task[None] | None = None
        self._wakeup = Wakeup()
        self._pause_seconds = FIRST_PAUSE_SECONDS

    async def wait(self, id: UUID, name: str | None, timeout: float | None) -> JobDetails:  # noqa: ASYNC109  told to our callers
        """Wait until a job has ended, at most so many seconds.

        Raises:
            JobNotFoundError: there is no such job, or there is none any more.
            WaitTimeoutError: it has not ended.
            StoppedError: the client was stopped meanwhile.
        """
        job = await self._run(operations.get_job(self._schema(), id, name))
        if job is None:
            raise _missing(id)
        return job if job.state in ENDED else await self._until_ended((job.name, id), timeout)

    def look(self) -> None:
        """Look soon: jobs may have ended."""
        if self._waiting:
            self._pause_seconds = FIRST_PAUSE_SECONDS
            self._wakeup.set()

    async def close(self) -> None:
        """Let everybody go who waits."""
        self._fail(list(self._waiting), StoppedError("The wait for a job has ended, because the client was stopped."))
        looking, self._looking = self._looking, None
        if looking is not None:
            looking.cancel()
            await asyncio.wait([looking])

    async def _until_ended(self, key: JobKey, timeout: float | None) -> JobDetails:  # noqa: ASYNC109  as above
        future: asyncio.Future[JobDetails] = asyncio.get_running_loop().create_future()
        self._waiting[key].append(future)
        self.look()
        if self._looking is None or self._looking.done():
            self._wakeup = Wakeup()
            self._looking = asyncio.create_task(self._look_until_all_ended(), name="pgboss waiting for jobs")
        try:
            async with asyncio.timeout(timeout) as limit:
                return await future
        except TimeoutError:
            if limit.expired():
                raise _late(key, timeout) from None
            raise
        finally:
            self._forget(key, future)

    def _forget(self, key: JobKey, future: asyncio.Future[JobDetails]) -> None:
        with suppress(ValueError):
            self._waiting[key].remove(future)
        if not self._waiting[key]:
            del self._waiting[key]

    async def _look_until_all_ended(self) -> None:
        backoff = Backoff()
        while self._waiting:
            # Not at once, though told to: many jobs may end in the same moment.
            await asyncio.sleep(FIRST_PAUSE_SECONDS)
            try:
                for keys in _portions(list(self._waiting)):
                    await self._look(keys)
            except DatabaseUnavailableError:
                # Who waits has said for how long; the database may be back by then.
                await asyncio.sleep(backoff.pause())
                continue
            except PgBossError as error:
                self._fail(list(self._waiting), error)
                return
            backoff.reset()
            self._pause_seconds = min(self._pause_seconds * 1.5, LAST_PAUSE_SECONDS)
            await self._wakeup.wait(self._pause_seconds - FIRST_PAUSE_SECONDS)

    async def _look(self, keys: Sequence[JobKey]) -> None:
        states = await self._run(operations.states(self._schema(), keys))
        for key, state in zip(keys, states, strict=True):
            if state is None:
                self._fail([key], _missing(key[1]))
            elif state in ENDED:
                job = await self._run(operations.get_job(self._schema(), key[1], key[0]))
                for future in self._futures([key]):
                    if job is None:
                        future.set_exception(_missing(key[1]))
                    elif job.state in ENDED:
                        future.set_result(job)

    def _fail(self, keys: Iterable[JobKey], error: PgBossError) -> None:
        for future in self._futures(keys):
            future.set_exception(error)

    def _futures(self, keys: Iterable[JobKey]) -> list[asyncio.Future[JobDetails]]:
        return [future for key in keys for future in self._waiting.get(key, []) if not future.done()]


class JobWatch:
    """The same without asyncio: whoever waits looks."""

    def __init__(self, run: SyncRun, schema: Callable[[], SchemaName]) -> None:
        self._run = run
        self._schema = schema

    def wait(self, id: UUID, name: str | None, timeout: float | None) -> JobDetails:
        """See :meth:`AsyncJobWatch.wait`."""
        ends_at = None if timeout is None else time.monotonic() + timeout
        pause_seconds, backoff = FIRST_PAUSE_SECONDS, Backoff()
        is_first = True
        while True:
            try:
                job = self._run(operations.get_job(self._schema(), id, name))
            except DatabaseUnavailableError:
                if is_first:
                    raise
                pause_seconds = backoff.pause()
            else:
                if job is None:
                    raise _missing(id)
                if job.state in ENDED:
                    return job
                name = job.name
                pause_seconds = min(pause_seconds * 1.5, LAST_PAUSE_SECONDS)
            is_first = False
            left = pause_seconds if ends_at is None else ends_at - time.monotonic()
            if left <= 0:
                raise _late((name or "", id), timeout)
            time.sleep(min(pause_seconds, left))

    def close(self) -> None:
        """Nothing: nobody waits elsewhere than in a call."""


def _portions(keys: list[JobKey]) -> Iterable[list[JobKey]]:
    rest = iter(keys)
    while portion := list(islice(rest, JOBS_A_LOOK)):
        yield portion


def _missing(id: UUID) -> JobNotFoundError:
    return JobNotFoundError(f"There is no job {id}, or there is none any more.")


def _late(key: JobKey, timeout: Any) -> WaitTimeoutError:
    return WaitTimeoutError(f"Job {key[1]} of queue {key[0]} has not ended within {timeout:g} s.")
