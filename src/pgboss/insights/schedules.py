"""What schedules have done."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from pgboss.core.names import SchemaName
from pgboss.core.query import Steps
from pgboss.core.schedule import occurrence_key
from pgboss.operations.walk import walking
from pgboss.sql import schedule_history as sql

__all__ = ["PastRun", "schedule_history"]


@dataclass(frozen=True, slots=True)
class PastRun:
    """An occurrence of a schedule.

    Attributes:
        due_on: the minute it was for.
        delivered_on: when its job was sent; ``None`` while that is still to come.
        job_id: the job it became; ``None`` where none was made, or the job is gone. Of two schedules that send the
            same data to one queue at the same instant, either may be named.
        state: of that job.
    """

    due_on: datetime
    delivered_on: datetime | None
    job_id: UUID | None
    state: str | None


def schedule_history(schema: SchemaName, queue: str, key: str, *, limit: int = 20) -> Steps[list[PastRun]]:
    """The latest occurrences of a schedule, the last one first, as far as they are kept."""
    found = yield from walking(sql.history(schema, queue, occurrence_key(queue, key), limit))
    return [PastRun(*row) for row in found.values]
