"""Pools that run operations, async and sync, and connections outside of a pool."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from concurrent.futures import Future
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from time import monotonic
from typing import Any, TypeVar
from weakref import WeakSet

import psycopg
from psycopg import AsyncConnection, Connection
from psycopg.pq import TransactionStatus
from psycopg_pool import AsyncConnectionPool, ConnectionPool, PoolClosed

from pgboss.core.instance import PoolCounts
from pgboss.core.instance_options import Pooler
from pgboss.core.query import Operation
from pgboss.drivers.adopt import adopt, adopt_async
from pgboss.drivers.alone import LoneSession
from pgboss.drivers.errors import NoAnswerError, not_started, pool_closed
from pgboss.drivers.psycopg.answers import AnsweredWithin, cut
from pgboss.drivers.psycopg.connections import CONNECTION_KEYWORDS, connect_alone, has_news
from pgboss.drivers.psycopg.conninfo import FIRST_CONNECT_SECONDS, conninfo_of_pool, place, read_conninfo
from pgboss.drivers.psycopg.errors import translated
from pgboss.drivers.psycopg.kept import KeptStatements
from pgboss.drivers.psycopg.lending import lent
from pgboss.drivers.psycopg.listener import Listener
from pgboss.drivers.psycopg.sessions import AsyncPsycopgSession, PsycopgSession
from pgboss.drivers.psycopg.transactions import open_transaction, open_transaction_in_thread
from pgboss.drivers.runner import AsyncSession, Session, arun, run
from pgboss.drivers.transactions import OpenTransaction

__all__ = ["AsyncDatabase", "Database"]

T = TypeVar("T")

CHECKOUT_SECONDS = 10.0
CLOSE_SECONDS = 1.0
# psycopg's pool doubles its pauses for so long, and then waits to be asked again: a long outage must not become a long
# return.
RECONNECT_SECONDS = 2.0
# The pool hands out the connection that has rested longest, whose server process has forgotten most. So the ones used
# last are kept out of it for whoever comes next, two at most and for so long: then the pool sees to their age.
AT_HAND, AT_HAND_SECONDS = 2, 60.0


async def _reconnect(pool: AsyncConnectionPool[AsyncConnection[Any]]) -> None:
    """Begin anew to connect, for those who wait; a request is what makes the pool do so."""
    if pool.get_stats().get("requests_waiting"):
        with suppress(psycopg.Error):
            await pool.putconn(await pool.getconn(timeout=0.001))


class AsyncDatabase:
    """A pool of async connections that runs operations: one of its own, or one that the caller opens and closes.

    On a connection of the caller's pool operations run in autocommit mode; it is handed back in the mode it was in.
    """

    def __init__(
        self, conninfo: str, *, pool_size: int, pool: AsyncConnectionPool[AsyncConnection[Any]] | None = None
    ) -> None:
        given = conninfo or conninfo_of_pool(pool)
        self.conninfo = read_conninfo(given)
        self.place = place(self.conninfo)
        self.pool_size = pool.max_size or pool_size if pool is not None else pool_size
        self._first_conninfo = read_conninfo(given, connect_timeout=FIRST_CONNECT_SECONDS)
        self._out: dict[AsyncConnection[Any], _Place] = {}
        self._at_hand: list[tuple[AsyncConnection[Any], _Place]] = []
        self._asking = 0
        self._listeners: WeakSet[Listener] = WeakSet()
        self._given = pool
        self._kept = KeptStatements() if pool is None else None
        self._pool: AsyncConnectionPool[AsyncConnection[Any]] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def open(self) -> None:
        """Open the pool, once a first connection has shown that the server lets us in.

        Raises:
            DatabaseUnavailableError: it does not.
        """
        if self._pool is not None:
            return
        self._loop = asyncio.get_running_loop()
        if self._given is not None:
            self._pool = self._given
            return
        await (await connect_alone(self._first_conninfo)).close()
        pool = AsyncConnectionPool(
            self.conninfo,
            kwargs=CONNECTION_KEYWORDS,
            min_size=1,
            max_size=self.pool_size,
            timeout=CHECKOUT_SECONDS,
            reconnect_timeout=RECONNECT_SECONDS,
            reconnect_failed=_reconnect,
            check=self._check,
            open=False,
            name="pgboss",
        )
        await pool.open()
        self._pool = pool

    async def close(self) -> None:
        """Close what is ours."""
        pool, self._pool = self._pool, None
        self.cut()
        await self._let_go_at_hand()
        if pool is not None and self._given is None:
            await pool.close(timeout=CLOSE_SECONDS)

    def pool_counts(self) -> PoolCounts | None:
        """The connections of our own pool; ``None`` for one of the caller's."""
        if self._pool is None or self._given is not None:
            return None
        counts = self._pool.get_stats()
        available = counts["pool_available"] + len(self._at_hand)
        return PoolCounts(self.pool_size, counts["pool_size"], available, counts.get("requests_waiting", 0))

    async def run(
        self, operation: Operation[T], connection: object | None = None, *, within_seconds: float | None = None
    ) -> T:
        """Run an operation on a connection of the pool, or on the caller's, in the caller's transaction."""
        if connection is not None:
            return await arun(await adopt_async(connection), operation)
        own = await self._check_out()
        try:
            async with AnsweredWithin(own, within_seconds, self.place):
                return await arun(AsyncPsycopgSession(own, self._kept), operation)
        except NoAnswerError:
            await self._drain()
            raise
        finally:
            await self._put_back(own)

    def heed(self, pooler: Pooler) -> None:
        """What is known of a pooler in between, which decides whether statements are prepared by name."""
        if self._kept is not None:
            self._kept.heed(pooler)

    def cut(self) -> None:
        """Break the connections that are in use; nobody wants their answers any more."""
        for own in self._out:
            cut(own)
        for listener in self._listeners:
            listener.cut()

    def listener(self, channel: str, on_heard: Callable[[str], object]) -> Listener:
        """A connection that listens, beside the pool; it runs operations, too, if the pool is ours."""
        if self._given is not None:
            return Listener(self.conninfo, channel, on_heard)
        listener = Listener(self.conninfo, channel, on_heard, kept=self._kept, on_unanswered=self._drain)
        self._listeners.add(listener)
        return listener

    async def _check(self, connection: AsyncConnection[Any]) -> None:
        if has_news(connection):
            try:
                await AsyncConnectionPool.check_connection(connection)
            except psycopg.Error:
                # The pool would try the others one by one, with growing pauses in between.
                await self._drain()
                raise

    async def _drain(self) -> None:
        """Do away with idle connections, too: what became of one has most likely become of all."""
        drain = getattr(self._pool, "drain", None)  # as of psycopg_pool 3.3
        if drain is not None and self._given is None:
            await drain()
            await self._let_go_at_hand()

    @asynccontextmanager
    async def transaction(self, *, is_ours: bool = False) -> AsyncIterator[OpenTransaction[AsyncSession]]:
        """A transaction on a connection of the pool: see :class:`~pgboss.drivers.transactions.Transactions`."""
        kept = self._kept if is_ours else None
        async with self._checked_out() as own, open_transaction(own, kept) as opened:
            yield opened

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[LoneSession]:
        """A connection of the pool for what runs long: see :class:`~pgboss.drivers.alone.Alone`."""
        async with self._checked_out() as own:
            yield LoneSession(AsyncPsycopgSession(own), lambda: cut(own))

    @contextmanager
    def transaction_in_thread(self) -> Iterator[OpenTransaction[Session]]:
        """A transaction on a connection of the pool, lent to the thread that calls this."""
        loop = self._loop
        if loop is None or self._pool is None:
            raise not_started()
        own = self._call(self._check_out(), loop).result()
        try:
            with lent(own) as borrowed, open_transaction_in_thread(borrowed) as opened:
                yield opened
        finally:
            self._call(self._put_back(own), loop)

    @staticmethod
    def _call(coroutine: Coroutine[Any, Any, T], loop: asyncio.AbstractEventLoop) -> Future[T]:
        try:
            return asyncio.run_coroutine_threadsafe(coroutine, loop)
        except RuntimeError as error:
            # The loop has ended, and the pool with it.
            coroutine.close()
            raise not_started() from error

    @asynccontextmanager
    async def _checked_out(self) -> AsyncIterator[AsyncConnection[Any]]:
        own = await self._check_out()
        try:
            yield own
        finally:
            await self._put_back(own)

    async def _check_out(self) -> AsyncConnection[Any]:
        """An autocommit connection of the pool, to be put back."""
        pool = self._pool
        if pool is None:
            raise not_started()
        while self._at_hand:
            own, self._out[own] = self._at_hand.pop()
            if await self._is_well(own):
                return own
        self._asking += 1
        with translated(self.place):
            try:
                own = await pool.getconn()
            except PoolClosed as error:
                raise (pool_closed(str(error)) if self._given else not_started()) from error
            finally:
                self._asking -= 1
        self._out[own] = _Place(pool, own.autocommit, monotonic() + AT_HAND_SECONDS)
        try:
            if not own.autocommit:
                await own.set_autocommit(True)
        except BaseException:
            await self._put_back(own)
            raise
        return own

    async def _is_well(self, own: AsyncConnection[Any]) -> bool:
        """Whether one that was kept at hand may be used on; else it goes back."""
        is_well = False
        try:
            if monotonic() < self._out[own].until:
                await self._check(own)
                is_well = True
        except psycopg.Error:
            pass
        finally:
            if not is_well:
                await self._out.pop(own).pool.putconn(own)
        return is_well

    async def _put_back(self, own: AsyncConnection[Any]) -> None:
        place = self._out.pop(own)
        if self._may_stay(own, place):
            self._at_hand.append((own, place))
            return
        if not place.autocommit:
            await _end_autocommit(own)
        await place.pool.putconn(own)

    def _may_stay(self, own: AsyncConnection[Any], place: _Place) -> bool:
        """Whether to keep a connection at hand: nobody waits for one, and there is nothing for the pool to do."""
        return (
            place.pool is self._pool is not self._given
            and not self._asking
            and len(self._at_hand) < AT_HAND
            and own.pgconn.transaction_status == TransactionStatus.IDLE
        )

    async def _let_go_at_hand(self) -> None:
        while self._at_hand:
            own, place = self._at_hand.pop()
            await place.pool.putconn(own)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a connection belongs, the mode in which it is to come back, and until when it may be kept at hand."""

    pool: AsyncConnectionPool[AsyncConnection[Any]]
    autocommit: bool
    until: float


async def _end_autocommit(connection: AsyncConnection[Any]) -> None:
    # On one that is lost there is no mode to set; the pool throws it away.
    with suppress(psycopg.Error):
        if connection.info.transaction_status != TransactionStatus.IDLE:
            await connection.rollback()
        await connection.set_autocommit(False)


class Database:
    """A pool of sync connections that runs operations: one of its own, or one that the caller opens and closes."""

    def __init__(self, conninfo: str, *, pool_size: int, pool: ConnectionPool[Connection[Any]] | None = None) -> None:
        given = conninfo or conninfo_of_pool(pool)
        self.conninfo = read_conninfo(given)
        self.place = place(self.conninfo)
        self._first_conninfo = read_conninfo(given, connect_timeout=FIRST_CONNECT_SECONDS)
        self._pool_size = pool_size
        self._given = pool
        self._kept = KeptStatements() if pool is None else None
        self._pool: ConnectionPool[Connection[Any]] | None = None

    def open(self) -> None:
        """Open the pool, once a first connection has shown that the server lets us in.

        Raises:
            DatabaseUnavailableError: it does not.
        """
        if self._pool is not None:
            return
        if self._given is not None:
            self._pool = self._given
            return
        with translated(self.place):
            Connection.connect(self._first_conninfo, **CONNECTION_KEYWORDS).close()
        pool = ConnectionPool(
            self.conninfo,
            kwargs=CONNECTION_KEYWORDS,
            min_size=1,
            max_size=self._pool_size,
            timeout=CHECKOUT_SECONDS,
            reconnect_timeout=RECONNECT_SECONDS,
            check=self._check,
            open=False,
            name="pgboss",
        )
        pool.open()
        self._pool = pool

    def close(self) -> None:
        """Close what is ours."""
        pool, self._pool = self._pool, None
        if pool is not None and self._given is None:
            pool.close(timeout=CLOSE_SECONDS)

    def run(self, operation: Operation[T], connection: object | None = None) -> T:
        """Run an operation on a connection of the pool, or on the caller's, in the caller's transaction."""
        if connection is not None:
            return run(adopt(connection), operation)
        with self._checked_out() as own:
            return run(PsycopgSession(own, self._kept), operation)

    def heed(self, pooler: Pooler) -> None:
        """What is known of a pooler in between, which decides whether statements are prepared by name."""
        if self._kept is not None:
            self._kept.heed(pooler)

    @contextmanager
    def transaction(self) -> Iterator[OpenTransaction[Session]]:
        """A transaction on a connection of the pool: see :class:`~pgboss.drivers.transactions.Transactions`."""
        with self._checked_out() as own, open_transaction_in_thread(own) as opened:
            yield opened

    def _check(self, connection: Connection[Any]) -> None:
        if has_news(connection):
            try:
                ConnectionPool.check_connection(connection)
            except psycopg.Error:
                drain = getattr(self._pool, "drain", None)
                if drain is not None:
                    drain()
                raise

    @contextmanager
    def _checked_out(self) -> Iterator[Connection[Any]]:
        pool = self._pool
        if pool is None:
            raise not_started()
        with translated(self.place):
            try:
                own = pool.getconn()
            except PoolClosed as error:
                raise (pool_closed(str(error)) if self._given else not_started()) from error
        autocommit = own.autocommit
        try:
            if not autocommit:
                own.autocommit = True
            yield own
        finally:
            if not autocommit:
                _end_autocommit_sync(own)
            pool.putconn(own)


def _end_autocommit_sync(connection: Connection[Any]) -> None:
    with suppress(psycopg.Error):
        if connection.info.transaction_status != TransactionStatus.IDLE:
            connection.rollback()
        connection.autocommit = False
