"""Calls of handlers that somebody watches."""

from __future__ import annotations

from collections.abc import Sequence
from time import monotonic

from pgboss.core.job import Job
from pgboss.runtime.watch import Watch
from pgboss.worker.attempt import CallHandler, Settle
from pgboss.worker.handling import Handling
from pgboss.worker.outcome import Failed, Outcome

__all__ = ["run_watched"]


async def run_watched(watch: Watch, handling: Handling, jobs: Sequence[Job], call: CallHandler, settle: Settle) -> None:
    """``handling.run``, of which those who watch are told when it ends, and how."""
    queue, began = handling.definition.name, monotonic()
    with watch.handling(queue, jobs) as span:

        def noted(job: Job, outcome: Outcome) -> None:
            if span is not None and isinstance(outcome, Failed) and outcome.error is not None:
                span.failed(outcome.error)
            settle(job, outcome)

        await handling.run(jobs, call, noted)
    watch.handled(queue, jobs, monotonic() - began)
