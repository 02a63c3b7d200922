"""The noun of the house: a job as handlers and callers see it, and an attempt at it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields, make_dataclass, replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, Literal, Protocol, TypeAlias, TypeVar, cast
from uuid import UUID

from pgboss.core.cancellation import Cancellable
from pgboss.core.creation import read_carrier
from pgboss.core.garbage import uncollected
from pgboss.core.names import SchemaName, column_of
from pgboss.core.query import Rows
from pgboss.core.wire import JSON, loads

__all__ = [
    "Attempt",
    "Job",
    "JobDetails",
    "JobGlance",
    "JobState",
    "OneAttempt",
    "Settled",
    "details_from",
    "jobs_from",
]

AnyJob = TypeVar("AnyJob", bound="Job")

JobState: TypeAlias = Literal["created", "retry", "active", "completed", "cancelled", "failed"]


@dataclass(frozen=True, slots=True)
class Job(Cancellable):
    """A claimed job.

    ``id``, ``retry_count`` and ``started_on`` together name one attempt: settling with the job itself, rather than
    with its id, never touches an attempt that somebody else has started since.

    ``cancelled`` is set when its handler should stop: see :class:`~pgboss.core.cancellation.Cancellation`.

    Attributes:
        data: the payload as JSON; keys are exactly as they were sent.
        retry_count: how many attempts came before this one.
        expire_in_seconds: the attempt is failed when it runs longer than this.
        heartbeat_seconds: the attempt is failed when no heartbeat arrives for this long; ``None`` is never.
        trace_context: the trace of the sender, as a propagator of OpenTelemetry has written it. Only jobs that were
            claimed by an instance with telemetry have it, if their sender propagates it.
    """

    id: UUID
    name: str
    data: JSON
    priority: int
    retry_count: int
    retry_limit: int
    expire_in_seconds: int
    heartbeat_seconds: int | None
    group_id: str | None
    group_tier: str | None
    singleton_key: str | None
    created_on: datetime
    started_on: datetime | None
    trace_context: Mapping[str, str] | None = field(
        default=None, kw_only=True, repr=False, compare=False, metadata={"selected": False}
    )

    @property
    def is_last_attempt(self) -> bool:
        """Whether a failure now would be final."""
        return self.retry_count >= self.retry_limit


@dataclass(frozen=True, slots=True)
class JobDetails(Job):
    """Everything stored about a job, in whatever state it is.

    Attributes:
        start_after: when it falls due; an instant outside of Python's calendar is given as its first or last day.
        keep_until: when retention may remove it unworked; likewise.
    """

    state: JobState
    output: JSON
    start_after: datetime
    completed_on: datetime | None
    keep_until: datetime
    heartbeat_on: datetime | None
    retry_delay: int
    retry_backoff: bool
    retry_delay_max: int | None
    delete_after_seconds: int
    policy: str | None
    dead_letter: str | None
    singleton_on: datetime | None
    blocked: bool
    blocking: bool
    pending_dependencies: int
    source_name: str | None
    source_id: UUID | None
    source_created_on: datetime | None
    source_retry_count: int | None
    source_output: JSON
    source_root_id: UUID | None

    @property
    def duration(self) -> timedelta | None:
        """How long the last attempt ran, once it is over."""
        if self.started_on is None or self.completed_on is None:
            return None
        return self.completed_on - self.started_on


@dataclass(frozen=True, slots=True)
class JobGlance:
    """What a job is and where it comes from, without its payload and outputs: for pictures of many jobs."""

    id: UUID
    name: str
    state: JobState
    created_on: datetime
    started_on: datetime | None
    completed_on: datetime | None
    start_after: datetime
    retry_count: int
    retry_limit: int
    blocked: bool
    pending_dependencies: int
    source_name: str | None
    source_id: UUID | None
    source_root_id: UUID | None


class OneAttempt(Protocol):
    """What names an attempt: an :class:`Attempt`, or the job as it was claimed."""

    @property
    def id(self) -> UUID: ...

    @property
    def retry_count(self) -> int | None: ...

    @property
    def started_on(self) -> datetime | None: ...


@dataclass(frozen=True, slots=True)
class Attempt:
    """One claim of one job, or with the id alone: the job, whichever attempt it is at.

    ``started_on`` is needed beside ``retry_count`` because a job that was given back unrun keeps its retry_count.
    """

    id: UUID
    retry_count: int | None = None
    started_on: datetime | None = None

    @classmethod
    def of(cls, job: Job) -> Attempt:
        return cls(job.id, job.retry_count, job.started_on)


@dataclass(frozen=True, slots=True)
class Settled:
    """What a settling call did.

    Attributes:
        requested: the ids that were asked for, in order.
        settled: the ids that were changed; the others were in another state, or unknown.
    """

    requested: tuple[UUID, ...]
    settled: tuple[UUID, ...]

    @property
    def affected(self) -> int:
        """How many jobs were changed."""
        return len(self.settled)


_JSON_FIELDS = {"data", "output", "source_output"}
# As text, because drivers (and callers' connections) decode jsonb each in its own way, and know no type of ours.
_TEXT_FIELDS = {*_JSON_FIELDS, "state"}
# Callers choose these, and PostgreSQL's calendar is longer than Python's: "never" is often 9999-12-31, and a day later
# is kept.
_FAR_FIELDS = {"start_after", "keep_until"}
_FIRST_DAY, _LAST_DAY = "'0001-01-02T00:00:00Z'::timestamptz", "'9999-12-31T00:00:00Z'::timestamptz"


def _select_list(
    noun: type[Any], schema: SchemaName, alias: str, instead: Mapping[str, str] = MappingProxyType({})
) -> str:
    """The columns of a noun's fields, in their order, so that a row is the positional arguments of the noun."""
    return ", ".join(instead.get(name) or _selected(name, schema, alias) for name in _selected_names(noun))


def _selected_names(noun: type[Any]) -> list[str]:
    return [column.name for column in fields(noun) if column.metadata.get("selected", True)]


def _selected(name: str, schema: SchemaName, alias: str) -> str:
    if not schema.has(f"job.{column_of(name)}"):
        return f"NULL AS {column_of(name)}"
    column = f"{alias}.{column_of(name)}"
    if name in _FAR_FIELDS:
        return f"LEAST(GREATEST({column}, {_FIRST_DAY}), {_LAST_DAY})"
    return f"{column}::text" if name in _TEXT_FIELDS else column


def job_columns(schema: SchemaName, alias: str, instead: Mapping[str, str] = MappingProxyType({})) -> str:
    """The select list from which :func:`jobs_from` makes jobs, with some fields from elsewhere ``instead``."""
    return _select_list(Job, schema, alias, instead)


def detail_columns(schema: SchemaName, alias: str, instead: Mapping[str, str] = MappingProxyType({})) -> str:
    """The select list from which :func:`details_from` makes job details; what an older version lacks is NULL."""
    return _select_list(JobDetails, schema, alias, instead)


def glance_columns(schema: SchemaName, alias: str) -> str:
    """The select list from which :func:`glances_from` makes jobs; what an older version lacks is NULL."""
    return _select_list(JobGlance, schema, alias)


def _make(noun: type[Any], rows: Rows) -> Iterable[Any]:
    texts = [index for index, name in enumerate(_selected_names(noun)) if name in _JSON_FIELDS]
    for row in rows.values:
        values = list(row)
        for index in texts:
            values[index] = loads(values[index])
        yield noun(*values)


def traced(columns: str, schema: SchemaName, alias: str) -> str:
    """The select list with the trace of a job's sender at its end, as :func:`traced_from` takes it."""
    return f"{columns}, {schema.if_has('job.trace_context', f'{alias}.trace_context::text', 'NULL::text')}"


# A frozen dataclass sets each of its fields through object.__setattr__, which takes six times as long as this: a twin
# with the same slots, which is not frozen, and then becomes a Job.
_Thawed: Any = make_dataclass("_Thawed", [(f.name, object) for f in fields(Job)], bases=(Cancellable,), slots=True)


def _thawed(values: Iterable[Any]) -> Job:
    job = _Thawed(*values, None)
    job.__class__ = Job
    return cast("Job", job)


_DATA = _selected_names(Job).index("data")


def jobs_from(rows: Rows) -> list[Job]:
    data = _DATA
    with uncollected():
        return [_thawed((*row[:data], loads(row[data]), *row[data + 1 :])) for row in rows.values]


def details_from(rows: Rows) -> list[JobDetails]:
    return list(_make(JobDetails, rows))


def glances_from(rows: Rows) -> list[JobGlance]:
    return [JobGlance(*row) for row in rows.values]


def traced_from(rows: Rows, make: Callable[[Rows], list[AnyJob]]) -> list[AnyJob]:
    """Jobs of rows whose last column is the trace of their sender."""
    jobs = make(Rows(rows.columns[:-1], [row[:-1] for row in rows.values], rows.affected))
    return [
        job if row[-1] is None else replace(job, trace_context=read_carrier(row[-1]))
        for job, row in zip(jobs, rows.values, strict=True)
    ]
