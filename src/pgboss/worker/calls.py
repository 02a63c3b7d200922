"""The calls of one worker's handler that are under way, and in whose hands each of its jobs is."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from time import monotonic

from pgboss.core.job import Job
from pgboss.worker.call import Call

__all__ = ["Calls"]


class Calls:
    """Keeps account. A job that is worked alone gets a call of its own only when it waits for something."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._calls: set[Call] = set()
        # By the identity of the job: the same job may have come back in another claim.
        self._running: dict[int, Call] = {}
        self._begun: Call | Job | None = None
        self._began_at = 0.0
        # The calls that began as a job alone, and have waited for something since, by its identity.
        self._grown: dict[int, Call] = {}

    def __len__(self) -> int:
        return len(self._calls)

    def __iter__(self) -> Iterator[Call]:
        return iter(tuple(self._calls))

    @property
    def jobs(self) -> int:
        """How many jobs are in their hands."""
        return len(self._running)

    def begin_alone(self, job: Job) -> float:
        """A job is about to be worked by itself; returns the moment."""
        self._begun = job
        self._began_at = monotonic()
        return self._began_at

    def begin(self, jobs: Sequence[Job]) -> Call:
        """A call is about to begin."""
        call = self._begun = Call(jobs)
        self._add(call)
        return call

    def waits(self, task: asyncio.Task[object]) -> None:
        """What was begun last waits for something, and goes on in this task."""
        call = self._begun
        assert call is not None
        if isinstance(call, Job):
            key, call = id(call), Call([call])
            call.began = self._began_at
            self._grown[key] = call
            self._add(call)
        task.set_name(f"pgboss {self._name} {call.begun_with[0].id}")
        call.goes_on_in(task)

    def over_at_once(self) -> None:
        """What was begun last is over, and never had a task."""
        if isinstance(self._begun, Call):
            self._begun.over()

    def end_alone(self, job: Job) -> Call | None:
        """A job that was begun alone has been worked; returns its call, if it has become one."""
        return self._grown.pop(id(job), None) if self._grown else None

    def settle(self, call: Call, job: Job) -> bool:
        """A job is no longer in the hands of its call; ``False`` when it was taken from it before."""
        if call.jobs.pop(id(job), None) is None:
            return False
        del self._running[id(job)]
        return True

    def end(self, call: Call) -> None:
        """A call is over."""
        self._calls.discard(call)

    def find(self, job: Job) -> Call | None:
        """In whose hands a job is."""
        return self._running.get(id(job))

    def take(self, call: Call, job: Job) -> None:
        """Take a job out of the hands of its call, whose other jobs go on."""
        del call.jobs[id(job)], self._running[id(job)]

    def abandon(self, call: Call) -> list[Job]:
        """Cancel a call, whose results are dropped from now on; returns the jobs that were in its hands."""
        jobs = list(call.jobs.values())
        for job in jobs:
            self._running.pop(id(job), None)
        self._calls.discard(call)
        call.cancel()
        return jobs

    def running_since(self, moment: float) -> list[Job]:
        """The jobs whose calls began before this moment."""
        return [job for call in self._calls if call.began < moment for job in call.jobs.values()]

    async def finish(self) -> None:
        """Wait until none is under way."""
        while running := [call.task for call in self._calls if call.task is not None and not call.task.done()]:
            await asyncio.wait(running)

    def _add(self, call: Call) -> None:
        self._calls.add(call)
        for key in call.jobs:
            self._running[key] = call
