"""Reading jobs without changing them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from pgboss.core.checks import UNSET, check_integer
from pgboss.core.job import JobDetails, JobState, details_from
from pgboss.core.names import SchemaName, check_queue_name
from pgboss.core.query import Steps
from pgboss.core.queue import QueueCatalog
from pgboss.core.wire import JSON, dumps
from pgboss.errors import ValidationError
from pgboss.operations.queues import find_queue
from pgboss.operations.walk import walking
from pgboss.sql import find as sql

MAX_FOUND = 100_000


def find_jobs(
    catalog: QueueCatalog,
    name: str,
    *,
    id: UUID | None = None,
    key: str | None = None,
    data: JSON = UNSET,
    queued: bool = False,
    after: UUID | None = None,
    limit: int = 1000,
) -> Steps[list[JobDetails]]:
    """Jobs of one queue that match every given filter, oldest first."""
    check_integer("limit", limit, 1, MAX_FOUND)
    yield from find_queue(catalog, name)
    statement = sql.find(
        catalog.schema,
        name,
        id=id,
        key=key,
        data_json=None if data is UNSET else dumps(data, what="data filter"),
        queued=queued,
        after=None if after is None else (yield from _place_of(catalog.schema, name, after)),
        limit=limit,
    )
    return details_from((yield statement if id is not None else walking(statement)))


def _place_of(schema: SchemaName, name: str, id: UUID) -> Steps[tuple[datetime, UUID]]:
    created_on = (yield sql.created_on(schema, name, id)).scalar()
    if created_on is None:
        # Not an empty page: that would say that there are no more jobs.
        raise ValidationError(f"after names a job that queue {name!r} does not hold (any more): {id}.")
    return created_on, id


def get_job(schema: SchemaName, id: UUID, name: str | None = None) -> Steps[JobDetails | None]:
    """One job by its id, or ``None``; without a queue's name it is looked for in every queue."""
    if name is None:
        rows = yield sql.find_anywhere(schema, id)
    else:
        check_queue_name(name)
        rows = yield sql.find(schema, name, id=id, key=None, data_json=None, queued=False, after=None, limit=1)
    found = details_from(rows)
    return found[0] if found else None


def states(schema: SchemaName, jobs: Sequence[tuple[str, UUID]]) -> Steps[list[JobState | None]]:
    """The state of each job, named by queue and id; ``None`` where there is no such job (any more)."""
    found: list[JobState | None] = (
        yield sql.states(schema, [name for name, _ in jobs], [id for _, id in jobs])
    ).column()
    return found
