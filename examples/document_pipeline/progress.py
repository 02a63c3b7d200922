"""Following a deal's documents through the stages, from outside: by looking at their jobs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from uuid import UUID

from document_pipeline.jobs import DEAD_LETTERS, STAGES
from pgboss import JobDetails, PgBoss

MOST_JOBS = 100_000


@dataclass(frozen=True, slots=True)
class StageTimes:
    """How long the jobs of a stage took, in seconds."""

    stage: str
    completed: int
    total: float
    middle: float
    longest: float


@dataclass(frozen=True, slots=True)
class Failure:
    """A job that ended in the dead letter queue."""

    document_id: UUID
    stage: str
    reason: str


@dataclass(frozen=True, slots=True)
class StageProgress:
    """All jobs of a deal at one moment, by stage."""

    jobs: dict[str, list[JobDetails]]
    expected: int

    def completed(self, stage: str) -> int:
        """How many documents are through a stage."""
        return sum(job.state == "completed" for job in self.jobs[stage])

    def attainable(self, stage: str) -> int:
        """How many documents can still come through a stage: all but those that failed in it or before."""
        return self.expected - len(self._failed_in(STAGES[: STAGES.index(stage) + 1]))

    @property
    def unfinished(self) -> int:
        """How many documents are neither in the graph nor failed."""
        last = STAGES[-1]
        return self.attainable(last) - self.completed(last)

    @property
    def is_over(self) -> bool:
        """Whether nothing is left to wait for."""
        return self.unfinished == 0

    def times(self) -> list[StageTimes]:
        """What each stage took."""
        return [_times(stage, jobs) for stage, jobs in self.jobs.items()]

    def _failed_in(self, stages: Sequence[str]) -> set[str]:
        return {job.data["document_id"] for stage in stages for job in self.jobs[stage] if job.state == "failed"}


async def look(boss: PgBoss, deal_id: UUID, expected: int) -> StageProgress:
    """The jobs of a deal's documents as they are now.

    Args:
        boss: whom to ask.
        deal_id: which deal.
        expected: how many documents it has.
    """
    mine = {"deal_id": str(deal_id)}
    jobs = {stage: await boss.find_jobs(stage, data=mine, limit=MOST_JOBS) for stage in STAGES}
    return StageProgress(jobs, expected)


async def failures(boss: PgBoss, deal_id: UUID) -> list[Failure]:
    """The deal's jobs in the dead letter queue, and why they are there."""
    return [
        Failure(UUID(job.data["document_id"]), job.source_name or "?", _reason(job.source_output))
        for job in await boss.find_jobs(DEAD_LETTERS, data={"deal_id": str(deal_id)}, limit=MOST_JOBS)
    ]


def _times(stage: str, jobs: Sequence[JobDetails]) -> StageTimes:
    seconds = [job.duration.total_seconds() for job in jobs if job.state == "completed" and job.duration is not None]
    return StageTimes(stage, len(seconds), sum(seconds), median(seconds or [0]), max(seconds, default=0))


def _reason(output: object) -> str:
    """The message of an error as a worker stores it, in Python or in Node."""
    return str(output.get("message", output)) if isinstance(output, dict) else str(output)
