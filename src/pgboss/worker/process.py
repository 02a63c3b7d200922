"""Calls of handlers in processes of their own, as the worker sees them: jobs go there, and outcomes come back."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence

from pgboss.core.job import Job
from pgboss.worker.attempt import Settle, outcome_of, within
from pgboss.worker.children import CannotStart
from pgboss.worker.outcome import GivenBack, Outcome

__all__ = ["attempt_in_process"]

AGAIN_SECONDS = 1.0

logger = logging.getLogger("pgboss.worker")


async def attempt_in_process(
    batch: Sequence[Job], call: Callable[[Sequence[Job]], Awaitable[Sequence[Outcome]]], settle: Settle
) -> None:
    """Work one job, or a batch; ``call`` has it done in a process, ``settle`` is told what became of each."""
    outcomes: Sequence[Outcome]
    try:
        outcomes = await within(batch, call(batch))
    except CannotStart as reason:
        logger.error("%d jobs of queue %s went back: %s", len(batch), batch[0].name, reason, exc_info=reason.__cause__)
        outcomes = [GivenBack(AGAIN_SECONDS)] * len(batch)
    except BaseException as error:  # noqa: BLE001  whatever ends the call fails its jobs and must not end the worker
        outcomes = [outcome_of(error)] * len(batch)
    for job, outcome in zip(batch, outcomes, strict=True):
        settle(job, outcome)
