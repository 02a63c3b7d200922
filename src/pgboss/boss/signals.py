"""SIGTERM and SIGINT, turned into things to wait for."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["STOP_SIGNALS", "stop_signals"]

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)

logger = logging.getLogger("pgboss")


@contextmanager
def stop_signals(on_second: Callable[[], None]) -> Iterator[asyncio.Event]:
    """Give an event that the first signal sets; every further one calls ``on_second``.

    Raises:
        RuntimeError: not in the main thread, where alone Python handles signals.
    """
    loop = asyncio.get_running_loop()
    told = asyncio.Event()

    def on_signal(number: signal.Signals) -> None:
        if told.is_set():
            logger.warning("%s again: stopping at once", number.name)
            on_second()
        else:
            logger.info("%s: stopping", number.name)
        told.set()

    for number in STOP_SIGNALS:
        loop.add_signal_handler(number, on_signal, number)
    try:
        yield told
    finally:
        for number in STOP_SIGNALS:
            loop.remove_signal_handler(number)
