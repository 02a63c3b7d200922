"""Daemon threads for plain functions.

asyncio's own pool has few threads on a small machine and is joined when the program ends, so one handler that hangs
would keep the process alive for ever. These are as many as their owner asks for, and nobody waits for them.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from contextvars import copy_context
from functools import partial
from queue import SimpleQueue
from typing import Any, TypeVar

__all__ = ["DaemonThreads"]

T = TypeVar("T")

_Work = tuple[Callable[[], Any], Callable[[Any, BaseException | None], None]]


class DaemonThreads:
    """Runs calls in daemon threads, which are started as they are needed, up to ``size``."""

    def __init__(self, name: str, size: int, on_idle: Callable[[], None]) -> None:
        """``on_idle`` is called on the event loop when a call returns that nobody awaits any more."""
        self._name = name
        self._size = size
        self._on_idle = on_idle
        self._work: SimpleQueue[_Work | None] = SimpleQueue()
        self._threads = 0
        self._unfinished = 0

    async def run(self, function: Callable[[], T], on_return: Callable[[], None] | None = None) -> T:
        """Call the function in a thread; returns its value, or raises whatever it raised, ``SystemExit`` included.

        Cancelling the wait does not stop the thread: it stays busy until the call returns, which ``on_return`` hears
        of on the event loop, also when nobody awaits it any more.
        """
        loop = asyncio.get_running_loop()
        # The error travels as a value: a future would hand SystemExit on to the event loop.
        done: asyncio.Future[tuple[Any, BaseException | None]] = loop.create_future()

        def finish(value: Any, error: BaseException | None) -> None:
            self._unfinished -= 1
            if on_return is not None:
                on_return()
            if not done.done():
                done.set_result((value, error))
            else:
                self._on_idle()

        def deliver(value: Any, error: BaseException | None) -> None:
            # A closed loop means that the process is ending and nobody waits for this any more.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(finish, value, error)

        self._unfinished += 1
        if self._unfinished > self._threads and self._threads < self._size:
            self._start_thread()
        self._work.put((partial(copy_context().run, function), deliver))
        value, error = await done
        if error is not None:
            raise error
        result: T = value
        return result

    @property
    def busy(self) -> int:
        """Calls that have not returned, those nobody waits for any more included."""
        return self._unfinished

    def close(self) -> None:
        """Let idle threads end; busy ones end after their call, and nobody waits for them."""
        for _ in range(self._threads):
            self._work.put(None)

    def _start_thread(self) -> None:
        self._threads += 1
        threading.Thread(target=self._serve, name=f"{self._name}-{self._threads}", daemon=True).start()

    def _serve(self) -> None:
        while (work := self._work.get()) is not None:
            function, deliver = work
            try:
                value = function()
            except BaseException as error:  # noqa: BLE001  SystemExit of a handler fails its job, it ends no thread
                deliver(None, error)
            else:
                deliver(value, None)
