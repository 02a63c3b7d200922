"""Hearing that a process is about to stop, beside whoever makes it stop."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from pgboss.boss.signals import STOP_SIGNALS

__all__ = ["on_stop_signals"]


@contextmanager
def on_stop_signals(heard: Callable[[], None]) -> Iterator[None]:
    """Call back in the running loop at SIGTERM and SIGINT, and pass them on to whoever has handled them so far.

    Only the main thread hears signals; elsewhere this does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()
    before = {number: signal.getsignal(number) for number in STOP_SIGNALS}

    def handle(number: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(heard)
        _pass_on(before[signal.Signals(number)], number, frame)

    for number in STOP_SIGNALS:
        signal.signal(number, handle)
    try:
        yield
    finally:
        for number, handler in before.items():
            # Whoever has put another one in our place keeps it.
            if signal.getsignal(number) is handle:
                signal.signal(number, handler)


def _pass_on(handler: Any, number: int, frame: FrameType | None) -> None:
    if callable(handler):
        handler(number, frame)
    elif handler == signal.SIG_DFL:
        signal.signal(number, signal.SIG_DFL)
        signal.raise_signal(number)
