"""Driving operations: each statement goes to the session, its rows (or its error) go back into the generator."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager, AbstractContextManager
from typing import Any, Protocol, TypeVar

from pgboss.core.query import Atomic, Operation, Rows, Statement, Step, Steps
from pgboss.errors import DatabaseError

__all__ = ["AsyncSession", "Run", "RunWithin", "Session", "arun", "run"]

T = TypeVar("T")


class AsyncSession(Protocol):
    """One connection, for the length of one operation."""

    async def execute(self, statement: Statement) -> Rows:
        """Run a statement; a guarded one inside a transaction gets a savepoint.

        Raises:
            DatabaseError: whatever the driver raised, in our words.
        """

    def atomic(self) -> AbstractAsyncContextManager[Any]:
        """A transaction around the block; nothing when the caller already holds one."""


class Session(Protocol):
    """The same without async."""

    def execute(self, statement: Statement) -> Rows: ...

    def atomic(self) -> AbstractContextManager[Any]: ...


class Run(Protocol):
    """Something that runs operations on connections of its own: what loops and duties are given."""

    async def __call__(self, operation: Operation[T]) -> T:
        """Run an operation to its end and return its value."""


class RunWithin(Protocol):
    """The same for those who do not want to wait for ever."""

    async def __call__(self, operation: Operation[T], *, within_seconds: float | None = None) -> T:
        """Run an operation to its end and return its value.

        Raises:
            NoAnswerError: it took longer than ``within_seconds``.
        """


async def arun(session: AsyncSession, operation: Operation[T]) -> T:
    """Run an operation to its end and return its value."""
    if not isinstance(operation, Atomic):
        return await _adrive(session, operation)
    async with session.atomic():
        return await _adrive(session, operation.steps)


async def _adrive(session: AsyncSession, steps: Steps[T]) -> T:
    try:
        step = next(steps)
        while True:
            try:
                rows = await _aanswer(session, step)
            except DatabaseError as error:
                step = steps.throw(error)
            else:
                step = steps.send(rows)
    except StopIteration as stop:
        value: T = stop.value
        return value
    finally:
        steps.close()


async def _aanswer(session: AsyncSession, step: Step) -> Rows:
    return await (arun(session, step) if isinstance(step, Atomic) else session.execute(step))


def run(session: Session, operation: Operation[T]) -> T:
    """Run an operation to its end and return its value."""
    if not isinstance(operation, Atomic):
        return _drive(session, operation)
    with session.atomic():
        return _drive(session, operation.steps)


def _drive(session: Session, steps: Steps[T]) -> T:
    try:
        step = next(steps)
        while True:
            try:
                rows = _answer(session, step)
            except DatabaseError as error:
                step = steps.throw(error)
            else:
                step = steps.send(rows)
    except StopIteration as stop:
        value: T = stop.value
        return value
    finally:
        steps.close()


def _answer(session: Session, step: Step) -> Rows:
    return run(session, step) if isinstance(step, Atomic) else session.execute(step)
