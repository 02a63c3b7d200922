"""Creating, claiming and reading jobs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any
from uuid import UUID

from pgboss.core.job import Job, JobDetails, details_from, jobs_from
from pgboss.core.names import SchemaName, check_queue_name
from pgboss.core.options import UNSET, FetchOptions, SendOptions, check_integer, start_after_text
from pgboss.core.query import Rows, Steps
from pgboss.core.queue import QueueCatalog
from pgboss.core.target import QueueLike, outgoing
from pgboss.core.wire import JSON, dumps
from pgboss.errors import (
    DatabaseError,
    JobConflictError,
    PayloadError,
    QueueNotFoundError,
    ValidationError,
)
from pgboss.operations.queues import find_queue, queue_not_found
from pgboss.sql import claim as sql_claim
from pgboss.sql import find as sql_find
from pgboss.sql import insert as sql_insert

MAX_FOUND = 100_000
MAX_BYTES_A_CHARACTER = 4
UNIQUE_VIOLATION = "23505"
CHECK_VIOLATION = "23514"
DATETIME_ERRORS = {"22007", "22008", "22009"}

_COLUMN_OF = {"expire_in_seconds": "expire_seconds", "delete_after_seconds": "deletion_seconds"}


@dataclass(frozen=True, slots=True)
class NewJob:
    """One job of a bulk insert: its data, and the options that differ from the queue's."""

    data: JSON = None
    options: SendOptions = SendOptions()

    @classmethod
    def of(cls, item: NewJob | Mapping[str, Any]) -> NewJob:
        """Take a mapping of ``data`` and option names, as pg-boss's ``insert`` does."""
        if isinstance(item, NewJob):
            return item
        if not isinstance(item, Mapping):
            raise ValidationError(f"A job to insert must be a NewJob or a mapping with 'data', not {item!r:.100}.")
        options = {name: value for name, value in item.items() if name != "data"}
        try:
            return cls(item.get("data"), SendOptions(**options))
        except TypeError:
            unknown = sorted(set(options) - {field.name for field in fields(SendOptions)})
            raise ValidationError(f"Unknown options of a job to insert: {', '.join(unknown)}.") from None

    def encoded_by(self, target: QueueLike) -> NewJob:
        """The same job with its data checked and encoded, if the target is a definition."""
        return self if isinstance(target, str) else NewJob(outgoing(target, self.data), self.options)


def send(schema: SchemaName, name: str, data: JSON, options: SendOptions, max_payload_bytes: int) -> Steps[UUID | None]:
    """Create one job; ``None`` when its id, or its slot in the queue's policy, is taken."""
    check_queue_name(name)
    payload = _incoming(data, options, past_is_now=True)
    row = yield from _create(schema, name, [payload], max_payload_bytes, return_ids=True)
    ids = row["ids"]
    return ids[0] if ids else None


def insert(
    schema: SchemaName,
    name: str,
    jobs: Iterable[NewJob | Mapping[str, Any]],
    max_payload_bytes: int,
    *,
    return_ids: bool,
) -> Steps[list[UUID] | None]:
    """Create many jobs in one statement; those whose id or slot is taken are dropped.

    Returns the ids of the jobs created, when asked for.
    """
    check_queue_name(name)
    new = [NewJob.of(item) for item in jobs]
    if not new:
        return [] if return_ids else None
    _refuse_duplicates([job.options.id for job in new if job.options.id is not UNSET])
    payloads = [_incoming(job.data, job.options, past_is_now=False) for job in new]
    row = yield from _create(schema, name, payloads, max_payload_bytes, return_ids=return_ids)
    return list(row["ids"] or []) if return_ids else None


def fetch(catalog: QueueCatalog, name: str, options: FetchOptions) -> Steps[list[Job]]:
    """Claim due jobs; an empty list when there are none, or when another claim took the last slot."""
    return jobs_from((yield from _claim(catalog, name, options, None)))


def fetch_details(catalog: QueueCatalog, name: str, options: FetchOptions) -> Steps[list[JobDetails]]:
    """:func:`fetch`, with everything stored about each job."""
    return details_from((yield from _claim(catalog, name, options, sql_claim.DETAILS)))


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
    rows = yield sql_find.find(
        catalog.schema,
        name,
        id=id,
        key=key,
        data_json=None if data is UNSET else dumps(data, what="data filter"),
        queued=queued,
        after=after,
        limit=limit,
    )
    return details_from(rows)


def get_job(schema: SchemaName, id: UUID, name: str | None = None) -> Steps[JobDetails | None]:
    """One job by its id, or ``None``; without a queue's name it is looked for in every queue."""
    if name is None:
        rows = yield sql_find.find_anywhere(schema, id)
    else:
        check_queue_name(name)
        rows = yield sql_find.find(schema, name, id=id, key=None, data_json=None, queued=False, after=None, limit=1)
    found = details_from(rows)
    return found[0] if found else None


def _claim(catalog: QueueCatalog, name: str, options: FetchOptions, columns: str | None) -> Steps[Rows]:
    queue = yield from find_queue(catalog, name)
    try:
        return (yield sql_claim.claim(queue, options, columns))
    except DatabaseError as error:
        if error.sqlstate == UNIQUE_VIOLATION:
            return Rows()
        catalog.forget(name)
        raise


def _incoming(data: JSON, options: SendOptions, *, past_is_now: bool) -> dict[str, JSON]:
    row = {_COLUMN_OF.get(name, name): value for name, value in options.given().items()}
    if "start_after" in row:
        row["start_after"] = start_after_text(row["start_after"], past_is_now=past_is_now)
    row["data"] = data
    return row


def _create(
    schema: SchemaName, name: str, payloads: Sequence[dict[str, JSON]], max_payload_bytes: int, *, return_ids: bool
) -> Steps[dict[str, Any]]:
    jobs_json = dumps(payloads)
    if len(jobs_json) * MAX_BYTES_A_CHARACTER > max_payload_bytes:
        _refuse_large(payloads, max_payload_bytes)
    try:
        rows = yield sql_insert.insert(schema, name, jobs_json, return_ids=return_ids)
    except DatabaseError as error:
        raise _explained(error, name) from error
    row = rows.first() or {}
    if not row["queues"]:
        raise queue_not_found(name)
    if row["lost"]:
        raise QueueNotFoundError(
            f"Dead letter queue {row['lost'][0]!r} does not exist. Create it first.", queue=row["lost"][0]
        )
    return row


def _refuse_large(payloads: Sequence[dict[str, JSON]], max_payload_bytes: int) -> None:
    for payload in payloads:
        size = len(dumps(payload["data"]).encode())
        if size > max_payload_bytes:
            raise PayloadError(
                f"The job data is {size} bytes of JSON; at most {max_payload_bytes} are sent. "
                "Keep large documents in storage and send a reference, or raise PGBOSS_MAX_PAYLOAD_BYTES."
            )


def _refuse_duplicates(ids: Sequence[object]) -> None:
    [(twice, times)] = Counter(ids).most_common(1) or [(None, 0)]
    if times > 1:
        raise ValidationError(f"The id {twice} is given to more than one of the jobs to insert.")


def _explained(error: DatabaseError, name: str) -> Exception:
    if error.sqlstate in DATETIME_ERRORS:
        return ValidationError(
            f"start_after cannot be read: {error}. Give a datetime, a timedelta, seconds, an ISO date and time, "
            "or an interval such as '5 minutes'."
        )
    if error.sqlstate == CHECK_VIOLATION and "fifo" in (error.constraint or ""):
        return ValidationError(f"Queue {name!r} has the policy key_strict_fifo: its jobs need a singleton_key.")
    if error.sqlstate == UNIQUE_VIOLATION:
        return JobConflictError(f"A job of queue {name!r} could not be created: another one holds its slot.")
    return error
