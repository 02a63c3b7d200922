"""Statements that look through jobs a window at a time, in the order of an index.

A window is a stretch of at most so many rows of each stream: a queue, and for the order ``due`` one of its states, with
or without jobs that it is blocked by. It ends between two instants, never within one, so that jobs of one instant can
be told in the order of queue and id. Where so many share an instant that no window could hold them, they are looked
through by themselves: by the index while they fit a window, else by their primary key.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from pgboss.core.checks import UNSET
from pgboss.core.job import detail_columns
from pgboss.core.job_filter import JobFilter, JobOrder, JobPosition
from pgboss.core.names import SchemaName, quote_literal
from pgboss.core.query import Parameter, Query
from pgboss.core.queue import QueueRef
from pgboss.core.wire import dumps
from pgboss.sql.walk import LAST_ID

__all__ = ["EITHER_BLOCKED", "edge", "key_edge", "place", "tied", "tied_by_key", "tied_count", "tied_queue", "within"]

_COLUMN: Final[dict[JobOrder, str]] = {"created": "created_on", "due": "start_after", "finished": "completed_on"}
_DUE_STATES: Final = ("created", "retry", "active", "failed")


@dataclass(frozen=True, slots=True)
class _Walk:
    """What the statements of one listing have in common; collects their parameters."""

    schema: SchemaName
    queue: QueueRef | None
    filter: JobFilter
    parameters: list[Parameter] = field(default_factory=list)

    def bind(self, value: Parameter, kind: str) -> str:
        self.parameters.append(value)
        return f"${len(self.parameters)}::{kind}"

    @property
    def table(self) -> str:
        return self.schema.table("job") if self.queue is None else self.queue.table

    @property
    def queues(self) -> str:
        if self.queue is None:
            return f"{self.schema.table('queue')} q"
        return f"(VALUES ({self.bind(self.queue.name, 'text')})) q(name)"

    @property
    def column(self) -> str:
        return _COLUMN[self.filter.order]

    @property
    def direction(self) -> str:
        return "DESC" if self.filter.is_latest_first else "ASC"

    @property
    def last(self) -> str:
        """The aggregate that gives the earliest instant in the order of the listing."""
        return "max" if self.filter.is_latest_first else "min"

    def streams(self) -> list[str]:
        """The conditions on ``j``, each of which the index has in order, beside the queue's name."""
        if self.filter.order != "due":
            return ["true"] if self.filter.order == "created" else ["j.completed_on IS NOT NULL"]
        # States stay literal, here as everywhere: the index is a partial one.
        return [f"j.state = '{state}' {kind}" for state in self.filter.states for kind in EITHER_BLOCKED]

    def after(self, position: JobPosition | None) -> str:
        """The condition that a row's instant is not before the position."""
        if position is None:
            return ""
        later = "<" if self.filter.is_latest_first else ">"
        equal = "" if position.is_beyond else "="
        return f"AND j.{self.column} {later}{equal} {self.bind(position.at, 'timestamptz')}"

    def behind(self, position: JobPosition | None) -> str:
        """The condition that a row of the position's very instant comes behind it."""
        if position is None or position.behind is None:
            return ""
        name, id = position.behind
        later = "<" if self.filter.is_latest_first else ">"
        at = self.bind(position.at, "timestamptz")
        return f"AND (j.{self.column} {later} {at} OR (j.name, j.id) > ({self.bind(name, 'text')}, {self._id(id)}))"

    def ranges(self) -> str:
        """The conditions on the instant that the listing is ordered by, which are where the index begins and ends."""
        return self._conditions(is_walked=True)

    def filters(self) -> str:
        """All other conditions."""
        return self._conditions(is_walked=False) + "".join(f"\n AND {condition}" for condition in self._filters())

    def _conditions(self, *, is_walked: bool) -> str:
        bounds = (
            ("created_on", ">=", self.filter.created_from),
            ("created_on", "<", self.filter.created_before),
            ("completed_on", ">=", self.filter.finished_from),
            ("completed_on", "<", self.filter.finished_before),
        )
        return "".join(
            f" AND j.{column} {comparison} {self.bind(value, 'timestamptz')}"
            for column, comparison, value in bounds
            if value is not None and (column == self.column) == is_walked
        )

    def _filters(self) -> Iterator[str]:
        wanted = self.filter
        if wanted.states and wanted.order != "due":
            yield f"j.state IN ({', '.join(quote_literal(state) for state in wanted.states)})"
        if wanted.is_queued:
            yield "j.state < 'active'"
        if wanted.is_expired:
            yield IS_EXPIRED
        if wanted.key is not None:
            yield f"j.singleton_key = {self.bind(wanted.key, 'text')}"
        if wanted.data is not UNSET:
            yield f"j.data @> {self.bind(dumps(wanted.data, what='data filter'), 'jsonb')}"

    def _id(self, id: UUID) -> str:
        return self.bind(id, "uuid")

    def query(self, text: str) -> Query:
        return Query(text, tuple(self.parameters))


EITHER_BLOCKED: Final = ("AND j.blocked = false", "AND j.blocked = true")
"""The index by state has each of these in order; both at once would have to be sorted."""

IS_EXPIRED: Final = """(
    j.output -> 'value' ->> 'message' IN ('job timed out', 'job heartbeat timeout')
    OR j.output ->> 'message' LIKE 'handler execution exceeded %')"""
"""What sweeps and workers of both sides write when an attempt's time ran out: docs/compatibility.md, "Output"."""


def place(queue: QueueRef, wanted: JobFilter, id: UUID) -> Query:
    """The instant of a job by which it is found in the order of a listing; no row when it is gone."""
    walk = _Walk(queue.schema, queue, wanted)
    name, of = walk.bind(queue.name, "text"), walk.bind(id, "uuid")
    return walk.query(f"SELECT j.{walk.column}::text FROM {walk.table} j WHERE j.name = {name} AND j.id = {of}")


def edge(
    schema: SchemaName, queue: QueueRef | None, wanted: JobFilter, begins: JobPosition | None, window: int
) -> Query:
    """Where the window ends that begins there.

    Returns one row: ``first``, the first instant; ``edge``, that of the first row which is no longer looked at, NULL
    where the window holds all that are left; and ``looked_to``, the edge within Python's calendar.
    """
    walk = _Walk(schema, queue, wanted)
    bounds = f"{walk.after(begins)}{walk.ranges()}"
    rows, queues = walk.bind(window, "int"), walk.queues

    def instant(stream: str, place: str) -> str:
        return f"""(SELECT j.{walk.column} FROM {walk.table} j
                     WHERE j.name = q.name AND {stream} {bounds}
                     ORDER BY j.{walk.column} {walk.direction} {place} LIMIT 1)"""

    streams = "\n UNION ALL ".join(
        f"SELECT {instant(stream, '')} AS first, {instant(stream, f'OFFSET {rows} - 1')} AS edge FROM {queues}"
        for stream in walk.streams()
    )
    return walk.query(
        f"""
        SELECT first::text, edge::text,
               LEAST(GREATEST(edge, '0001-01-02T00:00:00Z'), '9999-12-31T00:00:00Z') AS looked_to
          FROM (SELECT {walk.last}(s.first) AS first, {walk.last}(s.edge) AS edge FROM ({streams}) s) ends
        """
    )


def within(
    schema: SchemaName,
    queue: QueueRef | None,
    wanted: JobFilter,
    begins: JobPosition | None,
    ends: str | None,
    limit: int,
    *,
    only_ids: bool,
) -> Query:
    """The first matching jobs from there on, as far as the edge, which is an instant no longer in it.

    Returns the columns of a job's details, or with ``only_ids`` its queue and id, and in the last column the instant.
    """
    walk = _Walk(schema, queue, wanted)
    later = ">" if wanted.is_latest_first else "<"
    edge = "" if ends is None else f"AND j.{walk.column} {later} {walk.bind(ends, 'timestamptz')}"
    return _listing(walk, f"{walk.after(begins)} {walk.behind(begins)} {edge}{walk.ranges()}", limit, only_ids)


def tied_count(schema: SchemaName, queue: QueueRef | None, wanted: JobFilter, begins: JobPosition, most: int) -> Query:
    """How many rows of the position's very instant come behind it, matching or not, counted up to so many."""
    walk = _Walk(schema, queue, wanted)
    at, rows, queues = walk.bind(begins.at, "timestamptz"), walk.bind(most, "int"), walk.queues
    behind = walk.behind(begins)
    streams = "\n UNION ALL ".join(
        f"""(SELECT 1 FROM {queues} CROSS JOIN LATERAL (
                    SELECT 1 FROM {walk.table} j
                     WHERE j.name = q.name AND {stream} AND j.{walk.column} = {at} {behind} LIMIT {rows}) j)"""
        for stream in walk.streams()
    )
    return walk.query(f"SELECT count(*)::int FROM (SELECT 1 FROM ({streams}) s LIMIT {rows}) counted")


def tied(
    schema: SchemaName,
    queue: QueueRef | None,
    wanted: JobFilter,
    begins: JobPosition,
    limit: int,
    *,
    only_ids: bool,
) -> Query:
    """The first matching jobs of the position's very instant behind it; columns as of :func:`within`."""
    walk = _Walk(schema, queue, wanted)
    at = walk.bind(begins.at, "timestamptz")
    # As a range, though it is one instant: told that all are equal, the planner would take the order from the primary
    # key, and read the whole queue.
    instant = f"AND j.{walk.column} >= {at} AND j.{walk.column} <= {at}"
    return _listing(walk, f"{instant} {walk.behind(begins)}", limit, only_ids)


def tied_queue(schema: SchemaName, wanted: JobFilter, begins: JobPosition) -> Query:
    """The first queue that has rows of the position's very instant, and of which not all have been looked at."""
    walk = _Walk(schema, None, wanted)
    at, queues = walk.bind(begins.at, "timestamptz"), walk.queues
    behind = "true"
    if begins.behind is not None:
        name, id = begins.behind
        behind = f"q.name {'>' if id == LAST_ID else '>='} {walk.bind(name, 'text')}"
    found = " OR ".join(
        f"""EXISTS (SELECT FROM {walk.table} j
                     WHERE j.name = q.name AND {stream} AND j.{walk.column} = {at} OFFSET 0)"""
        for stream in walk.streams()
    )
    return walk.query(f"SELECT q.name FROM {queues} WHERE {behind} AND ({found}) ORDER BY q.name LIMIT 1")


def key_edge(queue: QueueRef, after: UUID | None, window: int) -> Query:
    """The last id of a queue's window by primary key behind an id; no row when fewer rows are left."""
    walk = _Walk(queue.schema, queue, JobFilter())
    return walk.query(
        f"""
        SELECT j.id
          FROM {walk.table} j
         WHERE {_keys(walk, queue, after, None)}
         ORDER BY j.id
        OFFSET {walk.bind(window, "int")} - 1
         LIMIT 1
        """
    )


def tied_by_key(
    queue: QueueRef,
    wanted: JobFilter,
    at: str,
    after: UUID | None,
    last: UUID | None,
    limit: int,
    *,
    only_ids: bool,
) -> Query:
    """The first matching jobs of an instant in the window of a queue by primary key; columns as of :func:`within`."""
    walk = _Walk(queue.schema, queue, wanted)
    # Said in a way that the index by time does not answer: all of its rows of this instant would be read.
    instant = f"(j.{walk.column} = {walk.bind(at, 'timestamptz')}) IS TRUE"
    any_stream = " OR ".join(f"({stream})" for stream in walk.streams())
    return walk.query(
        f"""
        SELECT {_columns(queue.schema, only_ids)}, j.{walk.column}::text
          FROM {walk.table} j
         WHERE {_keys(walk, queue, after, last)} AND {instant} AND (({any_stream}) IS TRUE) {walk.filters()}
         ORDER BY j.id
         LIMIT {walk.bind(limit, "int")}
        """
    )


def _keys(walk: _Walk, queue: QueueRef, after: UUID | None, last: UUID | None) -> str:
    behind = "" if after is None else f" AND j.id > {walk.bind(after, 'uuid')}"
    until = "" if last is None else f" AND j.id <= {walk.bind(last, 'uuid')}"
    return f"j.name = {walk.bind(queue.name, 'text')}{behind}{until}"


def _listing(walk: _Walk, stretch: str, limit: int, only_ids: bool) -> Query:
    filters, rows, queues = walk.filters(), walk.bind(limit, "int"), walk.queues
    streams = "\n UNION ALL ".join(
        f"""
                SELECT j.* FROM {queues} CROSS JOIN LATERAL (
                    SELECT j.*, j.{walk.column} AS walked_at
                      FROM {walk.table} j
                     WHERE j.name = q.name AND {stream} {stretch} {filters}
                     ORDER BY j.{walk.column} {walk.direction}, j.id
                     LIMIT {rows}) j"""
        for stream in walk.streams()
    )
    order = f"ORDER BY j.walked_at {walk.direction}, j.name, j.id"
    # The columns are made of the few rows that are left, because data and outputs may be large.
    return walk.query(
        f"""
        SELECT {_columns(walk.schema, only_ids)}, j.walked_at::text
          FROM (SELECT * FROM ({streams}) j {order} LIMIT {rows}) j
         {order}
        """
    )


def _columns(schema: SchemaName, only_ids: bool) -> str:
    return "j.name, j.id" if only_ids else detail_columns(schema, "j")
