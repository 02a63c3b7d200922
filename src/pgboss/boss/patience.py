"""Starting although the database is not there yet: docs/compatibility.md, "Start-up and versions"."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress

from pgboss.core.events import WarningEvent
from pgboss.errors import ConfigurationError, PgBossError, ValidationError
from pgboss.runtime.backoff import Backoff
from pgboss.runtime.events import Events

__all__ = ["start_patiently"]

FIRST_PAUSE_SECONDS = 1.0
LAST_PAUSE_SECONDS = 30.0

logger = logging.getLogger("pgboss")


async def start_patiently(
    start: Callable[[int], Awaitable[None]], attempts: int, events: Events, stop_asked: asyncio.Event
) -> None:
    """Start, told which attempt it is, up to so many times; listeners are warned of the first failure.

    Raises:
        PgBossError: the last attempt failed, or a stop was asked for meanwhile. What is wrong with the settings will
            not get better, and is raised at once.
    """
    pauses = Backoff(FIRST_PAUSE_SECONDS, LAST_PAUSE_SECONDS)
    for attempt in range(1, attempts + 1):
        try:
            await start(attempt)
        except (ConfigurationError, ValidationError):
            raise
        except PgBossError as error:
            if attempt == attempts:
                raise
            _warn(events, attempt, attempts, error)
            with suppress(TimeoutError):
                async with asyncio.timeout(pauses.pause()):
                    await stop_asked.wait()
            if stop_asked.is_set():
                raise
        else:
            return


def _warn(events: Events, attempt: int, attempts: int, error: PgBossError) -> None:
    if attempt > 1:
        logger.info("attempt %d of %d to start failed, too: %s", attempt, attempts, error)
        return
    message = f"The start failed, and is tried {attempts} times in all: {error}"
    events.warn(
        WarningEvent("start_retry", message, {"type": "start_retry", "attempts": attempts, "error": str(error)})
    )
