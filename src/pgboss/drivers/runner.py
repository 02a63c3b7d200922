"""Driving operations: each statement goes to the session, its rows (or its error) go back into the generator.

Two statements that take the same jobs in different orders (completing some, deleting all) may end in a deadlock. One of
them has done nothing then, and runs again at once: the other one goes on, so that it waits for that at most.
"""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager, AbstractContextManager
from typing import Any, Protocol, TypeVar

from pgboss.core.query import Atomic, Operation, Query, Rows, Statement, Step, Steps
from pgboss.core.sqlstate import DEADLOCK_DETECTED, IN_FAILED_TRANSACTION
from pgboss.errors import DatabaseError

__all__ = ["AsyncSession", "Run", "RunWithin", "Session", "arun", "run"]

T = TypeVar("T")

TRIES = 4


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
    if isinstance(step, Atomic):
        return await arun(session, step)
    failed = _Failed(step)
    while True:
        try:
            return await session.execute(step)
        except DatabaseError as error:
            failed.raise_unless_again(error)


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
    if isinstance(step, Atomic):
        return run(session, step)
    failed = _Failed(step)
    while True:
        try:
            return session.execute(step)
        except DatabaseError as error:
            failed.raise_unless_again(error)


class _Failed:
    """What became of a statement so far."""

    __slots__ = ("_deadlock", "_step", "_tries")

    def __init__(self, step: Statement) -> None:
        self._step = step
        self._tries = 0
        self._deadlock: DatabaseError | None = None

    def raise_unless_again(self, error: DatabaseError) -> None:
        """Raise why the statement has failed, unless it is to be run once more."""
        if self._deadlock is not None and error.sqlstate == IN_FAILED_TRANSACTION:
            # The transaction around it, ours or the caller's, has ended with the deadlock.
            raise self._deadlock from None
        self._tries += 1
        if error.sqlstate != DEADLOCK_DETECTED or self._tries == TRIES or not isinstance(self._step, Query):
            raise error
        self._deadlock = error
