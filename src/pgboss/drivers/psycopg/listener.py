"""The connection that listens.

Notifications are read as soon as they arrive, by the event loop itself. In between the connection can run operations:
its server process has just announced new jobs, and is wide awake where that of another one would have to be woken.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from time import monotonic
from typing import Any, TypeVar

import psycopg
from psycopg import AsyncConnection, Notify, sql

from pgboss.core.query import Operation, Steps
from pgboss.drivers.errors import NoAnswerError
from pgboss.drivers.psycopg.ahead import Ahead
from pgboss.drivers.psycopg.answers import AnsweredWithin, cut, hang_up
from pgboss.drivers.psycopg.connections import connect_alone
from pgboss.drivers.psycopg.conninfo import place
from pgboss.drivers.psycopg.errors import translated
from pgboss.drivers.psycopg.kept import KeptStatements
from pgboss.drivers.psycopg.sessions import AsyncPsycopgSession
from pgboss.drivers.runner import arun
from pgboss.errors import DatabaseUnavailableError

__all__ = ["Listener"]

T = TypeVar("T")

# A half-open connection never says that it is gone: ask it now and then.
PROBE_SECONDS = 10.0
ANSWER_SECONDS = 5.0
CLOSE_SECONDS = 1.0
SOON_SECONDS = 0.5


class Listener:
    """Tells of the payloads of one channel, until the connection is lost."""

    def __init__(
        self,
        conninfo: str,
        channel: str,
        on_heard: Callable[[str], object],
        *,
        kept: KeptStatements | None = None,
        on_unanswered: Callable[[], Awaitable[object]] | None = None,
    ) -> None:
        """``kept`` are the statements of its operations that it keeps prepared.

        Without ``on_unanswered``, which is awaited when an operation was not answered in time, it runs none.
        """
        self._conninfo = conninfo
        self._place = place(conninfo)
        self._channel = channel
        self._on_heard = on_heard
        self._kept = kept
        self._on_unanswered = on_unanswered
        self._connection: AsyncConnection[Any] | None = None
        # Of the socket that is read from: libpq closes it by itself, and the event loop must forget it all the same.
        self._descriptor: int | None = None
        self._running: asyncio.Future[None] | None = None
        self._active_at = monotonic()
        self._error: psycopg.Error | None = None
        self._is_lost = asyncio.Event()
        self._is_listening = False
        self._armed: dict[str, Ahead[Any]] = {}
        self._sent: Ahead[Any] | None = None
        self._patience: asyncio.TimerHandle | None = None
        self._hanging_up: asyncio.Task[None] | None = None

    @property
    def is_free(self) -> bool:
        """Whether it listens, takes operations, and none is under way."""
        is_doomed = self._hanging_up is not None
        takes_any = self._is_listening and self._on_unanswered is not None and not is_doomed
        return takes_any and not self._is_in_use

    @property
    def _is_in_use(self) -> bool:
        return self._running is not None or self._sent is not None

    def arm(
        self,
        payload: str,
        operation: Steps[T],
        *,
        may_begin: Callable[[], bool] = lambda: True,
        on_over: Callable[[Ahead[T]], object] = lambda ahead: None,
    ) -> Ahead[T]:
        """Have an operation begin when the payload arrives, if the connection is free by then.

        For one that is free now. The operation's first statement is one that is kept prepared.
        """
        assert self._kept is not None
        ahead = Ahead(payload, operation, may_begin, on_over, connection=self._opened(), kept=self._kept)
        self._armed[payload] = ahead
        return ahead

    def disarm(self, ahead: Ahead[Any]) -> None:
        """Have it begin no more; what has begun goes on."""
        if self._armed.get(ahead.payload) is ahead:
            del self._armed[ahead.payload]

    async def open(self) -> None:
        """Connect.

        Raises:
            DatabaseUnavailableError: the server cannot be reached.
        """
        self._connection = await connect_alone(self._conninfo)
        self._connection.add_notify_handler(self._heard)

    async def close(self) -> None:
        """Close the connection; an operation under way is cancelled, or breaks."""
        connection, self._connection = self._connection, None
        if connection is None:
            return
        self._stop_reading()
        if self._hanging_up is not None:
            self._hanging_up.cancel()
        if self._sent is not None:
            # The server would carry it out all the same, and nobody would know of what it brings.
            with suppress(psycopg.Error):
                await connection.cancel_safe(timeout=CLOSE_SECONDS)
            self._give_up_sent()
        if self._running is not None:
            cut(connection)
            await asyncio.wait([self._running], timeout=CLOSE_SECONDS)
        await connection.close()

    def cut(self) -> None:
        """Break the connection if an operation is under way."""
        if self._connection is not None and self._is_in_use:
            cut(self._connection)

    async def run(self, operation: Operation[T], *, within_seconds: float | None = ANSWER_SECONDS) -> T:
        """Run an operation on this connection, while no other one is under way.

        Raises:
            DatabaseUnavailableError: it is lost, or did not answer in time.
        """
        connection = self._opened()
        # psycopg reads from here on.
        self._stop_reading()
        self._running = asyncio.get_running_loop().create_future()
        try:
            async with AnsweredWithin(connection, within_seconds, self._place):
                return await arun(AsyncPsycopgSession(connection, self._kept), operation)
        except NoAnswerError:
            if self._on_unanswered is not None:
                await self._on_unanswered()
            raise
        finally:
            self._running.set_result(None)
            self._running = None
            # After all that waits for the answer.
            asyncio.get_running_loop().call_later(0, self._read_on)

    async def listen(self) -> None:
        """Begin to listen.

        Raises:
            DatabaseError: the server refuses to, as some poolers do.
        """
        connection = self._opened()
        async with AnsweredWithin(connection, ANSWER_SECONDS, self._place):
            with translated():
                await connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(self._channel)))
        self._is_listening = True
        self._read_on()

    async def silence(self) -> None:
        """Return when nothing was heard for 10 s, so that nobody knows whether the connection leads anywhere.

        Raises:
            DatabaseUnavailableError: it is lost.
        """
        while True:
            left = self._active_at + PROBE_SECONDS - monotonic()
            if left <= 0 and not self._is_in_use:
                self._active_at = monotonic()
                return
            left = max(left, SOON_SECONDS)
            try:
                async with asyncio.timeout(left):
                    await self._is_lost.wait()
            except TimeoutError:
                continue
            with translated():
                raise self._error or psycopg.OperationalError("the connection is lost")

    def _heard(self, notification: Notify) -> None:
        self._active_at = monotonic()
        self._on_heard(notification.payload)

    def _read_on(self) -> None:
        """Read from now on whatever arrives, beginning with what has arrived already."""
        connection = self._connection
        if connection is None or not self._is_listening or self._running is not None:
            return
        if connection.closed:
            self._lose(psycopg.OperationalError("the connection is closed"))
            return
        self._descriptor = connection.fileno()
        asyncio.get_running_loop().add_reader(self._descriptor, self._read)
        self._read()

    def _read(self) -> None:
        pgconn = self._opened().pgconn
        try:
            pgconn.consume_input()
            is_answered = self._sent is not None and self._sent.receive()
            payloads = []
            # After the answer, behind which some may have come.
            while notification := pgconn.notifies():
                self._active_at = monotonic()
                payloads.append(notification.extra.decode())
            if self._sent is None:
                self._send_ahead(payloads)
        except psycopg.Error as error:
            self._stop_reading()
            self._lose(error)
            return
        try:
            if is_answered:
                self._take_sent().answer()
        finally:
            for payload in payloads:
                self._on_heard(payload)

    def _send_ahead(self, payloads: Iterable[str]) -> None:
        """Before anybody is told: what they do then, they do while the server works."""
        for payload in payloads:
            if payload in self._armed and self.is_free:
                ahead = self._armed.pop(payload)
                if ahead.begin(self._active_at):
                    self._sent = ahead
                    self._patience = asyncio.get_running_loop().call_later(ANSWER_SECONDS, self._lose_patience)

    def _take_sent(self) -> Ahead[Any]:
        """What was sent has nothing to do with the connection any more."""
        assert self._sent is not None
        assert self._patience is not None
        self._patience.cancel()
        sent, self._sent = self._sent, None
        return sent

    def _give_up_sent(self) -> None:
        if self._sent is not None:
            self._take_sent().give_up()

    def _lose_patience(self) -> None:
        self._hanging_up = asyncio.create_task(self._hang_up(self._opened()), name="pgboss hangs up")

    async def _hang_up(self, connection: AsyncConnection[Any]) -> None:
        await hang_up(connection)
        if self._on_unanswered is not None:
            await self._on_unanswered()

    def _stop_reading(self) -> None:
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            asyncio.get_running_loop().remove_reader(descriptor)

    def _lose(self, error: psycopg.Error) -> None:
        self._is_listening = False
        self._error = error
        self._is_lost.set()
        self._give_up_sent()

    def _opened(self) -> AsyncConnection[Any]:
        if self._connection is None:
            raise DatabaseUnavailableError("The listener is not connected.")
        return self._connection
