"""Telling listeners what happens, in order, without ever letting one of them hold up or break what tells it."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeAlias, get_args

from pgboss.core.events import EVENTS, ErrorEvent, EventName, WarningEvent
from pgboss.errors import ValidationError

__all__ = ["Callback", "Events"]

Callback: TypeAlias = Callable[[Any], object]

# Beyond that, somebody listens far too slowly: the newest are dropped rather than the memory filled.
MOST_WAITING = 1000
CLOSE_SECONDS = 1.0

logger = logging.getLogger("pgboss.events")

assert set(get_args(EventName)) == set(EVENTS)


class Events:
    """The listeners of an instance. Events are delivered one after the other, from a task of their own."""

    def __init__(self) -> None:
        self._callbacks: dict[str, list[Callback]] = {name: [] for name in EVENTS}
        self._waiting: asyncio.Queue[tuple[str, Any] | None] | None = None
        self._delivering: asyncio.Task[None] | None = None
        self._is_dropping = False
        self._keep_warning: Callable[[WarningEvent], None] = lambda warning: None

    def on(self, event: EventName, callback: Callback) -> None:
        """Call back at every event of this name.

        Raises:
            ValidationError: there is no such event, or the callback cannot be called.
        """
        if not callable(callback):
            raise ValidationError(f"The callback for {event!r} must be a function, not {callback!r}.")
        self._of(event).append(callback)

    def off(self, event: EventName, callback: Callback) -> None:
        """Call back no more; one that was never added is passed over."""
        with suppress(ValueError):
            self._of(event).remove(callback)

    def has_listeners(self, event: EventName) -> bool:
        """Whether anybody would hear of it."""
        return bool(self._callbacks[event])

    def emit(self, event: EventName, payload: Any = None) -> None:
        """Tell the listeners soon, if there are any; to be called on the event loop."""
        if self._waiting is None or not self._callbacks[event]:
            return
        if self._waiting.qsize() >= MOST_WAITING:
            if not self._is_dropping:
                logger.warning("listeners are too slow: %d events wait, and further ones are dropped", MOST_WAITING)
            self._is_dropping = True
            return
        self._is_dropping = False
        self._waiting.put_nowait((event, payload))

    def warn(self, warning: WarningEvent) -> None:
        """Log a warning, tell the listeners, and have it stored by an instance that stores them."""
        logger.warning("%s", warning.message, extra={"warning": warning.type, "warning_data": dict(warning.data)})
        self.emit("warning", warning)
        self._keep_warning(warning)

    def keep_warnings(self, keep: Callable[[WarningEvent], None]) -> None:
        """Have every warning from now on stored."""
        self._keep_warning = keep

    def error(self, event: ErrorEvent) -> None:
        """Tell the listeners of an error; whoever met with it logs it."""
        self.emit("error", event)

    def open(self) -> None:
        """Begin to deliver."""
        if self._delivering is None:
            self._waiting = asyncio.Queue()
            self._delivering = asyncio.create_task(self._deliver(self._waiting), name="pgboss events")

    async def close(self) -> None:
        """Deliver what waits, within a second, and end."""
        waiting, self._waiting = self._waiting, None
        delivering, self._delivering = self._delivering, None
        if waiting is None or delivering is None:
            return
        waiting.put_nowait(None)
        # A listener may stop the instance: then the delivery waits for this, and must not be waited for.
        if delivering is not asyncio.current_task():
            _, late = await asyncio.wait([delivering], timeout=CLOSE_SECONDS)
            for task in late:
                task.cancel()

    def _of(self, event: str) -> list[Callback]:
        if event not in self._callbacks:
            raise ValidationError(f"There is no event {event!r}; there are {', '.join(EVENTS)}.")
        return self._callbacks[event]

    async def _deliver(self, waiting: asyncio.Queue[tuple[str, Any] | None]) -> None:
        while (told := await waiting.get()) is not None:
            event, payload = told
            for callback in list(self._callbacks[event]):
                await self._call(event, callback, payload)

    async def _call(self, event: str, callback: Callback, payload: Any) -> None:
        try:
            answer = callback(payload)
            if inspect.isawaitable(answer):
                await answer
        except Exception:
            logger.exception("a listener for the event %s failed", event)
