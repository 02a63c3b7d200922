"""What listeners are told while it changes: one poller for all of them, only while there are any.

The poller is started by the first listener and ended with the last. It holds no connection between its looks.
Everything here happens on one event loop, so between two awaits nothing else does: a listener that finds nothing new
and clears its event cannot miss a snapshot in between.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Hashable
from contextlib import aclosing, suppress
from dataclasses import dataclass
from typing import Generic, TypeVar

from pgboss.errors import PgBossError

__all__ = ["Feed", "Feeds", "Snapshot"]

T = TypeVar("T")
K = TypeVar("K", bound=Hashable)

POLL_SECONDS = 2.0
QUIET_SECONDS = 15.0
"""After so long without news a listener is given ``None``, so that proxies keep the connection."""


@dataclass(frozen=True, slots=True)
class Snapshot(Generic[T]):
    """What was read; the version grows with every change, as long as the feed lives."""

    version: int
    value: T


class Feed(Generic[T]):
    """Tells any number of listeners of one thing."""

    def __init__(
        self,
        read: Callable[[], Awaitable[T]],
        *,
        poll_seconds: float = POLL_SECONDS,
        quiet_seconds: float = QUIET_SECONDS,
    ) -> None:
        self._read = read
        self._poll_seconds = poll_seconds
        self._quiet_seconds = quiet_seconds
        self._listeners: set[asyncio.Event] = set()
        self._poller: asyncio.Task[None] | None = None
        self._latest: Snapshot[T] | None = None
        self._version = 0
        self._closed = False

    @property
    def is_polling(self) -> bool:
        return self._poller is not None

    def close(self) -> None:
        """End all listeners, and let nobody listen any more: servers wait for open answers when they stop."""
        self._closed = True
        self._wake()

    async def listen(self) -> AsyncGenerator[Snapshot[T] | None, None]:
        """What it is now, and whenever it has changed; ``None`` when it did not for a while. Close it when done."""
        news = asyncio.Event()
        self._listeners.add(news)
        if self._poller is None:
            self._poller = asyncio.create_task(self._poll(), name="pgboss feed")
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

    def _tell(self, value: T) -> None:
        if self._latest is None or self._latest.value != value:
            self._version += 1
            self._latest = Snapshot(self._version, value)
            self._wake()

    def _wake(self) -> None:
        for news in self._listeners:
            news.set()


class Feeds(Generic[K, T]):
    """A feed of each thing that somebody listens to, by its key."""

    def __init__(self, read: Callable[[K], Awaitable[T]], *, poll_seconds: float = POLL_SECONDS) -> None:
        self._read = read
        self._poll_seconds = poll_seconds
        self._feeds: dict[K, Feed[T]] = {}
        self._closed = False

    def __len__(self) -> int:
        """How many things somebody listens to."""
        return len(self._feeds)

    def close(self) -> None:
        """End all listeners, and let nobody listen any more."""
        self._closed = True
        for feed in self._feeds.values():
            feed.close()

    async def listen(self, key: K) -> AsyncGenerator[Snapshot[T] | None, None]:
        """As :meth:`Feed.listen`, for one of these things."""
        if self._closed:
            return
        feed = self._feeds.get(key)
        if feed is None:
            feed = self._feeds[key] = Feed(lambda: self._read(key), poll_seconds=self._poll_seconds)
        try:
            async with aclosing(feed.listen()) as news:
                async for snapshot in news:
                    yield snapshot
        finally:
            if not feed.is_polling:
                self._feeds.pop(key, None)
