"""Spies: tests wait for what happens to jobs, instead of asking for it again and again.

pg-boss has the same: a spy is registered before the act, sees what this one instance does, and remembers, so that a
wait for something that has happened already returns at once. It never gives up by itself: put ``asyncio.timeout``
around it, or rely on the timeout of your test runner.
"""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args
from uuid import UUID

from pgboss.core.checks import as_uuid
from pgboss.core.creation import NewlyCreated
from pgboss.core.job import Job, JobState
from pgboss.core.wire import JSON, dumps, loads
from pgboss.errors import ConfigurationError, ValidationError
from pgboss.runtime.watch import Listener, Watch

__all__ = ["JobSpy", "SpiedJob", "SpiedState", "Spies"]

SpiedState: TypeAlias = Literal["created", "active", "completed", "failed"]
STATES = frozenset(get_args(SpiedState))

Predicate: TypeAlias = Callable[[Any], object]


@dataclass(frozen=True, slots=True)
class SpiedJob:
    """A job as it was when it reached a state. What is in it is the test's own copy.

    Attributes:
        data: as JSON, whatever the type of the payload.
        state: ``failed`` is said of the last attempt only.
        output: what the handler returned, or its error, as it is stored.
    """

    id: UUID
    name: str
    data: JSON
    state: SpiedState
    output: JSON = None


@dataclass(slots=True, eq=False)
class _Promise:
    matches: Callable[[SpiedJob], bool]
    told: asyncio.Future[SpiedJob]


class JobSpy:
    """Remembers what an instance does to the jobs of one queue."""

    def __init__(self) -> None:
        self._seen: dict[tuple[UUID, SpiedState], SpiedJob] = {}
        self._promises: list[_Promise] = []

    async def wait_for_job(self, predicate: Predicate, state: SpiedState) -> SpiedJob:
        """Wait for a job whose data satisfy the predicate to reach a state, or to have reached it.

        Raises:
            ValidationError: spies know no such state.
        """
        return await self._wait(lambda job: bool(predicate(copy.deepcopy(job.data))), state)

    async def wait_for_job_with_id(self, id: UUID | str, state: SpiedState) -> SpiedJob:
        """Wait for a job to reach a state, or to have reached it.

        Raises:
            ValidationError: spies know no such state, or it is no id.
        """
        wanted = as_uuid("id", id)
        return await self._wait(lambda job: job.id == wanted, state)

    def clear(self) -> None:
        """Forget what was seen. Whoever waits goes on waiting for nothing, as with pg-boss."""
        self._seen.clear()
        self._promises.clear()

    async def _wait(self, matches: Callable[[SpiedJob], bool], state: SpiedState) -> SpiedJob:
        if state not in STATES:
            raise ValidationError(f"A spy waits for one of {', '.join(get_args(SpiedState))}, not for {state!r}.")
        for job in self._seen.values():
            if job.state == state and matches(job):
                return copy.deepcopy(job)
        promise = _Promise(lambda job: job.state == state and matches(job), asyncio.get_running_loop().create_future())
        self._promises.append(promise)
        try:
            return await promise.told
        finally:
            if promise in self._promises:
                self._promises.remove(promise)

    def saw(self, job: SpiedJob) -> None:
        """Remember this, and tell whoever waits for it."""
        self._seen[job.id, job.state] = job
        for promise in list(self._promises):
            _tell(promise, job)


def _tell(promise: _Promise, job: SpiedJob) -> None:
    if promise.told.done():
        return
    try:
        if promise.matches(job):
            promise.told.set_result(copy.deepcopy(job))
    except Exception as error:  # noqa: BLE001  the predicate is the test's, and its error belongs there
        promise.told.set_exception(error)


class Spies(Listener):
    """The spies of an instance. As long as there is none, nothing is watched."""

    def __init__(self, watch: Watch, *, enabled: bool) -> None:
        self._watch = watch
        self._enabled = enabled
        self._spies: dict[str, JobSpy] = {}

    def on(self, queue: str) -> JobSpy:
        """The spy on a queue.

        Raises:
            ConfigurationError: spies are not enabled.
        """
        if not self._enabled:
            raise ConfigurationError("Spies are off: make the instance with PgBoss(enable_spies=True).")
        if not self._spies:
            self._watch.add(self)
        return self._spies.setdefault(queue, JobSpy())

    def clear(self) -> None:
        for spy in self._spies.values():
            spy.clear()

    def created(self, jobs: Sequence[NewlyCreated]) -> None:
        for job in jobs:
            if job.name in self._spies:
                # As it is stored: a test may get at the caller's own objects otherwise.
                data = loads(dumps(job.data))
                self._spies[job.name].saw(SpiedJob(job.id, job.name, data, "created"))

    def claimed(self, queue: str, jobs: Sequence[Job]) -> None:
        if queue in self._spies:
            for job in jobs:
                self._spies[queue].saw(SpiedJob(job.id, queue, copy.deepcopy(job.data), "active"))

    def settled(self, job: Job, state: JobState, output: str | None) -> None:
        if job.name not in self._spies:
            return
        # A job that is to be retried, or was given back, has not come to its end.
        if state in {"completed", "failed"}:
            self._spies[job.name].saw(SpiedJob(job.id, job.name, copy.deepcopy(job.data), state, loads(output)))
