"""What listeners are told while it changes: one poller for all of them, only while there are any.

The poller is started by the first listener and ended with the last. It holds no connection between its looks.
Everything here happens on one event loop, so between two awaits nothing else does: a listener that finds nothing new
and clears its event cannot miss a snapshot in between.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from pgboss.errors import PgBossError
from pgboss.insights import QueueCounts

__all__ = ["CountsFeed", "CountsSnapshot"]

POLL_SECONDS = 2.0
QUIET_SECONDS = 15.0
"""After so long without news a listener is given ``None``, so that proxies keep the connection."""


@dataclass(frozen=True, slots=True)
class CountsSnapshot:
    """The counts of all queues; the version grows with every change, as long as this process lives."""

    version: int
    queues: Sequence[QueueCounts]


class CountsFeed:
    """Tells any number of listeners of the counts of one site."""

    def __init__(
        self,
        read: Callable[[], Awaitable[Sequence[QueueCounts]]],
        *,
        poll_seconds: float = POLL_SECONDS,
        quiet_seconds: float = QUIET_SECONDS,
    ) -> None:
        self._read = read
        self._poll_seconds = poll_seconds
        self._quiet_seconds = quiet_seconds
        self._listeners: set[asyncio.Event] = set()
        self._poller: asyncio.Task[None] | None = None
        self._latest: CountsSnapshot | None = None
        self._version = 0
        self._closed = False

    @property
    def is_polling(self) -> bool:
        return self._poller is not None

    def close(self) -> None:
        """End all listeners, and let nobody listen any more: servers wait for open answers when they stop."""
        self._closed = True
        self._wake()

    async def listen(self) -> AsyncGenerator[CountsSnapshot | None, None]:
        """The counts now, and whenever they have changed; ``None`` when nothing did for a while. Close it when done."""
        news = asyncio.Event()
        self._listeners.add(news)
        if self._poller is None:
            self._poller = asyncio.create_task(self._poll(), name="pgboss counts")
        seen = None
        try:
            while not self._closed:
                if self._latest is not seen and self._latest is not None:
                    seen = self._latest
                    yield seen
                elif not await self._comes(news):
                    yield None
        finally:
            self._listeners.discard(news)
            if not self._listeners:
                self._stop_polling()

    async def _comes(self, news: asyncio.Event) -> bool:
        news.clear()
        try:
            await asyncio.wait_for(news.wait(), self._quiet_seconds)
        except TimeoutError:
            return False
        return True

    def _stop_polling(self) -> None:
        if self._poller is not None:
            self._poller.cancel()
        self._poller = self._latest = None

    async def _poll(self) -> None:
        while True:
            # While the database is away, the next look tells.
            with suppress(PgBossError):
                self._tell(await self._read())
            await asyncio.sleep(self._poll_seconds)

    def _tell(self, queues: Sequence[QueueCounts]) -> None:
        if self._latest is None or self._latest.queues != queues:
            self._version += 1
            self._latest = CountsSnapshot(self._version, queues)
            self._wake()

    def _wake(self) -> None:
        for news in self._listeners:
            news.set()
