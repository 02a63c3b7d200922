"""A pool of the caller's that runs the operations of a whole instance."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any, TypeVar

import asyncpg

from pgboss.core.instance_options import Pooler
from pgboss.core.query import Operation
from pgboss.drivers.adopt import adopt_async
from pgboss.drivers.alone import LoneSession
from pgboss.drivers.asyncpg.errors import translated
from pgboss.drivers.asyncpg.for_threads import DatabaseForThreads
from pgboss.drivers.asyncpg.sessions import AsyncpgSession
from pgboss.drivers.asyncpg.transactions import open_transaction
from pgboss.drivers.errors import pool_closed, pool_exhausted, unanswered
from pgboss.drivers.psycopg import Listener, place, read_conninfo
from pgboss.drivers.runner import AsyncSession, Session, arun
from pgboss.drivers.transactions import OpenTransaction

__all__ = ["AsyncpgDatabase"]

T = TypeVar("T")

CHECKOUT_SECONDS = 10.0
RELEASE_SECONDS = 2.0


class AsyncpgDatabase:
    """Runs operations on the caller's ``asyncpg.Pool``, which it neither opens nor closes.

    ``conninfo`` is for the connections that do not come from the pool: the one that listens, the one that keeps
    leases, and those of transactional handlers in threads.
    """

    def __init__(self, conninfo: str, pool: Any) -> None:
        self.conninfo = read_conninfo(conninfo)
        self.place = place(self.conninfo)
        self.pool_size: int = pool.get_max_size()
        self._pool = pool
        self._out: set[Any] = set()
        self._for_threads = DatabaseForThreads(self.conninfo, pool_size=self.pool_size)

    async def open(self) -> None:
        """Nothing: the pool is the caller's, and is tried by the first statement."""

    async def close(self) -> None:
        """Close what is ours; the pool stays open."""
        if self._for_threads.is_open:
            await asyncio.to_thread(self._for_threads.close)
        self.cut()

    def pool_counts(self) -> None:
        """Nothing: the pool is the caller's."""

    async def run(
        self, operation: Operation[T], connection: object | None = None, *, within_seconds: float | None = None
    ) -> T:
        """Run an operation on a connection of the pool, or on the caller's, in the caller's transaction."""
        if connection is not None:
            return await arun(await adopt_async(connection), operation)
        async with self._acquired() as own:
            try:
                # asyncpg asks the server to cancel what is under way, by itself; the release waits for the answer.
                async with asyncio.timeout(within_seconds) as limit:
                    return await arun(AsyncpgSession(own), operation)
            except TimeoutError as error:
                if within_seconds is None or not limit.expired():
                    raise
                # What became of one connection has most likely become of all: those that lie idle are used no more.
                await self._pool.expire_connections()
                raise unanswered(self.place, within_seconds) from error

    def heed(self, pooler: Pooler) -> None:
        """Nothing is prepared by name here, whatever is in between."""

    def listener(self, channel: str, on_heard: Callable[[str], object]) -> Listener:
        """A connection of psycopg's that listens, beside the pool, and does nothing else."""
        return Listener(self.conninfo, channel, on_heard)

    def cut(self) -> None:
        """Break the connections that are in use; nobody wants their answers any more."""
        for own in self._out:
            with suppress(asyncpg.InterfaceError):
                own.terminate()

    @asynccontextmanager
    async def transaction(self, *, is_ours: bool = False) -> AsyncIterator[OpenTransaction[AsyncSession]]:
        """A transaction on a connection of the pool: see :class:`~pgboss.drivers.transactions.Transactions`."""
        async with self._acquired() as own, open_transaction(own) as opened:
            yield opened

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[LoneSession]:
        """A connection of the pool for what runs long: see :class:`~pgboss.drivers.alone.Alone`."""
        async with self._acquired() as own:
            yield LoneSession(AsyncpgSession(own), own.terminate)

    @contextmanager
    def transaction_in_thread(self) -> Iterator[OpenTransaction[Session]]:
        """A transaction on a sync connection of psycopg's: asyncpg has none for threads."""
        with self._for_threads.transaction() as opened:
            yield opened

    @asynccontextmanager
    async def _acquired(self) -> AsyncIterator[Any]:
        own = await self._acquire()
        self._out.add(own)
        try:
            yield own
        finally:
            self._out.discard(own)
            with translated(where=self.place):
                await self._release(own)

    async def _release(self, own: Any) -> None:
        # Resetting the connection takes a statement; where no answer comes the pool throws it away.
        with suppress(TimeoutError):
            await self._pool.release(own, timeout=RELEASE_SECONDS)

    async def _acquire(self) -> Any:
        with translated(where=self.place):
            try:
                return await self._pool.acquire(timeout=CHECKOUT_SECONDS)
            except TimeoutError as error:
                reason = f"none became free within {CHECKOUT_SECONDS:.0f} s"
                raise pool_exhausted(self.place, reason, advice="give the pool a larger max_size") from error
            except asyncpg.InterfaceError as error:
                raise pool_closed(str(error)) from error
