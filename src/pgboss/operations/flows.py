"""Flows: creating one, freeing the jobs whose parents are completed, and reading who waits for whom."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias
from uuid import UUID, uuid4

from pgboss.core.checks import check_integer
from pgboss.core.creation import creation, prepared, report
from pgboss.core.flow import DependencyRef, Flow, FlowIds, FlowJob, flow_jobs
from pgboss.core.names import SchemaName, check_queue_name
from pgboss.core.query import Query, Rows, Steps, atomic
from pgboss.core.sqlstate import SERIALIZATION_FAILURE, UNDEFINED_TABLE, UNIQUE_VIOLATION
from pgboss.core.wire import JSON, dumps
from pgboss.errors import DatabaseError, DatabaseUnavailableError, JobConflictError, ValidationError
from pgboss.operations.find import MAX_FOUND
from pgboss.operations.queues import queue_not_found
from pgboss.operations.send import creating, incoming, key_needed, refuse_if_large
from pgboss.sql import flows as sql
from pgboss.sql import locks

__all__ = ["claim", "create", "get_dependencies", "get_dependents", "resolve"]

# So that a backlog cannot keep the resolver from its other tables; what is left is for the next pass.
BATCHES_A_PASS = 100
# Few enough that the locks of one statement stay few.
TABLES_A_STATEMENT = 50


def create(
    schema: SchemaName, jobs: Flow | Iterable[FlowJob | Mapping[str, Any]], max_payload_bytes: int
) -> Steps[FlowIds]:
    """Create the jobs of a flow in one statement, all of them or none; returns their ids by ref."""
    checked = flow_jobs(jobs)
    for job in checked:
        if job.options.singleton_next_slot is True:
            raise ValidationError(
                f"singleton_next_slot (True) of job {job.ref!r} is for one job at a time: use send(). "
                "A flow is created whole, or not at all."
            )
    ids = {job.ref: _id_of(job) for job in checked}
    rows, links = prepared(_job_rows(checked, ids)), _links(checked, ids)
    jobs_json = dumps(rows)
    refuse_if_large(jobs_json, (job.data for job in checked), max_payload_bytes)
    is_traced = creation.get().is_traced and schema.has("job.trace_context")
    yield from _creating(sql.create(schema, jobs_json, dumps(links), traced=is_traced), checked)
    for job, row in zip(checked, rows, strict=True):
        report(job.name, [row], [ids[job.ref]])
    return FlowIds(ids, jobs.steps if isinstance(jobs, Flow) else ())


def _creating(query: Query, jobs: Sequence[FlowJob]) -> Steps[None]:
    try:
        # Where no queue of the flow exists, the first one's is as missing as any.
        row = yield from creating(query, jobs[0].name, guarded=True)
    except DatabaseError as error:
        if error.sqlstate == UNIQUE_VIOLATION:
            raise JobConflictError(
                f"No job of the flow was created: the id of one, or its slot in its queue's policy, "
                f"is taken by another job ({error.constraint})."
            ) from error
        raise
    if row["missing"]:
        raise queue_not_found(row["missing"][0])
    if row["keyless"]:
        raise key_needed(row["keyless"][0])


def _id_of(job: FlowJob) -> UUID:
    return job.options.id if isinstance(job.options.id, UUID) else uuid4()


def _job_rows(jobs: Sequence[FlowJob], ids: Mapping[str, UUID]) -> list[dict[str, JSON]]:
    parents = {parent for job in jobs for parent in job.depends_on}
    return [
        incoming(job.data, job.options, past_is_now=True)
        | {
            "name": job.name,
            "id": ids[job.ref],
            "blocked": bool(job.depends_on),
            "blocking": job.ref in parents,
            "pending_dependencies": len(job.depends_on),
        }
        for job in jobs
    ]


def _links(jobs: Sequence[FlowJob], ids: Mapping[str, UUID]) -> list[dict[str, JSON]]:
    names = {job.ref: job.name for job in jobs}
    return [
        {
            "child_name": job.name,
            "child_id": ids[job.ref],
            "parent_name": names[parent],
            "parent_id": ids[parent],
        }
        for job in jobs
        for parent in job.depends_on
    ]


def claim(schema: SchemaName, interval_seconds: float) -> Steps[bool]:
    """Whether this turn of the resolver is ours; Node's instances make the same claim."""
    rows = yield sql.claim(schema, interval_seconds)
    return len(rows) > 0


OnResolved: TypeAlias = Callable[[str, int], None]


def resolve(
    schema: SchemaName, queues: Sequence[str] | None = None, on_resolved: OnResolved = lambda table, parents: None
) -> Steps[int]:
    """Free the jobs whose last parent is completed, and return how many.

    Every batch is a transaction of its own. A table that cannot be resolved does not keep the others from it.

    Args:
        schema: the schema.
        queues: where parents have just been completed; without it all tables are looked at.
        on_resolved: hears of each batch that counted off some parents, once it is committed.

    Raises:
        DatabaseError: why a table could not be resolved, after all others were.
    """
    tables: list[str] = (yield sql.tables(schema, queues)).column()
    if queues is None:
        tables = yield from _unresolved(schema, tables)
    freed, failure = 0, None
    for table in tables:
        try:
            freed += yield from _resolve(schema, table, on_resolved)
        except DatabaseUnavailableError:
            raise
        except DatabaseError as error:
            # A table is missing when its queue was deleted a moment ago.
            if error.sqlstate != UNDEFINED_TABLE:
                failure = failure or error
    if failure is not None:
        raise failure
    return freed


def _unresolved(schema: SchemaName, tables: Sequence[str]) -> Steps[list[str]]:
    found: list[str] = []
    for start in range(0, len(tables), TABLES_A_STATEMENT):
        portion = tables[start : start + TABLES_A_STATEMENT]
        try:
            found += (yield sql.unresolved(schema, portion)).column()
        except DatabaseUnavailableError:
            raise
        except DatabaseError:
            # One table is gone or locked; which one shows when each is resolved by itself.
            found += portion
    return found


def _resolve(schema: SchemaName, table: str, on_resolved: OnResolved) -> Steps[int]:
    freed = 0
    for _ in range(BATCHES_A_PASS):
        try:
            row = (yield _batch(schema, table)).first() or {}
        except DatabaseError as error:
            if error.sqlstate == SERIALIZATION_FAILURE:
                continue
            raise
        freed += row["freed"]
        if row["resolved"]:
            on_resolved(table, row["resolved"])
        if row["resolved"] < sql.RESOLVE_BATCH:
            break
    return freed


@atomic
def _batch(schema: SchemaName, table: str) -> Steps[Rows]:
    yield locks.limit_waits()
    yield sql.probe_by_key()
    rows = yield sql.resolve(schema, table)
    if (rows.first() or {})["missed"]:
        raise DatabaseError("A waiting job was changed in the same moment.", sqlstate=SERIALIZATION_FAILURE)
    return rows


Reading = Callable[[SchemaName, str, UUID, int, DependencyRef | None], Query]


def get_dependencies(
    schema: SchemaName, name: str, id: UUID, limit: int, after: DependencyRef | None
) -> Steps[list[DependencyRef]]:
    """The jobs that one waits for, or has waited for."""
    return _neighbours(sql.dependencies, schema, name, id, limit, after)


def get_dependents(
    schema: SchemaName, name: str, id: UUID, limit: int, after: DependencyRef | None
) -> Steps[list[DependencyRef]]:
    """The jobs that wait for one, or have waited for it."""
    return _neighbours(sql.dependents, schema, name, id, limit, after)


def _neighbours(
    read: Reading, schema: SchemaName, name: str, id: UUID, limit: int, after: DependencyRef | None
) -> Steps[list[DependencyRef]]:
    check_queue_name(name)
    check_integer("limit", limit, 1, MAX_FOUND)
    if after is not None and not isinstance(after, DependencyRef):
        raise ValidationError(f"after must be the last DependencyRef of the page before, not {after!r:.100}.")
    rows = yield read(schema, name, id, limit, after)
    return [DependencyRef(*row) for row in rows.values]
