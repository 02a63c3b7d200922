"""Operations that begin the moment something is announced, before anybody is told of it."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import Any, Generic, TypeVar, cast

from psycopg import AsyncConnection

from pgboss.core.query import Query, Rows, Steps, relayed
from pgboss.drivers.psycopg.errors import translated
from pgboss.drivers.psycopg.kept import KeptStatements
from pgboss.errors import DatabaseError

__all__ = ["Ahead"]

T = TypeVar("T")


class Ahead(Generic[T]):
    """An operation whose first statement is kept prepared, and most often the only one.

    Attributes:
        payload: what is announced when it is to begin.
        sent_at: when it began, by the monotonic clock; ``None`` while it has not.
        over_at: when it was answered, or it became clear that it will not be; ``None`` before.
        value: what the operation has returned, when it is over and nothing is left.
        rest: what is left to run instead, where that takes more than one statement, or the first one has failed.
    """

    def __init__(
        self,
        payload: str,
        operation: Steps[T],
        may_begin: Callable[[], bool],
        on_over: Callable[[Ahead[T]], object],
        *,
        connection: AsyncConnection[Any],
        kept: KeptStatements,
    ) -> None:
        """``may_begin`` is asked whether it is still what is wanted; ``on_over`` is called by the event loop."""
        self.payload = payload
        self.sent_at: float | None = None
        self.over_at: float | None = None
        self.value: T
        self.rest: Steps[T] | None = None
        self._operation = operation
        self._step = cast("Query", next(operation))
        self._statement = kept.ready(connection, self._step)
        self._may_begin = may_begin
        self._on_over = on_over

    @property
    def is_under_way(self) -> bool:
        """Whether it has begun and is not over."""
        return self.sent_at is not None and self.over_at is None

    def begin(self, now: float) -> bool:
        """Send the statement, if it is still wanted and prepared; whether it was sent.

        Raises:
            psycopg.Error: the connection is lost.
        """
        if not (self._may_begin() and self._statement.send()):
            return False
        self.sent_at = now
        return True

    def receive(self) -> bool:
        """Take what has arrived of the answer; whether that is all.

        Raises:
            psycopg.Error: the connection is lost.
        """
        return self._statement.receive()

    def answer(self) -> None:
        """Go on with the answer."""
        try:
            with translated():
                rows = self._statement.rows()
            if rows is None:
                self._run_again()
            else:
                self._go_on(rows)
        except Exception as error:  # noqa: BLE001  for whoever runs the rest
            if isinstance(error, DatabaseError) and error.sqlstate is not None:
                self._run_again()
            else:
                # It was carried out. Not to be able to read the answer is no reason to do it twice.
                self.rest = _failed(error)
        self._end()

    def give_up(self) -> None:
        """There will be no answer. Whether the statement was carried out is not known."""
        self._run_again()
        self._end()

    def _go_on(self, rows: Rows) -> None:
        try:
            step = self._operation.send(rows)
        except StopIteration as stop:
            self.value = stop.value
        else:
            self.rest = relayed(self._operation, step=step)

    def _run_again(self) -> None:
        """What the server has refused has done nothing, and what is left to run is all of it."""
        self.rest = relayed(self._operation, step=self._step)

    def _end(self) -> None:
        self.over_at = monotonic()
        self._on_over(self)


def _failed(error: Exception) -> Steps[Any]:
    yield from ()
    raise error
