"""The pump: starts one waiting call after the other, in a task that becomes the task of the first one that waits.

A task for each call costs more than most short handlers do. So a worker has one task that takes a call and drives its
coroutine by hand, up to the first time that it waits for something. Short handlers seldom do, and end before; then the
task takes the next call. A call that waits keeps the task, which goes on with it as if it had been made for it, and a
new task becomes the pump. So a call never changes its task: what looks for the current one (timeouts, task groups)
finds the same one from its first step to its last.

A task serves another call only while it is as good as new: its context variables are what they were, nobody has asked
it to be cancelled, and nobody has kept it, to cancel it later. Otherwise it ends, and a new one takes over.

Other tasks get their turn after a millisecond, however many jobs wait.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Generator
from contextvars import Context, copy_context
from sys import getrefcount
from time import monotonic
from typing import Any, TypeVar

__all__ = ["Pump", "Rest"]

T = TypeVar("T")

TURN_SECONDS = 0.001


class Rest(Awaitable[T]):
    """What is left of an awaitable whose first step was taken by hand, and waits for what that step has yielded."""

    __slots__ = ("_steps", "_waits_for")

    def __init__(self, steps: Generator[Any, None, T] | Coroutine[Any, None, T], waits_for: Any) -> None:
        self._steps = steps
        self._waits_for = waits_for

    def __await__(self) -> Generator[Any, None, T]:
        steps, waits_for = self._steps, self._waits_for
        try:
            while True:
                try:
                    sent = yield waits_for
                except GeneratorExit:
                    steps.close()
                    raise
                except BaseException as error:  # noqa: BLE001  whatever is thrown at a task is for its coroutine
                    waits_for = steps.throw(error)
                else:
                    waits_for = steps.send(sent)
        except StopIteration as end:
            value: T = end.value
            return value


class _Slate:
    """A task between two calls, and whether the last one has left anything behind."""

    __slots__ = ("_context", "_references", "task")

    def __init__(self, task: asyncio.Task[Any]) -> None:
        self.task = task
        self._context = copy_context()
        self._references = 0

    def remember(self) -> None:
        """To be called at the beginning of each of the task's turns: what holds a task differs from turn to turn."""
        self._references = getrefcount(self.task)

    @property
    def is_clean(self) -> bool:
        if self.task.cancelling() or getrefcount(self.task) > self._references:
            return False
        try:
            # Where no variable was set, the two share one mapping, and nothing is compared.
            return copy_context() == self._context
        except Exception:  # noqa: BLE001  values are the user's, and may refuse to be compared
            return False


class Pump:
    """Runs the calls of one worker."""

    def __init__(
        self,
        take: Callable[[], Coroutine[Any, Any, None] | None],
        on_waiting: Callable[[asyncio.Task[Any]], None],
        on_ended: Callable[[], None],
    ) -> None:
        """Made in the context in which calls are to run.

        Args:
            take: begins the next call, if one may begin now; ``None`` if not.
            on_waiting: told the task of the call that was taken last, which goes on with it.
            on_ended: told that this call is over, and had no task.
        """
        self._take = take
        self._on_waiting = on_waiting
        self._on_ended = on_ended
        self._context: Context = copy_context()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Run the calls that may begin, soon."""
        if self._task is None:
            loop = asyncio.get_running_loop()
            self._task = loop.create_task(self._run(), context=self._context.copy())

    async def _run(self) -> None:
        task = self._task
        assert task is not None
        slate = _Slate(task)
        try:
            while True:
                slate.remember()
                turn_ends = monotonic() + TURN_SECONDS
                while monotonic() < turn_ends:
                    call = self._take()
                    if call is None:
                        return
                    try:
                        waits_for = call.send(None)
                    except StopIteration:
                        self._on_ended()
                    else:
                        self._on_waiting(task)
                        self._hand_over(task)
                        await Rest(call, waits_for)
                        return
                    if not slate.is_clean:
                        self._hand_over(task)
                        return
                await asyncio.sleep(0)
        finally:
            if self._task is task:
                self._task = None

    def _hand_over(self, task: asyncio.Task[Any]) -> None:
        self._task = None
        self.start()
