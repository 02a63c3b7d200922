"""A process that runs the calls of one handler, one after the other, for the worker that started it.

The main thread calls the handler, as libraries that compute often want it, and as only there a signal can interrupt
Python. Another thread hears the worker: the next jobs; that some are no longer wanted, which sets their ``cancelled``;
and that the call will be ended, after which SIGTERM raises within the handler, so that its ``finally`` runs. SIGTERM
from anybody else is ignored: whoever stops a whole service sends it to every process of it, and the worker is the one
that gives running jobs their time.

Here jobs are decoded and outcomes made, by the rules that hold in the worker; rows of JSON come in, and go out.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from contextvars import copy_context
from dataclasses import replace
from queue import SimpleQueue
from types import FrameType
from typing import Any, TypeVar
from uuid import UUID

from pgboss.core.job import Job
from pgboss.core.wire import output_text
from pgboss.jobs import JobDefinition
from pgboss.jobs.elsewhere import Import
from pgboss.runtime.channel import Channel
from pgboss.runtime.spawned import own_loggers_again
from pgboss.runtime.telemetry import trace_continued
from pgboss.worker.attempt import decoded, outcome_of
from pgboss.worker.batch import outcome_of_one, readable, results_of
from pgboss.worker.foreign_error import ErrorReport, report
from pgboss.worker.outcome import Completed, Failed, Outcome

__all__ = ["Told", "work"]

T = TypeVar("T")

Told = tuple[Outcome, ErrorReport | None]
"""An outcome as it is sent: without its exception, which is told in words."""


class Terminated(BaseException):
    """Raised within a handler when its process is terminated, so that it can leave in order."""


def work(channel: Channel, *, where: Import) -> None:
    """Import the handler, and call it until told to end: the target of a spawned process."""
    process = HandlerProcess(channel)
    channel.listen(process.hear)
    try:
        definition = where.definition()
        definition.prepare()
    except BaseException as error:  # noqa: BLE001  a module may raise anything, and the worker must hear of it
        channel.send(("failed", report(error)))
        return
    own_loggers_again()
    process.serve(definition)


class HandlerProcess:
    """What a process knows of the call that it is at."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._calls: SimpleQueue[list[Job] | None] = SimpleQueue()
        self._jobs: dict[UUID, Job] = {}
        self._is_ending = False
        self._is_in_handler = False

    def hear(self, message: Any) -> None:
        """A message of the worker's; called in the thread that listens."""
        match message:
            case ("run", jobs):
                self._jobs = {job.id: job for job in jobs}
                self._calls.put(jobs)
            case ("cancel", ids):
                for job in [self._jobs[id] for id in ids if id in self._jobs]:
                    job.cancelled.set()
            case ("end",):
                self._is_ending = True
                # To the thread that is to be interrupted, also while it waits for the system.
                signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGTERM)
            case ("leave",):
                self._calls.put(None)

    def serve(self, definition: JobDefinition[Any, Any]) -> None:
        """Work until told to leave, or ended."""
        signal.signal(signal.SIGTERM, self._on_sigterm)
        signal.signal(signal.SIGINT, self._on_sigterm)
        # A handler that forks, for a multiprocessing pool say, must be able to terminate what it has forked.
        os.register_at_fork(after_in_child=_default_signals)
        self._channel.send(("ready",))
        while not self._is_ending and (jobs := self._calls.get()) is not None:
            self._channel.send(("began",))
            with trace_continued(jobs):
                outcomes = copy_context().run(outcomes_of, definition, jobs, self._call)
            self._jobs = {}
            for stream in (sys.stdout, sys.stderr):
                with suppress(Exception):
                    stream.flush()
            self._channel.send(("done", [_told(outcome) for outcome in outcomes]))

    def _call(self, function: Callable[[], T]) -> T:
        try:
            self._is_in_handler = True
            return function()
        finally:
            self._is_in_handler = False

    def _on_sigterm(self, number: int, frame: FrameType | None) -> None:
        if self._is_ending and self._is_in_handler:
            self._is_in_handler = False
            raise Terminated("the call of the handler was ended")


def _default_signals() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)


def outcomes_of(
    definition: JobDefinition[Any, Any], batch: Sequence[Job], call: Callable[[Callable[[], Any]], Any]
) -> list[Outcome]:
    """Call the handler with its jobs; returns what became of each of them, in their order."""
    if not definition.is_batch:
        return [_outcome_of(definition, job, call) for job in batch]
    outcomes: dict[UUID, Outcome] = {}

    def settle(job: Job, outcome: Outcome) -> None:
        outcomes[job.id] = outcome

    payloads, jobs = readable(definition, batch, settle)
    if jobs:
        try:
            answer = call(lambda: definition.call(list(payloads), list(jobs)))
            results = results_of(definition, jobs, answer)
        except BaseException as error:  # noqa: BLE001  whatever a handler raises fails its jobs, not the process
            outcomes.update(dict.fromkeys([job.id for job in jobs], outcome_of(error)))
        else:
            outcomes.update(
                (job.id, outcome_of_one(definition, result)) for job, result in zip(jobs, results, strict=True)
            )
    return [outcomes[job.id] for job in batch]


def _outcome_of(definition: JobDefinition[Any, Any], job: Job, call: Callable[[Callable[[], Any]], Any]) -> Outcome:
    try:
        payload = decoded(definition, job)
        return Completed(output_text(definition.encode_result(call(lambda: definition.call(payload, job)))))
    except BaseException as error:  # noqa: BLE001  whatever a handler raises fails its job, not the process
        return outcome_of(error)


def _told(outcome: Outcome) -> Told:
    if isinstance(outcome, Failed) and outcome.error is not None:
        return replace(outcome, error=None), report(outcome.error)
    return outcome, None
