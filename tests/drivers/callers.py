"""Ways to make calls, and to make them in a transaction of the caller's: one for each kind of connection we take."""

from __future__ import annotations

import inspect
import os
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, ClassVar

import asyncpg
import django
import psycopg
import psycopg2
from django.conf import settings
from django.db import connections, transaction
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import NullPool, create_engine
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import Session

from pgboss import PgBoss, QueueOptions, SyncPgBoss

__all__ = ["DRIVERS", "Driver", "parts"]

OPTIONS: dict[str, Any] = {"queue_defaults": QueueOptions()}


async def settled(value: Any) -> Any:
    """What a call gives, whether it is async or not."""
    return await value if inspect.isawaitable(value) else value


def parts(url: str, *, database: str = "dbname") -> dict[str, Any]:
    """A URL as keyword arguments; drivers differ in their word for the database."""
    known = conninfo_to_dict(url)
    return {database if name == "dbname" else name: value for name, value in known.items()}


class Driver:
    """Makes calls on an instance, and on connections of one kind. Here, those that have commit() and rollback()."""

    is_sync: ClassVar[bool] = False

    def __init__(self, url: str, boss: PgBoss | SyncPgBoss) -> None:
        self.url = url
        self.boss = boss

    async def call(self, method: str, *args: Any, **kwargs: Any) -> Any:
        """Make a call on connections of its own."""
        return await settled(getattr(self.boss, method)(*args, **kwargs))

    async def call_in(self, connection: Any, method: str, *args: Any, **kwargs: Any) -> Any:
        """Make a call in the caller's transaction."""
        return await self.call(method, *args, connection=connection, **kwargs)

    def connection(self, *, autocommit: bool = False) -> AbstractAsyncContextManager[Any]:
        """A connection of the caller's."""
        raise NotImplementedError

    async def execute(self, connection: Any, statement: str) -> list[tuple[Any, ...]]:
        """What the caller does on the connection by itself."""
        cursor = await settled(connection.execute(statement))
        return await settled(cursor.fetchall()) if cursor.description else []

    async def commit(self, connection: Any) -> None:
        await settled(connection.commit())

    async def rollback(self, connection: Any) -> None:
        await settled(connection.rollback())


class PsycopgAsync(Driver):
    @asynccontextmanager
    async def connection(self, *, autocommit: bool = False) -> AsyncIterator[Any]:
        connection = await psycopg.AsyncConnection.connect(self.url, autocommit=autocommit)
        try:
            yield connection
        finally:
            await connection.close()


class PsycopgSync(Driver):
    is_sync = True

    @asynccontextmanager
    async def connection(self, *, autocommit: bool = False) -> AsyncIterator[Any]:
        connection = psycopg.connect(self.url, autocommit=autocommit)
        try:
            yield connection
        finally:
            connection.close()


class Psycopg2(Driver):
    is_sync = True

    @asynccontextmanager
    async def connection(self, *, autocommit: bool = False) -> AsyncIterator[Any]:
        connection = psycopg2.connect(self.url)
        connection.autocommit = autocommit
        try:
            yield connection
        finally:
            connection.close()

    async def execute(self, connection: Any, statement: str) -> list[tuple[Any, ...]]:
        with connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall() if cursor.description else []


class Asyncpg(Driver):
    """One transaction after the other, each begun by the caller."""

    def __init__(self, url: str, boss: PgBoss | SyncPgBoss) -> None:
        super().__init__(url, boss)
        self._transaction: Any = None

    @asynccontextmanager
    async def connection(self, *, autocommit: bool = False) -> AsyncIterator[Any]:
        async with self._connected() as connection:
            if not autocommit:
                await self._begin(connection)
            yield connection
            if not autocommit:
                await self._transaction.rollback()

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[Any]:
        connection = await asyncpg.connect(**parts(self.url, database="database"))
        try:
            yield connection
        finally:
            await connection.close()

    async def _begin(self, connection: Any) -> None:
        self._transaction = connection.transaction()
        await self._transaction.start()

    async def execute(self, connection: Any, statement: str) -> list[tuple[Any, ...]]:
        return [tuple(record) for record in await connection.fetch(statement)]

    async def commit(self, connection: Any) -> None:
        await self._transaction.commit()
        await self._begin(connection)

    async def rollback(self, connection: Any) -> None:
        await self._transaction.rollback()
        await self._begin(connection)


class AsyncpgPooled(Asyncpg):
    """The instance runs on a pool of the caller's, and the connections come from there as well."""

    pool: Any = None

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[Any]:
        async with self.pool.acquire() as connection:
            yield connection


class SQLAlchemy(Driver):
    """Both of SQLAlchemy's sync kinds."""

    is_sync = True
    driver: ClassVar[str] = ""
    is_session: ClassVar[bool] = False

    @asynccontextmanager
    async def connection(self, *, autocommit: bool = False) -> AsyncIterator[Any]:
        engine = create_engine(
            f"postgresql+{self.driver}://",
            connect_args=parts(self.url),
            poolclass=NullPool,
            **({"isolation_level": "AUTOCOMMIT"} if autocommit else {}),
        )
        with Session(engine) if self.is_session else engine.connect() as connection:
            yield connection

    async def execute(self, connection: Any, statement: str) -> list[tuple[Any, ...]]:
        core = connection.connection() if self.is_session else connection
        result = core.exec_driver_sql(statement)
        return [tuple(row) for row in result] if result.returns_rows else []


class AsyncSQLAlchemy(Driver):
    """Both of its async kinds."""

    driver: ClassVar[str] = ""
    is_session: ClassVar[bool] = False

    @asynccontextmanager
    async def connection(self, *, autocommit: bool = False) -> AsyncIterator[Any]:
        engine = create_async_engine(
            f"postgresql+{self.driver}://",
            connect_args=parts(self.url, database="database" if self.driver == "asyncpg" else "dbname"),
            poolclass=NullPool,
            **({"isolation_level": "AUTOCOMMIT"} if autocommit else {}),
        )
        async with AsyncSession(engine) if self.is_session else engine.connect() as connection:
            yield connection
        await engine.dispose()

    async def execute(self, connection: Any, statement: str) -> list[tuple[Any, ...]]:
        core = await connection.connection() if self.is_session else connection
        result = await core.exec_driver_sql(statement)
        return [tuple(row) for row in result] if result.returns_rows else []


class Django(Driver):
    """``django.db.connections[…]``, one ``atomic()`` block after the other."""

    is_sync = True
    alias = "default"

    def __init__(self, url: str, boss: PgBoss | SyncPgBoss) -> None:
        super().__init__(url, boss)
        self._block: Any = None

    @asynccontextmanager
    async def connection(self, *, autocommit: bool = False) -> AsyncIterator[Any]:
        known = parts(self.url)
        names = {"NAME": "dbname", "USER": "user", "PASSWORD": "password", "HOST": "host", "PORT": "port"}
        given = {name: known[key] for name, key in names.items() if key in known}
        if not settings.configured:
            settings.configure(DATABASES={self.alias: {"ENGINE": "django.db.backends.postgresql"}})
            django.setup()
        # Django refuses to work where an event loop runs, as one does for these tests.
        os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"
        connections[self.alias].close()
        connections[self.alias].settings_dict.update(given)
        wrapper = connections[self.alias]
        try:
            if not autocommit:
                self._begin()
            yield wrapper
        finally:
            if not autocommit:
                self._end(rollback=True)
            wrapper.close()
            del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]

    def _begin(self) -> None:
        self._block = transaction.atomic(using=self.alias)
        self._block.__enter__()

    def _end(self, *, rollback: bool) -> None:
        if rollback:
            transaction.set_rollback(True, using=self.alias)
        self._block.__exit__(None, None, None)

    async def execute(self, connection: Any, statement: str) -> list[tuple[Any, ...]]:
        with connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall() if cursor.description else []

    async def commit(self, connection: Any) -> None:
        self._end(rollback=False)
        self._begin()

    async def rollback(self, connection: Any) -> None:
        self._end(rollback=True)
        self._begin()


def _sqlalchemy(kind: type[Any], driver: str, *, session: bool) -> type[Driver]:
    return type(f"{kind.__name__}Over{driver}", (kind,), {"driver": driver, "is_session": session})


@asynccontextmanager
async def _open(kind: type[Driver], url: str) -> AsyncIterator[Driver]:
    if kind.is_sync:
        with SyncPgBoss(url, pool_size=3, **OPTIONS) as boss:
            yield kind(url, boss)
    elif issubclass(kind, AsyncpgPooled):
        pool = asyncpg.create_pool(**parts(url, database="database"), min_size=1, max_size=3)
        async with pool, PgBoss(url, supervise=False, schedule=False, pool=pool, **OPTIONS) as instance:
            driver = kind(url, instance)
            driver.pool = pool
            yield driver
    else:
        async with PgBoss(url, supervise=False, schedule=False, pool_size=3, **OPTIONS) as instance:
            yield kind(url, instance)


def _opener(kind: type[Driver]) -> Callable[[str], AbstractAsyncContextManager[Driver]]:
    return lambda url: _open(kind, url)


KINDS: dict[str, type[Driver]] = {
    "psycopg-async": PsycopgAsync,
    "psycopg-sync": PsycopgSync,
    "psycopg2": Psycopg2,
    "asyncpg": Asyncpg,
    "asyncpg-pool": AsyncpgPooled,
    "sqlalchemy-connection-psycopg": _sqlalchemy(SQLAlchemy, "psycopg", session=False),
    "sqlalchemy-session-psycopg": _sqlalchemy(SQLAlchemy, "psycopg", session=True),
    "sqlalchemy-connection-psycopg2": _sqlalchemy(SQLAlchemy, "psycopg2", session=False),
    "sqlalchemy-session-psycopg2": _sqlalchemy(SQLAlchemy, "psycopg2", session=True),
    "sqlalchemy-async-connection-psycopg": _sqlalchemy(AsyncSQLAlchemy, "psycopg", session=False),
    "sqlalchemy-async-session-psycopg": _sqlalchemy(AsyncSQLAlchemy, "psycopg", session=True),
    "sqlalchemy-async-connection-asyncpg": _sqlalchemy(AsyncSQLAlchemy, "asyncpg", session=False),
    "sqlalchemy-async-session-asyncpg": _sqlalchemy(AsyncSQLAlchemy, "asyncpg", session=True),
    "django": Django,
}
DRIVERS: dict[str, Callable[[str], AbstractAsyncContextManager[Driver]]] = {
    name: _opener(kind) for name, kind in KINDS.items()
}
"""The kinds of connections, each with an instance of ours beside it."""
