"""Wait until something has become true: the one place of the suite that pauses.

A check returns what it looks for, or something falsy while it is not there yet; it may also assert. When the time is
over, its last assertion is raised, or one that shows its last answer.
"""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, overload

__all__ = ["eventually", "eventually_sync"]

T = TypeVar("T")

PAUSE_SECONDS = 0.01


@overload
async def eventually(check: Callable[[], Awaitable[T | None]], *, within: float = 5.0) -> T: ...


@overload
async def eventually(check: Callable[[], T | None], *, within: float = 5.0) -> T: ...


async def eventually(check: Callable[[], Any], *, within: float = 5.0) -> Any:
    """Run a check, plain or async, until it is satisfied; returns its answer.

    Raises:
        AssertionError: it was not satisfied within so many seconds.
    """
    deadline = time.monotonic() + within
    while True:
        last = time.monotonic() >= deadline
        try:
            answer = check()
            found = await answer if inspect.isawaitable(answer) else answer
            if found:
                return found
        except AssertionError:
            if last:
                raise
            found = None
        if last:
            raise AssertionError(f"not within {within} s: the last answer was {found!r}")
        await asyncio.sleep(PAUSE_SECONDS)


def eventually_sync(check: Callable[[], T | None], *, within: float = 5.0) -> T:
    """Run a plain check until it is satisfied; returns its answer.

    Raises:
        AssertionError: it was not satisfied within so many seconds.
    """
    deadline = time.monotonic() + within
    while True:
        last = time.monotonic() >= deadline
        try:
            found = check()
            if found:
                return found
        except AssertionError:
            if last:
                raise
            found = None
        if last:
            raise AssertionError(f"not within {within} s: the last answer was {found!r}")
        time.sleep(PAUSE_SECONDS)
