"""Telling of statements of the upkeep that take too long.

What is timed is the statement, from its way to the server until its rows are here: waiting for a lock counts, waiting
for a connection does not. The warning holds the statement's text, in which no value is written out, and its values only
where they can be no payload: numbers, times, ids and what has the form of a queue's name.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from time import monotonic
from typing import Any, TypeVar
from uuid import UUID

from pgboss.core.events import WarningEvent
from pgboss.core.names import check_queue_name
from pgboss.core.query import Atomic, Operation, Query, Rows, Statement, Step, Steps, relayed
from pgboss.drivers.runner import Run
from pgboss.errors import ValidationError

__all__ = ["SlowQueries"]

T = TypeVar("T")

SHOWN_ITEMS = 10
LONGEST_NAME = 100


class SlowQueries:
    """Runs operations, and warns of their slow statements."""

    def __init__(self, run: Run, warn: Callable[[WarningEvent], None], *, threshold_seconds: float) -> None:
        self._run = run
        self._warn = warn
        self._threshold_seconds = threshold_seconds

    async def __call__(self, operation: Operation[T]) -> T:
        """Run an operation to its end and return its value."""
        return await self._run(self._timed(operation))

    def _timed(self, operation: Operation[T]) -> Operation[T]:
        if isinstance(operation, Atomic):
            return Atomic(relayed(operation.steps, self._watch))
        return relayed(operation, self._watch)

    def _watch(self, step: Step) -> Steps[Rows]:
        began = monotonic()
        # Whoever sees an error of it sees how long it took.
        rows = yield Atomic(relayed(step.steps, self._watch)) if isinstance(step, Atomic) else step
        self._note(step, monotonic() - began)
        return rows

    def _note(self, step: Step, elapsed: float) -> None:
        if not isinstance(step, Atomic) and elapsed > self._threshold_seconds:
            self._warn(slow_query(step, elapsed))


def slow_query(statement: Statement, elapsed: float) -> WarningEvent:
    """The warning of a statement that took so many seconds."""
    text = " ".join(statement.sql.split())
    values = [shown(value) for value in statement.parameters] if isinstance(statement, Query) else []
    message = (
        f"A statement of the upkeep took {elapsed:.1f} s: the queues, or the server, should be looked at: {text[:80]}…"
    )
    return WarningEvent("slow_query", message, {"elapsed": round(elapsed, 3), "sql": text, "values": values})


def shown(value: Any) -> Any:
    """A value as far as it may be seen."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, UUID | datetime):
        return str(value)
    if isinstance(value, str):
        return value if _is_name(value) else f"({len(value)} characters)"
    items = list(value)
    more = [f"({len(items) - SHOWN_ITEMS} more)"] if len(items) > SHOWN_ITEMS else []
    return [shown(item) for item in items[:SHOWN_ITEMS]] + more


def _is_name(text: str) -> bool:
    try:
        check_queue_name(text)
    except ValidationError:
        return False
    return len(text) <= LONGEST_NAME
