"""One call of a handler, and the jobs in its hands."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from time import monotonic
from typing import Any
from uuid import UUID

from pgboss.core.job import Job
from pgboss.runtime.threads import DaemonThreads
from pgboss.worker.children import Children

__all__ = ["Call"]


class Call:
    """A call that is under way.

    Attributes:
        begun_with: the jobs it was given.
        jobs: those of them that are still ours, by their identity.
        began: when, on the monotonic clock.
        overran: the ids of the jobs that failed because it took longer than it may.
        task: the task that awaits it; one that has not waited for anything yet has none.
    """

    __slots__ = ("_executor", "_on_return", "began", "begun_with", "jobs", "overran", "task")

    def __init__(self, jobs: Sequence[Job]) -> None:
        self.begun_with = jobs
        # Nearly every call has one job, for which a comprehension would be the dearest part of this.
        self.jobs: dict[int, Job] = {id(jobs[0]): jobs[0]} if len(jobs) == 1 else {id(job): job for job in jobs}
        self.began = monotonic()
        self.overran: Sequence[UUID] = ()
        self.task: asyncio.Task[None] | None = None
        self._on_return: Callable[[], None] | None = None
        self._executor: DaemonThreads | Children | None = None

    @property
    def expire_seconds(self) -> int:
        """How long it may take."""
        return max(job.expire_in_seconds for job in self.begun_with)

    @property
    def is_in_thread(self) -> bool:
        """Whether a thread runs the handler, which goes on when nobody awaits it any more."""
        return self._executor is not None and not isinstance(self._executor, Children)

    def on_return(self, hear: Callable[[], None]) -> None:
        """Have this called once when the handler has really returned, wherever it runs."""
        self._on_return = hear

    def goes_on_in(self, task: asyncio.Task[Any]) -> None:
        """It has waited for something, and this task awaits it from now on."""
        self.task = task
        task.add_done_callback(self.over)

    def cancel(self) -> None:
        """Let go of all its jobs, and cancel it."""
        for job in self.jobs.values():
            job.cancelled.set()
        self.jobs.clear()
        if self.task is not None:
            self.task.cancel()

    async def elsewhere(self, executor: DaemonThreads | Children, what: Any) -> Any:
        """Run the handler in a thread or a process; one whose result nobody awaits any more has not returned yet."""
        self._executor = executor
        return await executor.run(what, self._on_return)

    def over(self, _: object = None) -> None:
        """Nobody awaits it any more."""
        # The handler is over too, unless a thread or a process still runs it.
        if self._on_return is not None and self._executor is None:
            self._on_return()
