"""Creating many jobs by COPY, which takes about half of what INSERT does.

COPY knows neither ON CONFLICT nor what a queue's row says. So it is for jobs that nothing can be in the way of: with
ids of our own making, without slots, in queues whose policy says nothing about queued jobs, on connections that speak
UTF-8. Each row is whole, as the INSERT of ``sql/insert.py`` would write it, made of the queue's row as the same
transaction has read it.

The rows go straight into the queue's own table. Whatever does not fit goes the way of the INSERT, also when that turns
out late: the COPY has a savepoint.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Protocol, TypeAlias
from uuid import UUID

from pgboss.core.checks import UNSET
from pgboss.core.copy_rows import HEADER, NO_ROW, TRAILER, field, json_field, row_head_up_to_uuid
from pgboss.core.creation import NewlyCreated, creation
from pgboss.core.job_ids import ordered_ids
from pgboss.core.names import SchemaName, column_of
from pgboss.core.options import SendOptions, delay_seconds
from pgboss.core.query import Copy, Rows, Steps, atomic
from pgboss.core.sqlstate import FEATURE_NOT_SUPPORTED, INSUFFICIENT_PRIVILEGE, UNIQUE_VIOLATION, WRONG_TABLE
from pgboss.core.wire import JSON, dumps
from pgboss.errors import DatabaseError, PayloadError
from pgboss.sql import copying as sql
from pgboss.sql.insert import FROM_QUEUE

__all__ = ["LEAST_JOBS", "Copied", "DataText", "can_be_copied", "copy", "different_options"]

LEAST_JOBS = 500
"""For fewer the round trips of a transaction cost more than COPY saves."""

ROWS_A_BLOCK = 200
"""The server reads one while the next is made."""

# What the INSERT may still be able to do: it leaves out what is taken, and writes to the parent table.
_NOT_BY_COPY: Final = WRONG_TABLE | {FEATURE_NOT_SUPPORTED, UNIQUE_VIOLATION, INSUFFICIENT_PRIVILEGE}

# The policies that allow any number of queued jobs.
_FREE_POLICIES: Final = frozenset({"standard", "singleton", "key_strict_fifo"})
_ALWAYS: Final = ("id", "data", "name", "policy", "created_on", "start_after", "keep_until", *FROM_QUEUE)
_SOMETIMES: Final = ("priority", "singleton_key", "group_id", "group_tier")


class Created(Protocol):
    """A checked job."""

    @property
    def data(self) -> JSON: ...

    @property
    def options(self) -> SendOptions: ...


DataText: TypeAlias = Callable[[JSON], str | None]
"""Makes JSON text of a job's data; ``None`` is SQL NULL. It may refuse them, and then nothing is created."""


@dataclass(frozen=True, slots=True)
class Copied:
    """What became of it.

    Attributes:
        ids: of the jobs that were created, as hexadecimal digits; ``None`` where COPY was not possible.
        queues: 0 when the queue is missing; then, or in case of the next two, nothing was created.
        lost: dead letter queues that were named and do not exist.
        keyless: whether a job lacks the key that its queue demands.
    """

    ids: Sequence[str] | None
    queues: int = 1
    lost: Sequence[str] = ()
    keyless: bool = False


def different_options(jobs: Iterable[Created]) -> list[SendOptions]:
    """The options of all jobs, where several share them once. Most share those of all that have none."""
    # By identity, which is cheaper to tell than equality.
    return list({id(job.options): job.options for job in jobs}.values())


def can_be_copied(options: SendOptions) -> bool:
    """Whether nothing can be in the way of a job with these options, and its start can be computed here."""
    return options.id is UNSET and options.singleton_seconds is UNSET and not isinstance(options.start_after, str)


@atomic
def copy(schema: SchemaName, name: str, jobs: Sequence[Created], text_of: DataText) -> Steps[Rows]:
    """Create jobs, all of them or none; the answer's only value is a :class:`Copied`."""
    return Rows(values=[((yield from _copy(schema, name, jobs, text_of)),)])


def _copy(schema: SchemaName, name: str, jobs: Sequence[Created], text_of: DataText) -> Steps[Copied]:
    each = different_options(jobs)
    lost = sorted({options.dead_letter for options in each if isinstance(options.dead_letter, str)})
    queue = (yield sql.settings(schema, name, lost)).first()
    if queue is None:
        return Copied((), queues=0)
    if queue["lost"]:
        return Copied((), lost=queue["lost"])
    if queue["policy"] not in _FREE_POLICIES or queue["encoding"] != "UTF8":
        return Copied(None)
    if queue["policy"] == "key_strict_fifo" and not all(options.singleton_key for options in each):
        return Copied((), keyless=True)
    try:
        rows = _Rows(schema, name, queue, each)
    except OverflowError:
        # A time that Python cannot tell.
        return Copied(None)
    ids = ordered_ids(len(jobs), rows.now)
    try:
        yield Copy(
            schema.catalog_name, queue["table_name"], rows.columns, rows.blocks(ids, jobs, text_of), guarded=True
        )
    except DatabaseError as error:
        if rows.refusal is not None:
            raise rows.refusal from None
        if error.sqlstate in _NOT_BY_COPY:
            return Copied(None)
        raise
    if queue["notify"] and rows.is_any_due:
        yield sql.announce(schema, name)
    _report(name, ids, jobs)
    return Copied(ids)


class _Rows:
    """The rows to be copied: what jobs with the same options have in common is made once.

    Raises:
        OverflowError: a time is outside of what Python knows.
    """

    def __init__(self, schema: SchemaName, name: str, queue: Mapping[str, Any], each: Sequence[SendOptions]) -> None:
        self.now: datetime = queue["now"].astimezone(UTC)
        self.is_any_due = False
        self.refusal: Exception | None = None
        """Why a job cannot be written."""
        given = {column_of(option) for options in each for option in options.given()}
        self._optional = tuple(column for column in _SOMETIMES if column in given)
        around = creation.get()
        traced = around.trace_context is not None and schema.has("job.trace_context")
        self._trace = json_field(dumps(dict(around.trace_context or {}))) if traced else b""
        self.columns = (*_ALWAYS, *self._optional, *(("trace_context",) if traced else ()))
        self._ends = {id(options): self._end(name, queue, options) for options in each}

    def blocks(self, ids: Sequence[str], jobs: Sequence[Created], text_of: DataText) -> Iterator[bytes]:
        ends, beginning = self._ends, row_head_up_to_uuid(len(self.columns))
        yield HEADER
        try:
            for start in range(0, len(jobs), ROWS_A_BLOCK):
                part = zip(ids[start : start + ROWS_A_BLOCK], jobs[start : start + ROWS_A_BLOCK], strict=True)
                yield b"".join(
                    [
                        beginning + bytes.fromhex(key) + json_field(text_of(job.data)) + ends[id(job.options)]
                        for key, job in part
                    ]
                )
        except PayloadError as error:
            # Each driver would take an error of ours in its own way. Of a row that is none, the server makes an error
            # like any other, which undoes what was copied.
            self.refusal = error
            yield NO_ROW
        else:
            yield TRAILER

    def _end(self, name: str, queue: Mapping[str, Any], options: SendOptions) -> bytes:
        """The row from the third field on."""
        given = {column_of(option): value for option, value in options.given().items() if value is not None}
        starts = self._start(options)
        self.is_any_due = self.is_any_due or starts <= self.now
        keep_until = starts + timedelta(seconds=given.get("retention_seconds", queue["retention_seconds"]))
        values = [name, queue["policy"], self.now, starts, keep_until]
        values += [given.get(column, queue[column]) for column in FROM_QUEUE]
        values += [given.get(column, 0 if column == "priority" else None) for column in self._optional]
        return b"".join(map(field, values)) + self._trace

    def _start(self, options: SendOptions) -> datetime:
        match options.start_after:
            case datetime() as instant:
                return instant.astimezone(UTC)
            case int() | float() | timedelta() as delay:
                return self.now + timedelta(microseconds=int(delay_seconds(delay) * 1_000_000))
            case _:
                return self.now


def _report(name: str, ids: Sequence[str], jobs: Sequence[Created]) -> None:
    on_created = creation.get().on_created
    if on_created is not None:
        for id, job in zip(ids, jobs, strict=True):
            on_created(NewlyCreated(UUID(id), name, job.data))
