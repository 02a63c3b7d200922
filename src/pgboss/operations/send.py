"""Creating jobs, one or many."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Generic, TypeVar, cast
from uuid import UUID

from pgboss.core.checks import UNSET
from pgboss.core.creation import creation, prepared, report
from pgboss.core.names import SchemaName, check_queue_name, column_of
from pgboss.core.options import SendOptions, UpdateOptions, start_after_text
from pgboss.core.query import Query, Step, Steps
from pgboss.core.sqlstate import DATETIME_ERRORS, FOREIGN_KEY_VIOLATION
from pgboss.core.target import QueueLike, outgoing
from pgboss.core.wire import JSON, dumps
from pgboss.errors import DatabaseError, PayloadError, QueueNotFoundError, ValidationError
from pgboss.operations import copying
from pgboss.operations.queues import queue_not_found, through_changes
from pgboss.sql import insert as sql

Data = TypeVar("Data", covariant=True)

MAX_BYTES_A_CHARACTER = 4
NO_OPTIONS = SendOptions()
_ONLY_DATA = {"data"}

# Options that steer the call and are no part of the job.
_NO_COLUMNS = frozenset({"singleton_next_slot", "match"})


@dataclass(frozen=True, slots=True)
class NewJob(Generic[Data]):
    """One job of a bulk insert: its data, and the options that differ from the queue's."""

    data: Data = cast("Any", None)
    options: SendOptions = NO_OPTIONS

    @classmethod
    def of(cls, item: NewJob[Any] | Mapping[str, Any]) -> NewJob[Any]:
        """Take a mapping of ``data`` and option names, as pg-boss's ``insert`` does."""
        if isinstance(item, NewJob):
            return item
        if type(item) is dict and item.keys() == _ONLY_DATA:
            return NewJob(item["data"])
        if not isinstance(item, Mapping):
            raise ValidationError(f"A job to insert must be a NewJob or a mapping with 'data', not {item!r:.100}.")
        options = {name: value for name, value in item.items() if name != "data"}
        try:
            return NewJob(item.get("data"), SendOptions(**options))
        except TypeError:
            unknown = sorted(set(options) - {field.name for field in fields(SendOptions)})
            raise ValidationError(f"Unknown options of a job to insert: {', '.join(unknown)}.") from None

    def encoded_by(self, target: QueueLike) -> NewJob[Any]:
        """The same job with its data checked and encoded, if the target is a definition."""
        return self if isinstance(target, str) else NewJob(outgoing(target, self.data), self.options)


def send(schema: SchemaName, name: str, data: JSON, options: SendOptions, max_payload_bytes: int) -> Steps[UUID | None]:
    """Create one job; ``None`` when its id, or its slot in the queue's policy, is taken."""
    check_queue_name(name)
    next_slot = options.singleton_next_slot is True
    payload = incoming(data, options, past_is_now=True)
    guarded = needs_guard(options)
    return (yield from create(schema, name, payload, max_payload_bytes, next_slot=next_slot, guarded=guarded))


def insert(
    schema: SchemaName,
    name: str,
    jobs: Iterable[NewJob[Any] | Mapping[str, Any]],
    max_payload_bytes: int,
    *,
    return_ids: bool,
) -> Steps[list[UUID] | None]:
    """Create many jobs at once; those whose id or slot is taken are dropped.

    Returns the ids of the jobs created, when asked for.
    """
    return (yield from insert_counted(schema, name, jobs, max_payload_bytes, return_ids=return_ids)).ids


@dataclass(frozen=True, slots=True)
class Inserted:
    """What a bulk insert has created: how many jobs, and their ids if they were asked for."""

    count: int
    ids: list[UUID] | None


def insert_counted(
    schema: SchemaName,
    name: str,
    jobs: Iterable[NewJob[Any] | Mapping[str, Any]],
    max_payload_bytes: int,
    *,
    return_ids: bool = False,
) -> Steps[Inserted]:
    """What :func:`insert` does, for those who want to know how many jobs were created."""
    check_queue_name(name)
    new = [NewJob.of(item) for item in jobs]
    if not new:
        return Inserted(0, [] if return_ids else None)
    each = copying.different_options(new)
    if any(options.id is not UNSET for options in each):
        _refuse_duplicates([job.options.id for job in new if job.options.id is not UNSET])
    if any(options.singleton_next_slot is True for options in each):
        raise ValidationError(
            "singleton_next_slot (True) is for one job at a time: use send() or send_debounced(). "
            "insert() leaves jobs out whose slot is taken."
        )
    if len(new) >= copying.LEAST_JOBS and all(map(copying.can_be_copied, each)):
        ids = yield from _copied(schema, name, new, max_payload_bytes)
        if ids is not None:
            return Inserted(len(ids), [UUID(id) for id in ids] if return_ids else None)
    payloads = [incoming(job.data, job.options, past_is_now=False) for job in new]
    guarded = any(map(needs_guard, each))
    if len(payloads) == 1:
        id = yield from create(schema, name, payloads[0], max_payload_bytes, guarded=guarded)
        created = [] if id is None else [id]
        return Inserted(len(created), created if return_ids else None)
    return (yield from _create_many(schema, name, payloads, max_payload_bytes, return_ids=return_ids, guarded=guarded))


def _copied(
    schema: SchemaName, name: str, new: Sequence[NewJob[Any]], max_payload_bytes: int
) -> Steps[Sequence[str] | None]:
    """Create jobs by COPY; ``None`` where that is not possible. Raises as :func:`create`."""

    def text_of(data: JSON) -> str | None:
        text = data_text(data)
        refuse_if_large(text, (data,), max_payload_bytes)
        return text

    try:
        rows = yield from through_changes(lambda: _just(copying.copy(schema, name, new, text_of)))
    except DatabaseError as error:
        raise _explained(error, name) from error
    copied: copying.Copied = rows.scalar()
    if not copied.queues:
        raise queue_not_found(name)
    if copied.lost:
        raise _dead_letter_not_found(copied.lost[0])
    if copied.keyless:
        raise key_needed(name)
    return copied.ids


def incoming(data: JSON, options: SendOptions | UpdateOptions, *, past_is_now: bool) -> dict[str, JSON]:
    """A job as the inserting statement reads it; options that are absent stay absent."""
    if options is NO_OPTIONS:
        return {"data": data}
    row = {column_of(name): value for name, value in options.given().items() if name not in _NO_COLUMNS}
    if "start_after" in row:
        row["start_after"] = start_after_text(row["start_after"], past_is_now=past_is_now)
    row["data"] = data
    return row


def create(
    schema: SchemaName,
    name: str,
    payload: dict[str, JSON],
    max_payload_bytes: int,
    *,
    next_slot: bool = False,
    guarded: bool = True,
) -> Steps[UUID | None]:
    """Create a job from a row made by :func:`incoming`; ``None`` when it would break a unique index.

    An error leaves the caller's transaction as usable as it was, if it is ``guarded``; without that, start times must
    be readable beyond doubt (see :func:`needs_guard`).

    Raises:
        ValidationError: a start time cannot be read, or the job lacks the key that its queue's policy demands.
        PayloadError: the job's data is too large.
        QueueNotFoundError: the queue, or a dead letter queue, does not exist.
    """
    [payload] = prepared([payload])
    job_json = _job_json(payload)
    refuse_if_large(job_json, [payload["data"]], max_payload_bytes)
    query = sql.insert_one(schema, name, job_json, given=payload.keys(), next_slot=next_slot)
    row = yield from creating(query, name, guarded=guarded)
    if row["keyless"]:
        raise key_needed(name)
    id: UUID | None = row["id"]
    if id is not None:
        report(name, [payload], [id])
    return id


def _job_json(payload: dict[str, JSON]) -> str | None:
    return data_text(payload["data"]) if payload.keys() == sql.ONLY_DATA else dumps(payload)


def data_text(data: JSON) -> str | None:
    """A job's data as they are stored; no data are SQL NULL, however they say so."""
    text = dumps(data)
    return None if text == "null" else text


def _create_many(
    schema: SchemaName,
    name: str,
    payloads: Sequence[dict[str, JSON]],
    max_payload_bytes: int,
    *,
    return_ids: bool,
    guarded: bool,
) -> Steps[Inserted]:
    """Create jobs as :func:`create`; whatever breaks a unique index is left out."""
    payloads = prepared(payloads)
    jobs_json = dumps(payloads)
    refuse_if_large(jobs_json, (payload["data"] for payload in payloads), max_payload_bytes)
    given = frozenset[str]().union(*payloads)
    wants_ids = return_ids or creation.get().on_created is not None
    query = sql.insert(schema, name, jobs_json, given=given, return_ids=wants_ids)
    row = yield from creating(query, name, guarded=guarded)
    if row["keyless"]:
        raise key_needed(name)
    report(name, payloads, row["ids"])
    return Inserted(row["created"], list(row["ids"] or []) if return_ids else None)


def refuse_if_large(text: str | None, data: Iterable[JSON], max_payload_bytes: int) -> None:
    """Hold each of these data to the limit, of which ``text`` is what holds them all, as :func:`refuse_large`."""
    # What is short as a whole need not be encoded to be measured.
    if text is not None and len(text) * MAX_BYTES_A_CHARACTER > max_payload_bytes:
        for each in data:
            refuse_large(each, max_payload_bytes)


def creating(query: Query, name: str, *, guarded: bool) -> Steps[dict[str, Any]]:
    """Run a statement that reads start times and dead letter queues, and turn what it finds wrong into our errors."""
    statement = replace(query, guarded=True) if guarded else query
    try:
        rows = yield from through_changes(lambda: _just(statement))
    except DatabaseError as error:
        raise _explained(error, name) from error
    row = rows.first()
    # A statement about one job finds nothing to speak of where there is no queue.
    if row is None or not row.get("queues", 1):
        raise queue_not_found(name)
    if row["lost"]:
        raise _dead_letter_not_found(row["lost"][0])
    return row


def _just(step: Step) -> Steps[Step]:
    yield from ()
    return step


def key_needed(name: str) -> ValidationError:
    return ValidationError(f"Queue {name!r} has the policy key_strict_fifo: its jobs need a singleton_key.")


def refuse_large(data: JSON, max_payload_bytes: int) -> None:
    """Hold job data to the limit.

    Raises:
        PayloadError: its JSON has more bytes.
    """
    size = len(dumps(data).encode())
    if size > max_payload_bytes:
        raise PayloadError(
            f"The job data is {size} bytes of JSON; at most {max_payload_bytes} are sent. "
            "Keep large documents in storage and send a reference, or raise PGBOSS_MAX_PAYLOAD_BYTES."
        )


def _refuse_duplicates(ids: Sequence[object]) -> None:
    [(twice, times)] = Counter(ids).most_common(1) or [(None, 0)]
    if times > 1:
        raise ValidationError(f"The id {twice} is given to more than one of the jobs to insert.")


def needs_guard(options: SendOptions | UpdateOptions) -> bool:
    """Whether the database may fail to read these options: start times in the caller's own words.

    A savepoint is two round trips, so what is made of instants and delays, which is always readable, goes without.
    """
    return isinstance(options.start_after, str)


def _dead_letter_not_found(name: str) -> QueueNotFoundError:
    return QueueNotFoundError(f"Dead letter queue {name!r} does not exist. Create it first.", queue=name)


def _explained(error: DatabaseError, name: str) -> Exception:
    if error.sqlstate in DATETIME_ERRORS:
        return ValidationError(
            f"start_after cannot be read: {error}. Give a datetime, a timedelta, seconds, an ISO date and time, "
            "or an interval such as '5 minutes'."
        )
    # The statement saw the queues that it names. That one of them is gone at its end is a race with whoever deleted it.
    if error.sqlstate == FOREIGN_KEY_VIOLATION and error.constraint == "q_fkey":
        return queue_not_found(name)
    return error
