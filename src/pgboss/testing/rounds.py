"""What draining consists of, without saying who waits for whom: which jobs to claim, and writing how they ended."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pgboss.core.job import Job, JobState
from pgboss.core.query import Steps
from pgboss.core.queue import QueueCatalog
from pgboss.core.target import QueueLike, queue_name
from pgboss.core.wire import JSON, loads
from pgboss.errors import ConfigurationError, PgBossError
from pgboss.jobs import JobDefinition
from pgboss.operations import fetch, find, flows
from pgboss.operations import work as operations
from pgboss.worker.outcome import Completed, Failed, GivenBack, Outcome

__all__ = ["DrainLimitError", "Handler", "Ran", "chosen", "claim", "refuse_transactional", "settle"]

Handler = Any
MOST_JOBS = 1000


class DrainLimitError(PgBossError):
    """More jobs ran than were allowed: most likely they make one another for ever."""


@dataclass(frozen=True, slots=True)
class Ran:
    """One attempt at a job.

    Attributes:
        job: as it was claimed.
        state: what became of it: ``completed``; ``failed`` for good; ``retry``, when attempts are left; ``created``,
            when the handler gave it back; ``None``, when it was somebody else's, or gone, by then.
        output: as it is stored.
        error: what the handler has raised.
    """

    job: Job
    state: JobState | None
    output: JSON = None
    error: BaseException | None = None

    @property
    def name(self) -> str:
        """The queue."""
        return self.job.name


def chosen(
    definitions: Mapping[str, JobDefinition[Any, Any]],
    queues: Iterable[QueueLike],
    handlers: Mapping[str, Handler],
) -> list[JobDefinition[Any, Any]]:
    """The definitions to work: of the queues that are named, or all that have a handler.

    Raises:
        ConfigurationError: a queue is named that has no handler here.
    """
    own = {name: JobDefinition.untyped(name, handler) for name, handler in handlers.items()}
    workable = {name: definition for name, definition in definitions.items() if definition.handler is not None} | own
    named = list(queues)
    for queue in named:
        if isinstance(queue, JobDefinition) and queue.handler is not None:
            workable.setdefault(queue.name, queue)
    names = [queue_name(queue) for queue in named] or list(workable)
    if missing := [name for name in names if name not in workable]:
        raise ConfigurationError(
            f"There is no handler for {', '.join(missing)}: give the instance its definitions, or its function in "
            "handlers=."
        )
    return [workable[name] for name in names]


def claim(
    catalog: QueueCatalog, definition: JobDefinition[Any, Any], *, ignore_start_after: bool, is_traced: bool
) -> Steps[list[Job]]:
    """Claim as many jobs as one call of the handler takes, the most urgent first."""
    options = definition.work_options.fetch_options(definition.work_options.jobs_a_call)
    if ignore_start_after:
        options = replace(options, ignore_start_after=True)
    if definition.work_options.has_metadata:
        details = yield from fetch.fetch_details(catalog, definition.name, options, is_traced=is_traced)
        jobs: list[Job] = list(details)
    else:
        jobs = yield from fetch.fetch(catalog, definition.name, options, is_traced=is_traced)
    return sorted(jobs, key=lambda job: (-job.priority, job.created_on, job.id))


def settle(catalog: QueueCatalog, job: Job, outcome: Outcome) -> Steps[Ran]:
    """Write how an attempt ended, and free the jobs that waited for it."""
    name, attempts = job.name, [job]
    match outcome:
        case Completed(output):
            kept = yield from operations.complete_each(catalog, name, attempts, [output])
            if kept.get(job.id):
                yield from flows.resolve(catalog.schema, [name])
            return Ran(job, "completed" if job.id in kept else None, loads(output))
        case Failed(output, is_final, error):
            states = yield from operations.fail_each(catalog, name, attempts, [output], [is_final])
            return Ran(job, states.get(job.id), loads(output), error)
        case GivenBack(delay_seconds):
            given_back = yield from operations.give_back_each(catalog, name, attempts, [delay_seconds])
            return Ran(job, "created" if job.id in given_back else None)
    # The handler's own transaction has written it.
    stored = yield from find.get_job(catalog.schema, job.id, name)
    yield from flows.resolve(catalog.schema, [name])
    return Ran(job, None if stored is None else stored.state, None if stored is None else stored.output)


def refuse_transactional(definitions: Sequence[JobDefinition[Any, Any]]) -> None:
    """Handlers with a transaction of their own would not see what the caller's transaction has not committed.

    Raises:
        ConfigurationError: there is one.
    """
    for definition in definitions:
        if definition.is_transactional:
            raise ConfigurationError(
                f"The handler of {definition.name!r} opens a transaction of its own, which cannot see a job of yours "
                "that is not committed. Commit first, and drain() then."
            )
