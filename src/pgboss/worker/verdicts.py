"""Telling what became of finished attempts once it is written: to the log, to who watches, and to who waits."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from uuid import UUID

from pgboss.core.job import JobState
from pgboss.runtime.watch import Watch
from pgboss.worker.outcome import Completed, Failed, Finished
from pgboss.worker.records import job_fields

__all__ = ["Verdicts"]

logger = logging.getLogger("pgboss.worker")


class Verdicts:
    """Each is told of attempts of one queue that ended in the same way; what is missing in the answer was not ours."""

    def __init__(self, on_parents_completed: Callable[[str], None], watch: Watch | None) -> None:
        """``on_parents_completed`` hears of the queues where jobs were completed for which others wait."""
        self._on_parents_completed = on_parents_completed
        self._watch = watch

    def completed(self, group: Sequence[Finished], kept: Mapping[UUID, bool]) -> None:
        """With those that were completed go whether other jobs wait for them."""
        _report_lost(group, kept)
        _report_completed(group, kept)
        if self._has_listeners:
            outputs = [each.outcome.output if isinstance(each.outcome, Completed) else None for each in group]
            self._told(group, outputs, dict.fromkeys(kept, "completed"))
        if any(kept.values()):
            self._on_parents_completed(group[0].job.name)

    def failed(self, group: Sequence[Finished], states: Mapping[UUID, JobState]) -> None:
        """With those that failed goes the state they are in now."""
        _report_lost(group, states)
        _report_failures(group, states)
        if self._has_listeners:
            outputs = [each.outcome.output if isinstance(each.outcome, Failed) else None for each in group]
            self._told(group, outputs, states)

    def given_back(self, group: Sequence[Finished], ids: Iterable[UUID]) -> None:
        if self._has_listeners:
            self._told(group, [None] * len(group), dict.fromkeys(ids, "created"))

    @property
    def _has_listeners(self) -> bool:
        return self._watch is not None and self._watch.has_listeners

    def _told(self, group: Sequence[Finished], outputs: Sequence[str | None], states: Mapping[UUID, JobState]) -> None:
        assert self._watch is not None
        self._watch.settled(zip([finished.job for finished in group], outputs, strict=True), states)


def _report_lost(group: Sequence[Finished], kept: Collection[UUID]) -> None:
    # Ids take long to hash, and nearly always all are there.
    if len(kept) == len(group):
        return
    still = set(kept)
    for finished in group:
        if finished.job.id not in still:
            logger.warning(
                "job %s of queue %s was no longer ours when it finished; its result was dropped",
                finished.job.id,
                finished.job.name,
                extra=job_fields(finished.job, finished.duration_seconds),
            )


def _report_completed(group: Sequence[Finished], kept: Iterable[UUID]) -> None:
    # Asked first: this is done for every job there is.
    if not logger.isEnabledFor(logging.DEBUG):
        return
    ours = set(kept)
    for finished in group:
        job = finished.job
        if job.id in ours:
            extra = job_fields(job, finished.duration_seconds)
            logger.debug("job %s of queue %s is completed", job.id, job.name, extra=extra)


def _report_failures(group: Sequence[Finished], states: Mapping[UUID, JobState]) -> None:
    for finished in group:
        job, outcome = finished.job, finished.outcome
        error = outcome.error if isinstance(outcome, Failed) else None
        extra = job_fields(job, finished.duration_seconds)
        if states.get(job.id) == "failed":
            logger.error("job %s of queue %s failed for good", job.id, job.name, exc_info=error, extra=extra)
        elif states.get(job.id) == "retry":
            reason = "stopped" if error is None else f"{type(error).__name__}: {error}"
            logger.warning("job %s of queue %s will be retried: %s", job.id, job.name, reason, extra=extra)
