"""How long a worker waits for the database to answer one of its statements.

What a worker asks is answered in milliseconds. When an answer does not come, something is wrong: the server is busy
beyond all measure, a table is locked, or the connection leads nowhere any more. The first wait is short, so that a
connection like that costs seconds. Each further one is twice as long: what the server could not do in 5 s, it may do
in 10.
"""

from __future__ import annotations

from typing import TypeVar

from pgboss.core.query import Operation
from pgboss.drivers.errors import NoAnswerError
from pgboss.drivers.runner import RunWithin

__all__ = ["PatientRun"]

T = TypeVar("T")

FIRST_SECONDS = 5.0
LAST_SECONDS = 80.0


class PatientRun:
    """Runs the operations of one kind, with the patience that they have needed lately."""

    def __init__(self, run: RunWithin) -> None:
        self._run = run
        self._seconds = FIRST_SECONDS

    async def __call__(self, operation: Operation[T]) -> T:
        """Run an operation to its end and return its value.

        Raises:
            NoAnswerError: the database did not answer in time; next time it gets more.
        """
        try:
            value = await self._run(operation, within_seconds=self._seconds)
        except NoAnswerError:
            self._seconds = min(self._seconds * 2, LAST_SECONDS)
            raise
        self._seconds = FIRST_SECONDS
        return value
