"""One conformance suite for every driver: the same tests through each way of reaching the database."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Protocol

import psycopg
import pytest

from pgboss import PgBoss, QueueOptions, SyncPgBoss


class Driver(Protocol):
    """A way to make calls, and to make them in a transaction of the caller's."""

    async def call(self, method: str, *args: Any, **kwargs: Any) -> Any:
        """Make a call on connections of its own."""

    async def call_in(self, connection: Any, method: str, *args: Any, **kwargs: Any) -> Any:
        """Make a call in the caller's transaction."""

    def connection(self, *, autocommit: bool = False) -> Any:
        """An async context manager that gives a connection of the caller's."""

    async def execute(self, connection: Any, statement: str) -> list[tuple[Any, ...]]:
        """What the caller does on the connection by itself."""

    async def commit(self, connection: Any) -> None: ...

    async def rollback(self, connection: Any) -> None: ...


class AsyncPsycopgDriver:
    """``PgBoss`` and the caller's ``psycopg.AsyncConnection``."""

    def __init__(self, url: str, boss: PgBoss) -> None:
        self._url = url
        self._boss = boss

    async def call(self, method: str, *args: Any, **kwargs: Any) -> Any:
        return await getattr(self._boss, method)(*args, **kwargs)

    async def call_in(self, connection: Any, method: str, *args: Any, **kwargs: Any) -> Any:
        return await self.call(method, *args, connection=connection, **kwargs)

    @asynccontextmanager
    async def connection(self, *, autocommit: bool = False) -> AsyncIterator[Any]:
        connection = await psycopg.AsyncConnection.connect(self._url, autocommit=autocommit)
        try:
            yield connection
        finally:
            await connection.close()

    async def execute(self, connection: Any, statement: str) -> list[tuple[Any, ...]]:
        cursor = await connection.execute(statement)
        return await cursor.fetchall() if cursor.description else []

    async def commit(self, connection: Any) -> None:
        await connection.commit()

    async def rollback(self, connection: Any) -> None:
        await connection.rollback()


class SyncPsycopgDriver:
    """``SyncPgBoss`` and the caller's ``psycopg.Connection``."""

    def __init__(self, url: str, boss: SyncPgBoss) -> None:
        self._url = url
        self._boss = boss

    async def call(self, method: str, *args: Any, **kwargs: Any) -> Any:
        return getattr(self._boss, method)(*args, **kwargs)

    async def call_in(self, connection: Any, method: str, *args: Any, **kwargs: Any) -> Any:
        return await self.call(method, *args, connection=connection, **kwargs)

    @asynccontextmanager
    async def connection(self, *, autocommit: bool = False) -> AsyncIterator[Any]:
        connection = psycopg.connect(self._url, autocommit=autocommit)
        try:
            yield connection
        finally:
            connection.close()

    async def execute(self, connection: Any, statement: str) -> list[tuple[Any, ...]]:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []

    async def commit(self, connection: Any) -> None:
        connection.commit()

    async def rollback(self, connection: Any) -> None:
        connection.rollback()


@asynccontextmanager
async def async_psycopg(url: str) -> AsyncIterator[Driver]:
    async with PgBoss(url, supervise=False, queue_defaults=QueueOptions(), pool_size=3) as boss:
        yield AsyncPsycopgDriver(url, boss)


@asynccontextmanager
async def sync_psycopg(url: str) -> AsyncIterator[Driver]:
    with SyncPgBoss(url, queue_defaults=QueueOptions(), pool_size=3) as boss:
        yield SyncPsycopgDriver(url, boss)


DRIVERS: dict[str, Callable[[str], Any]] = {"psycopg-async": async_psycopg, "psycopg-sync": sync_psycopg}


@pytest.fixture(params=DRIVERS)
async def driver(request: pytest.FixtureRequest, database_url: str) -> AsyncIterator[Driver]:
    async with DRIVERS[request.param](database_url) as made:
        yield made
