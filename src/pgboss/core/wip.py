"""What a worker is at: docs/compatibility.md, "Worker data"."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, TypeAlias
from uuid import UUID

__all__ = ["WipData", "WorkerState"]

WorkerState: TypeAlias = Literal["created", "active", "stopping"]


@dataclass(frozen=True, slots=True)
class WipData:
    """Work in progress: one worker of this process, and what it is at; times are those of this machine's clock.

    Attributes:
        id: what ``work`` returned.
        work_id: the same; pg-boss has a worker for each slot of one call of ``work``.
        name: the queue.
        options: those that were given, with ``concurrency`` and ``polling_interval_seconds`` as they are in force.
        state: a worker that is stopping finishes what it has, and is gone then.
        count: the jobs in its hands, which are active in the database.
        last_fetched_on: when it last asked for jobs and got an answer, an empty one too.
        last_job_duration: of the last call of the handler that ended.
        last_error: why a claim failed last.
    """

    id: UUID
    work_id: UUID
    name: str
    options: Mapping[str, Any]
    state: WorkerState
    count: int
    created_on: datetime
    last_fetched_on: datetime | None = None
    last_job_started_on: datetime | None = None
    last_job_ended_on: datetime | None = None
    last_job_duration: timedelta | None = None
    last_error: Exception | None = None
    last_error_on: datetime | None = None
