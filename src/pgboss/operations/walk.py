"""Reading a queue in the order of an index, whatever the planner believes of its table."""

from __future__ import annotations

from pgboss.core.query import Query, Rows, Steps, atomic
from pgboss.sql import walk as sql

__all__ = ["walking"]


@atomic
def walking(statement: Query) -> Steps[Rows]:
    """Run one statement of a walk, in a transaction that sorts only what no index has in order."""
    enable_sort, jit, *_ = (yield sql.walk_by_key()).values[0]
    rows = yield statement
    yield sql.walk_ends(enable_sort, jit)
    return rows
