"""Those who watch what an instance does: telemetry, spies, counters.

There is one seam for calls, in the client's ``_run``, and three for workers: jobs are claimed, handled, settled. An
instance that nobody watches has no ``Watch``, and its only cost is to look whether there is one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from typing import Any, Protocol
from uuid import UUID

from pgboss.core.call import Call
from pgboss.core.creation import Creation, NewlyCreated, creation
from pgboss.core.job import Job, JobState
from pgboss.runtime.telemetry import Telemetry

__all__ = ["Listener", "Watch", "Watched"]


class Listener:
    """Hears of what happens to jobs; each method may be left as it is. Called on the thread of the instance."""

    def created(self, jobs: Sequence[NewlyCreated]) -> None:
        """A call has created these."""

    def claimed(self, queue: str, jobs: Sequence[Job]) -> None:
        """A worker has claimed these, or none."""

    def handled(self, queue: str, jobs: Sequence[Job], seconds: float) -> None:
        """A call of the handler has ended, in whatever way."""

    def settled(self, job: Job, state: JobState, output: str | None) -> None:
        """A worker has written what became of a job: its new state, and its output as JSON text."""


class Watched(Protocol):
    """What a watched call reports to."""

    def returned(self, value: Any) -> None:
        """The call has returned this."""


class _Unwatched:
    def returned(self, value: Any) -> None:
        pass


_UNWATCHED = _Unwatched()


class Watch:
    """Everybody who watches an instance."""

    def __init__(self, telemetry: Telemetry | None = None) -> None:
        self.telemetry = telemetry
        self._listeners: list[Listener] = []

    @property
    def is_needed(self) -> bool:
        """Whether anybody watches."""
        return self.is_traced or self.has_listeners

    @property
    def has_listeners(self) -> bool:
        """Whether anybody watches beside the telemetry."""
        return bool(self._listeners)

    @property
    def is_traced(self) -> bool:
        """Whether there is telemetry that somebody receives; claims then bring the traces that jobs are part of."""
        return self.telemetry is not None and self.telemetry.is_live

    def add(self, listener: Listener) -> None:
        self._listeners.append(listener)

    def remove(self, listener: Listener) -> None:
        self._listeners.remove(listener)

    @contextmanager
    def call(self, call: Call | None) -> Iterator[Watched]:
        """Around one call, or an operation that is none (``None``)."""
        if call is None:
            yield _UNWATCHED
            return
        created: list[NewlyCreated] = []
        with ExitStack() as stack:
            span = None if self.telemetry is None else stack.enter_context(self.telemetry.call(call))
            if call.kind == "send":
                wanted = self._listeners or call.destination is None
                around = Creation(None if span is None else span.carrier, created.append if wanted else None)
                stack.callback(creation.reset, creation.set(around))
            yield span or _UNWATCHED
            if span is not None and call.destination is None:
                span.destined(created)
        # A call that has failed has created nothing.
        if created:
            for listener in self._listeners:
                listener.created(created)

    def claimed(self, queue: str, jobs: Sequence[Job]) -> None:
        if self.telemetry is not None and jobs:
            self.telemetry.consumed(queue, len(jobs))
        for listener in self._listeners:
            listener.claimed(queue, jobs)

    def handling(self, queue: str, jobs: Sequence[Job]) -> AbstractContextManager[Any]:
        """Around a call of a handler, which reports to it how each job ended."""
        return nullcontext() if self.telemetry is None else self.telemetry.handling(queue, jobs)

    def handled(self, queue: str, jobs: Sequence[Job], seconds: float) -> None:
        for listener in self._listeners:
            listener.handled(queue, jobs, seconds)

    def settled(self, jobs: Iterable[tuple[Job, str | None]], states: Mapping[UUID, JobState]) -> None:
        """What was written: of each job its output, and of those that were still ours the new state."""
        if not self._listeners:
            return
        for job, output in jobs:
            state = states.get(job.id)
            if state is not None:
                for listener in self._listeners:
                    listener.settled(job, state, output)
