"""One call of a handler that takes a list: which jobs it is given, and what its answer says of each of them.

An answer is ``None``, a list with one result for each job in their order, or a mapping from job ids to results. An
exception among the results is the verdict on its own job. docs/compatibility.md, "Batches".
"""

from __future__ import annotations

import reprlib
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from pgboss.core.job import Job
from pgboss.core.wire import output_text
from pgboss.errors import HandlerResultError
from pgboss.jobs import JobDefinition
from pgboss.worker.attempt import CallHandler, Settle, decoded, outcome_of, within
from pgboss.worker.outcome import Completed, Outcome

__all__ = ["attempt_batch", "outcome_of_one", "readable", "results_of"]

_MISSING = object()


async def attempt_batch(
    definition: JobDefinition[Any, Any], batch: Sequence[Job], call: CallHandler, settle: Settle
) -> None:
    """Work a batch; ``settle`` is told the outcome of each job, of unreadable ones before the others have run."""
    payloads, jobs = readable(definition, batch, settle)
    if not jobs:
        return
    try:
        answer = await within(jobs, call(lambda: definition.call(list(payloads), list(jobs))))
        results = results_of(definition, jobs, answer)
    except BaseException as error:  # noqa: BLE001  whatever a handler raises fails its jobs and must not end the worker
        outcome = outcome_of(error)
        for job in jobs:
            settle(job, outcome)
        return
    for job, result in zip(jobs, results, strict=True):
        settle(job, outcome_of_one(definition, result))


def readable(definition: JobDefinition[Any, Any], batch: Sequence[Job], settle: Settle) -> tuple[list[Any], list[Job]]:
    """The payloads and their jobs; those that cannot be read are settled here."""
    payloads: list[Any] = []
    jobs: list[Job] = []
    for job in batch:
        try:
            payloads.append(decoded(definition, job))
        except Exception as error:  # noqa: BLE001  validators are the user's and may raise anything
            settle(job, outcome_of(error))
        else:
            jobs.append(job)
    return payloads, jobs


def results_of(definition: JobDefinition[Any, Any], jobs: Sequence[Job], answer: object) -> list[Any]:
    """The result of each job, in order; an exception where one failed.

    Raises:
        HandlerResultError: the answer is none that a batch handler may give.
        PayloadError: it is a coroutine that nobody awaited.
    """
    if answer is None:
        return [None] * len(jobs)
    if isinstance(answer, list | tuple) and len(answer) == len(jobs):
        return list(answer)
    if isinstance(answer, Mapping):
        by_id = {_id_from(key): result for key, result in answer.items()}
        results = [by_id.get(job.id, _MISSING) for job in jobs]
        return [_undecided() if result is _MISSING else result for result in results]
    definition.result.refuse_coroutine(answer)
    given = f"a list of {len(answer)}" if isinstance(answer, list | tuple) else reprlib.repr(answer)
    raise HandlerResultError(
        f"{definition.name}: the handler of a batch of {len(jobs)} returned {given}. It must return None, "
        "a list with one result for each job in their order, or a mapping from job ids to results."
    )


def _undecided() -> HandlerResultError:
    # pg-boss's own words, which end up in rows.
    return HandlerResultError("no disposition returned by handler")


def _id_from(key: object) -> object:
    if not isinstance(key, str):
        return key
    try:
        return UUID(key)
    except ValueError:
        return key


def outcome_of_one(definition: JobDefinition[Any, Any], result: object) -> Outcome:
    """What the result of one job, within the answer for its batch, makes of the job."""
    if isinstance(result, BaseException):
        return outcome_of(result)
    try:
        return Completed(output_text(definition.encode_result(result)))
    except Exception as error:  # noqa: BLE001  a result that cannot be stored fails its own job
        return outcome_of(error)
