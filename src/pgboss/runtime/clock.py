"""The time that loops wait by: this machine's, or a clock that a test moves by hand.

Loops, pauses and the deadlines of handlers wait by :func:`timeout`. It is ambient which clock they wait by: an instance
with a clock of its own starts its tasks within :func:`running_on`, and tasks inherit it. So no loop needs to know. What
waits for a server, a socket or the end of a stop goes on by this machine's clock, and says ``asyncio.timeout``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, AbstractContextManager, contextmanager
from contextvars import ContextVar
from datetime import datetime
from typing import Any, Protocol

__all__ = ["Clock", "Deadline", "LoopClock", "TimerHandle", "call_later", "is_moved_by_hand", "running_on", "timeout"]


class Deadline(Protocol):
    """What ``async with timeout(…) as deadline`` gives."""

    def expired(self) -> bool:
        """Whether the time was over before the block was."""


class TimerHandle(Protocol):
    """What :func:`call_later` gives."""

    def cancel(self) -> None:
        """Do not call."""


class LoopClock(Protocol):
    """A clock by which loops wait."""

    def call_later(self, seconds: float, function: Callable[..., object], *args: Any) -> TimerHandle:
        """As an event loop's ``call_later``, by this clock."""

    def timeout(self, seconds: float) -> AbstractAsyncContextManager[Deadline]:
        """As ``asyncio.timeout``, by this clock."""


class Clock(LoopClock, Protocol):
    """A clock that a test moves, and instances follow. :class:`pgboss.testing.TestClock` is one."""

    @property
    def now(self) -> datetime: ...

    def join(self, instance: object, where: str, move: Callable[[datetime], Any]) -> bool:
        """Take an instance on; whether it is the first there, on a schema whose ``job_now()`` must be replaced.

        ``move`` lets its sessions read another time; a coroutine function, unless the instance is a sync one.
        """

    def leave(self, instance: object) -> bool:
        """Let an instance go; whether it was the last on its schema, where the real time must be restored."""

    def working(self) -> AbstractContextManager[None]:
        """Around every operation that the instance runs: the time does not move on meanwhile."""


_clock: ContextVar[LoopClock | None] = ContextVar("pgboss_clock", default=None)


def is_moved_by_hand() -> bool:
    """Whether the instance whose task this is waits by a clock that a test moves."""
    return _clock.get() is not None


def timeout(seconds: float | None) -> AbstractAsyncContextManager[Deadline]:
    """As ``asyncio.timeout``, by the clock of the instance whose task this is."""
    clock = _clock.get()
    if clock is None or seconds is None:
        return asyncio.timeout(seconds)
    return clock.timeout(seconds)


def call_later(seconds: float, function: Callable[..., object], *args: Any) -> TimerHandle:
    """As an event loop's ``call_later``, by the clock of the instance whose task this is."""
    clock = _clock.get()
    if clock is None:
        return asyncio.get_running_loop().call_later(seconds, function, *args)
    return clock.call_later(seconds, function, *args)


@contextmanager
def running_on(clock: LoopClock | None) -> Iterator[None]:
    """Let the tasks that are started in this block wait by a clock; ``None`` changes nothing."""
    if clock is None:
        yield
        return
    token = _clock.set(clock)
    try:
        yield
    finally:
        _clock.reset(token)
