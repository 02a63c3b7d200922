"""Claiming jobs."""

from __future__ import annotations

from pgboss.core.frontier import Frontier
from pgboss.core.job import Job, JobDetails, details_from, jobs_from, traced_from
from pgboss.core.options import FetchOptions
from pgboss.core.query import Query, Rows, Steps
from pgboss.core.queue import QueueCatalog, QueueRef
from pgboss.core.sqlstate import UNIQUE_VIOLATION
from pgboss.errors import DatabaseError
from pgboss.operations.queues import has_moved, on_queue
from pgboss.sql import claim as sql


def fetch(
    catalog: QueueCatalog,
    name: str,
    options: FetchOptions,
    *,
    lease_seconds: int | None = None,
    is_traced: bool = False,
    frontier: Frontier | None = None,
) -> Steps[list[Job]]:
    """Claim due jobs; an empty list when there are none, or when another claim took the last slot.

    With ``lease_seconds`` jobs without a heartbeat get one, which the caller must keep. With ``is_traced`` jobs come
    with the trace of their sender. Jobs before a ``frontier`` are left out.
    """
    rows = yield from _claim(catalog, name, options, lease_seconds, is_traced, frontier, details=False)
    return traced_from(rows, jobs_from) if is_traced and rows else jobs_from(rows)


def fetch_details(
    catalog: QueueCatalog,
    name: str,
    options: FetchOptions,
    *,
    lease_seconds: int | None = None,
    is_traced: bool = False,
    frontier: Frontier | None = None,
) -> Steps[list[JobDetails]]:
    """:func:`fetch`, with everything stored about each job."""
    rows = yield from _claim(catalog, name, options, lease_seconds, is_traced, frontier, details=True)
    return traced_from(rows, details_from) if is_traced and rows else details_from(rows)


def _claim(
    catalog: QueueCatalog,
    name: str,
    options: FetchOptions,
    lease_seconds: int | None,
    is_traced: bool,
    frontier: Frontier | None,
    *,
    details: bool,
) -> Steps[Rows]:
    remembered = catalog.get(name)

    def claim(queue: QueueRef) -> Query:
        return sql.claim(
            queue,
            options,
            details=details,
            lease_seconds=lease_seconds,
            is_traced=is_traced,
            frontier=frontier,
        )

    try:
        rows = yield from on_queue(catalog, name, claim)
        # The shared table holds nothing of a queue that got one of its own since, and says so without an error.
        if not rows and remembered is not None and (yield from has_moved(catalog, remembered)):
            rows = yield from on_queue(catalog, name, claim)
        return rows
    except DatabaseError as error:
        if error.sqlstate == UNIQUE_VIOLATION:
            return Rows()
        catalog.forget(name)
        raise
