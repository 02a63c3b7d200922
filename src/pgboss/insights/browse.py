"""Jobs of one queue or of all, a page at a time, whatever the filter and however many jobs there are.

A page costs a window of rows at most. Where few of them match, the page may come out short before all jobs were looked
at: it then says how far it has looked, and its cursor goes on from there. Jobs that are there, in the same state,
all the while are told exactly once, also while others come, go and change.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from pgboss.core.checks import check_integer
from pgboss.core.flow import DependencyRef
from pgboss.core.job import JobDetails, details_from
from pgboss.core.job_filter import JobFilter, JobPosition
from pgboss.core.query import Query, Rows, Steps
from pgboss.core.queue import QueueCatalog, QueueRef
from pgboss.core.sqlstate import DATETIME_ERRORS
from pgboss.errors import DatabaseError, ValidationError
from pgboss.operations.queues import find_queue
from pgboss.operations.walk import walking
from pgboss.sql import job_windows as sql
from pgboss.sql import overview
from pgboss.sql.clock import current_time
from pgboss.sql.walk import LAST_ID

__all__ = ["FoundIds", "FoundJobs", "browse", "browse_on", "find_ids"]

MAX_PAGE = 1000
MOST_IDS = 10_000
WINDOW = 10_000
"""So many rows are looked at for a page, of one queue or of all together."""
MOST_IN_ALL = 100_000
LEAST_SHARE = 1000
"""So many of each queue are, however many queues there are."""


@dataclass(frozen=True, slots=True)
class FoundJobs:
    """A page of jobs.

    Attributes:
        jobs: in the order of their filter.
        read_on: when they were read, by the database's clock; ages are counted from here.
        next: the cursor of the next page; ``None`` when all jobs were looked at.
        looked_to: how far, where the page came out short with jobs still to be looked at: none of those that match and
            come before this instant, in the order of the filter, is missing.
    """

    jobs: list[JobDetails]
    read_on: datetime
    next: str | None
    looked_to: datetime | None


@dataclass(frozen=True, slots=True)
class FoundIds:
    """Queues and ids of a page of jobs; the rest as of :class:`FoundJobs`."""

    jobs: list[DependencyRef]
    next: str | None
    looked_to: datetime | None


@dataclass(frozen=True, slots=True)
class _Listing:
    """What the steps of one page have in common."""

    catalog: QueueCatalog
    queue: QueueRef | None
    filter: JobFilter
    limit: int
    window: int
    share: int
    only_ids: bool

    def read(self, statement: Callable[..., Query], *arguments: object, **keywords: object) -> Steps[Rows]:
        query = statement(self.catalog.schema, self.queue, self.filter, *arguments, **keywords)
        return (yield walking(query))


@dataclass(frozen=True, slots=True)
class _Page:
    """Rows with their instant in the last column, and where it goes on behind them if there are no more than these."""

    rows: Rows = Rows()
    goes_on: JobPosition | None = None
    looked_to: datetime | None = None


def browse(
    catalog: QueueCatalog, wanted: JobFilter, *, after: str | None = None, limit: int = 50, window: int = WINDOW
) -> Steps[FoundJobs]:
    """Jobs that match a filter: what waits by when it falls due, others the latest first.

    Args:
        catalog: the queues known.
        wanted: which jobs.
        after: the cursor of the page before, made for the same filter.
        limit: at most this many, from 1 to 1000.
        window: how many rows are looked at.

    Raises:
        ValidationError: the cursor is none of this filter's, or the limit out of range.
        QueueNotFoundError: the queue does not exist.
    """
    check_integer("limit", limit, 1, MAX_PAGE)
    read_on = (yield current_time(catalog.schema)).scalar()
    page = yield from _page(catalog, wanted, after, limit, window, only_ids=False)
    rows, next = _cut(page, wanted, limit)
    return FoundJobs(details_from(rows), read_on, next, page.looked_to if len(rows) < limit else None)


def browse_on(
    catalog: QueueCatalog, queue: str, wanted: JobFilter, *, after: UUID | None = None, limit: int = 50
) -> Steps[FoundJobs]:
    """As many jobs of a queue as are asked for, page by page, however few match: for whoever can wait.

    Args:
        catalog: the queues known.
        queue: the queue's name.
        wanted: which of its jobs.
        after: continue behind this job. There is nothing behind one that is gone.
        limit: at most this many, from 1 to 100,000.

    Raises:
        ValidationError: the limit is out of range.
        QueueNotFoundError: the queue does not exist.
    """
    check_integer("limit", limit, 1, MOST_IN_ALL)
    wanted = replace(wanted, queue=queue)
    cursor = None
    if after is not None:
        at = (yield sql.place((yield from find_queue(catalog, queue)), wanted, after)).scalar()
        if at is None:
            return FoundJobs([], (yield current_time(catalog.schema)).scalar(), None, None)
        cursor = JobPosition(at, (queue, after)).token(wanted.order)
    found = yield from browse(catalog, wanted, after=cursor, limit=min(limit, MAX_PAGE))
    jobs, next = found.jobs, found.next
    while next is not None and len(jobs) < limit:
        page = yield from browse(catalog, wanted, after=next, limit=min(limit - len(jobs), MAX_PAGE))
        jobs, next = jobs + page.jobs, page.next
    return FoundJobs(jobs, found.read_on, next, None)


def find_ids(
    catalog: QueueCatalog, wanted: JobFilter, *, after: str | None = None, limit: int = 1000, window: int = WINDOW
) -> Steps[FoundIds]:
    """The same as :func:`browse`, up to 10,000 and of each only queue and id: for whoever acts on all that match."""
    check_integer("limit", limit, 1, MOST_IDS)
    page = yield from _page(catalog, wanted, after, limit, window, only_ids=True)
    rows, next = _cut(page, wanted, limit)
    return FoundIds([DependencyRef(*row) for row in rows.values], next, page.looked_to if len(rows) < limit else None)


def _page(
    catalog: QueueCatalog, wanted: JobFilter, after: str | None, limit: int, window: int, *, only_ids: bool
) -> Steps[_Page]:
    begins = None if after is None else JobPosition.of(after, wanted.order)
    queue = None if wanted.queue is None else (yield from find_queue(catalog, wanted.queue))
    share = window if queue is not None else max(LEAST_SHARE, window // (yield from _queue_count(catalog)))
    # One more than wanted tells whether there are more.
    listing = _Listing(catalog, queue, wanted, limit + 1, window, min(share, window), only_ids)
    try:
        return (yield from _stretch(listing, begins))
    except DatabaseError as error:
        if error.sqlstate in DATETIME_ERRORS:
            raise ValidationError(f"{after!r:.100} is no place in this list.") from error
        raise


def _stretch(listing: _Listing, begins: JobPosition | None) -> Steps[_Page]:
    ends = (yield from listing.read(sql.edge, begins, listing.share)).first() or {}
    first, edge = ends["first"], ends["edge"]
    looked_to = None if edge is None else ends["looked_to"]
    if first is None:
        return _Page()
    if first == edge:
        tied = begins if begins is not None and begins.at == first and not begins.is_beyond else JobPosition(first)
        return (yield from _instant(listing, tied, looked_to))
    rows = yield from listing.read(sql.within, begins, edge, listing.limit, only_ids=listing.only_ids)
    return _Page(rows, None if edge is None else JobPosition(edge), looked_to)


def _instant(listing: _Listing, begins: JobPosition, looked_to: datetime | None) -> Steps[_Page]:
    """A page of jobs that share an instant, of which there are more than a window of a queue holds."""
    beyond = JobPosition(begins.at, is_beyond=True)
    if (yield from listing.read(sql.tied_count, begins, listing.window + 1)).scalar() <= listing.window:
        rows = yield from listing.read(sql.tied, begins, listing.limit, only_ids=listing.only_ids)
        return _Page(rows, beyond, looked_to)
    queue = listing.queue or (yield from _next_queue(listing, begins))
    if queue is None:
        return _Page(goes_on=beyond, looked_to=looked_to)
    rows, last = yield from _by_key(listing, queue, begins)
    rest = beyond if last is None and listing.queue else replace(begins, behind=(queue.name, last or LAST_ID))
    return _Page(rows, rest, looked_to)


def _next_queue(listing: _Listing, begins: JobPosition) -> Steps[QueueRef | None]:
    name = (yield sql.tied_queue(listing.catalog.schema, listing.filter, begins)).scalar()
    return None if name is None else (yield from find_queue(listing.catalog, name))


def _by_key(listing: _Listing, queue: QueueRef, begins: JobPosition) -> Steps[tuple[Rows, UUID | None]]:
    """What a window of a queue's primary key holds of an instant, and its last id unless it holds all that is left."""
    after = begins.behind[1] if begins.behind is not None and begins.behind[0] == queue.name else None
    last = (yield walking(sql.key_edge(queue, after, listing.window))).scalar()
    query = sql.tied_by_key(queue, listing.filter, begins.at, after, last, listing.limit, only_ids=listing.only_ids)
    return (yield walking(query)), last


def _queue_count(catalog: QueueCatalog) -> Steps[int]:
    return max(1, int((yield overview.queue_count(catalog.schema)).scalar()))


def _cut(page: _Page, wanted: JobFilter, limit: int) -> tuple[Rows, str | None]:
    """The rows without their instants, no more than wanted, and the cursor behind them."""
    values = page.rows.values[:limit]
    rows = Rows(page.rows.columns[:-1], [row[:-1] for row in values], len(values))
    if len(page.rows.values) <= limit:
        return rows, None if page.goes_on is None else page.goes_on.token(wanted.order)
    last = dict(zip(page.rows.columns, values[-1], strict=True))
    return rows, JobPosition(values[-1][-1], (last["name"], last["id"])).token(wanted.order)
