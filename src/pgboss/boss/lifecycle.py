"""Starting and stopping an instance, in any order and from anywhere, each once at a time.

A stop may be asked for while a start is under way, by a signal, by a handler of the instance's own, or twice: the
second one hurries the first. What is started and ended is the business of those who derive from this.
"""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import Callable
from typing import Self, Unpack

from pgboss.boss.patience import start_patiently
from pgboss.boss.signals import stop_signals
from pgboss.client import Client
from pgboss.client.base import ClientKeywords
from pgboss.core.checks import check_integer
from pgboss.core.garbage import keep_all
from pgboss.errors import PgBossError, StoppedError
from pgboss.runtime.events import Events

__all__ = ["STOP_TIMEOUT_SECONDS", "Lifecycle"]

STOP_TIMEOUT_SECONDS = 30.0
# How soon a connection that was broken shows in whoever waits for it.
BREAK_SECONDS = 0.5


class Lifecycle(Client):
    """A client that has something to run between its start and its stop."""

    def __init__(self, dsn: str | None = None, **client: Unpack[ClientKeywords]) -> None:
        super().__init__(dsn, **client)
        self._events = Events()
        self._hurry = asyncio.Event()
        # One start or stop at a time: each waits for the one before.
        self._changing = asyncio.Lock()
        self._stopping: asyncio.Task[None] | None = None
        self._starting: asyncio.Task[None] | None = None
        self._stop_asked = asyncio.Event()
        self._start_attempt = 1

    @property
    @abstractmethod
    def _is_running(self) -> bool:
        """Whether what runs has been started, and not ended since."""

    @abstractmethod
    async def _start_loops(self) -> None:
        """Start what runs; the client is open."""

    @abstractmethod
    async def _end_loops(self, timeout: float) -> None:  # noqa: ASYNC109  the deadline is a duty of ours
        """End what runs, also when only some of it has been started; the client is closed afterwards."""

    async def start(self, *, attempts: int = 1) -> Self:
        """Connect, install the schema when it is missing, create missing queues, and start the loops.

        Args:
            attempts: how often to try, with pauses of 1, 2, 4 and up to 30 seconds; a stop ends them. Wrong settings
                are refused at once.

        Raises:
            ValidationError: ``attempts`` is below 1.
            DatabaseUnavailableError: the server cannot be reached or refuses the login.
            SchemaError: the schema is missing, half installed or of a version this release cannot use.
            StoppedError: a stop did not wait for it.
        """
        if self._stopping is not None:
            await asyncio.wait([self._stopping])
        check_integer("attempts", attempts, 1)
        async with self._changing:
            if not self._is_running:
                # Made anew, because an event belongs to the event loop it was first waited for in.
                self._stop_asked = asyncio.Event()
                self._events.open()
                try:
                    await start_patiently(self._begin, attempts, self._events, self._stop_asked)
                except BaseException:
                    await self._events.close()
                    raise
        return self

    async def stop(self, *, timeout: float = STOP_TIMEOUT_SECONDS) -> None:  # noqa: ASYNC109  the deadline is a duty of ours
        """Stop the loops and close all connections.

        No new jobs are claimed, claimed ones that did not start go back untouched, running ones may finish. What
        still runs after ``timeout`` seconds is failed (and retried, if attempts are left). Returns within about five
        seconds after that, also when a handler or the database hangs.

        A stop goes on when the wait for it is cancelled, as a handler's is that stops its own instance. Further calls
        wait for the stop under way; with a timeout of 0 they hurry it.
        """
        if self._stopping is None:
            self._stopping = asyncio.create_task(self._stop_once(timeout), name="pgboss stop")
            self._stop_asked.set()
        elif timeout <= 0:
            self.hurry()
        await asyncio.shield(self._stopping)

    async def serve(
        self, *, stop_timeout: float = STOP_TIMEOUT_SECONDS, on_ready: Callable[[], None] | None = None
    ) -> None:
        """Start, work until SIGTERM or SIGINT, and stop: the main coroutine of a worker program.

        The first signal lets running handlers finish within ``stop_timeout`` seconds; a second one stops at once.
        ``on_ready`` is called when the workers run.

        Raises:
            PgBossError: the start failed; see :meth:`start`.
        """
        with stop_signals(self.hurry) as told:
            if not await self._start_unless(told):
                return
            try:
                keep_all()
                if on_ready is not None:
                    on_ready()
                await told.wait()
            finally:
                await self.stop(timeout=stop_timeout)

    def hurry(self) -> None:
        """Let a stop wait no longer for running handlers."""
        self._hurry.set()

    async def _start_unless(self, told: asyncio.Event) -> bool:
        """Start; ``False`` when told to stop meanwhile: nothing is worth waiting for yet."""

        async def stop_when_told() -> None:
            await told.wait()
            await self.stop(timeout=0)

        stopping = asyncio.create_task(stop_when_told(), name="pgboss signals")
        try:
            await self.start()
        except PgBossError:
            if not told.is_set():
                raise
            await stopping
            return False
        finally:
            stopping.cancel()
        return True

    async def _begin(self, attempt: int) -> None:
        """Start, in a task that a stop can end, whoever awaits it."""
        self._starting = asyncio.create_task(self._start(attempt), name="pgboss start")
        try:
            await self._starting
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            raise StoppedError("The instance was stopped before it had started.") from None
        finally:
            self._starting = None

    async def _give_up_starting(self, starting: asyncio.Task[None], timeout: float) -> None:  # noqa: ASYNC109  see stop
        """End a start that has not come to its end in time; what hangs in it hangs on a connection."""
        for seconds, end in ((timeout, self._database.cut), (BREAK_SECONDS, starting.cancel)):
            await asyncio.wait([starting], timeout=seconds)
            if not starting.done():
                end()

    async def _start(self, attempt: int) -> None:
        self._start_attempt = attempt
        await super().start()
        try:
            # Made anew, because an event belongs to the event loop it was first waited for in.
            self._hurry = asyncio.Event()
            await self._start_loops()
        except BaseException:
            await self._end(timeout=0)
            raise

    async def _stop_once(self, timeout: float) -> None:  # noqa: ASYNC109  the deadline is a duty of ours
        try:
            if self._starting is not None:
                await self._give_up_starting(self._starting, timeout)
            async with self._changing:
                try:
                    await self._end(timeout)
                finally:
                    self._events.emit("stopped")
                    await self._events.close()
        finally:
            self._stopping = None

    async def _end(self, timeout: float) -> None:  # noqa: ASYNC109  the deadline is a duty of ours
        try:
            await self._end_loops(timeout)
        finally:
            await super().stop()
