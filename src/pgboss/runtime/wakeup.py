"""Waiting for a reason to look again, with a limit."""

from __future__ import annotations

import asyncio

from pgboss.runtime.clock import timeout

__all__ = ["Wakeup"]


class Wakeup:
    """An event that is used up by the wait that sees it; waking twice before a wait counts once."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def set(self) -> None:
        self._event.set()

    async def wait(self, seconds: float | None) -> bool:
        """Wait to be woken, at most so many seconds (``None``: as long as it takes); whether we were."""
        try:
            if seconds is None:
                await self._event.wait()
            else:
                async with timeout(seconds):
                    await self._event.wait()
        except TimeoutError:
            return False
        finally:
            self._event.clear()
        return True
