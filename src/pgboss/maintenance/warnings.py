"""Storing what the instance warns of in the table ``warning``, beside telling its listeners.

Whoever warns does not wait for it: warnings queue up here and are written one after the other. While the database is
away they are lost, and the loss is told as an error. docs/compatibility.md, "Warnings".
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress

from pgboss.core.events import ErrorEvent, WarningEvent
from pgboss.core.names import SchemaName
from pgboss.drivers.runner import Run
from pgboss.maintenance.overruns import HANDLER_OVERRUN, Overruns
from pgboss.operations import warnings as operations

__all__ = ["NEVER_STORED", "Warnings", "is_stored"]

NEVER_STORED = frozenset({"start_retry", "transactional_pool_headroom", "transaction_timeout_probe"})

HOUR_SECONDS = 60 * 60.0
MOST_WAITING = 1000
CLOSE_SECONDS = 2.0

logger = logging.getLogger("pgboss.maintenance")


def is_stored(warning: WarningEvent) -> bool:
    """Whether pg-boss keeps warnings of this kind: those about how an instance was set up are only told."""
    if warning.type == "listen_notify_unavailable":
        # That LISTEN failed is kept, and not that a pool or an engine has none.
        return "error" in warning.data
    return warning.type not in NEVER_STORED


class Warnings:
    """Writes the warnings of an instance that asked for it."""

    def __init__(
        self,
        run: Run,
        schema: SchemaName,
        *,
        on_error: Callable[[ErrorEvent], None] = lambda error: None,
        overrun_seconds: float = HOUR_SECONDS,
    ) -> None:
        """``on_error`` hears of every warning that could not be stored."""
        self._run = run
        self._schema = schema
        self._on_error = on_error
        self._overruns = Overruns(overrun_seconds)
        self._waiting: asyncio.Queue[WarningEvent] = asyncio.Queue()
        self._writing: asyncio.Task[None] | None = None

    def open(self) -> None:
        """Begin to write."""
        self._writing = asyncio.create_task(self._write_all(), name="pgboss warnings")

    def keep(self, warning: WarningEvent) -> None:
        """Store a warning soon, if it is of a kind that is stored; to be called on the event loop."""
        if not is_stored(warning):
            return
        told = self._overruns.add(warning) if warning.type == HANDLER_OVERRUN else warning
        if told is not None:
            self._put(told)

    async def flush(self) -> None:
        """Wait until all that were kept so far are written, or given up."""
        if self._writing is not None:
            await self._waiting.join()

    async def close(self) -> None:
        """Write what waits within two seconds, and end."""
        writing, self._writing = self._writing, None
        if writing is None:
            return
        for warning in self._overruns.all():
            self._put(warning)
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._waiting.join()
        writing.cancel()
        await asyncio.wait([writing], timeout=CLOSE_SECONDS)

    def _put(self, warning: WarningEvent) -> None:
        if self._waiting.qsize() < MOST_WAITING:
            self._waiting.put_nowait(warning)
        else:
            logger.warning("%d warnings wait to be stored, and this one will not be: %s", MOST_WAITING, warning.message)

    async def _write_all(self) -> None:
        while True:
            try:
                async with asyncio.timeout(self._overruns.seconds_left()):
                    warning = await self._waiting.get()
            except TimeoutError:
                for ended in self._overruns.ended():
                    self._put(ended)
                continue
            try:
                await self._store(warning)
            finally:
                self._waiting.task_done()

    async def _store(self, warning: WarningEvent) -> None:
        try:
            await self._run(operations.store(self._schema, warning))
        except Exception as error:  # noqa: BLE001  a writer that died would leave all later warnings unwritten
            logger.warning("a warning was not stored: %s", error)
            self._on_error(ErrorEvent(error, "storing a warning"))
