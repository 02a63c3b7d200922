"""Databases for tests: each a copy of a template in which everything is installed, which takes a few milliseconds."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from threading import Thread
from typing import Protocol
from urllib.parse import quote, urlsplit

from pgboss import Jobs, PgBoss
from pgboss.core.names import quote_identifier
from pgboss.core.query import Query
from pgboss.drivers.psycopg import LoneConnection
from pgboss.errors import ConfigurationError

__all__ = ["TestDatabases", "open_databases"]

EMPTY_TEMPLATE = "template0"
STATEMENT_SECONDS = 60.0

_numbers = count(1)


class Server(Protocol):
    """Where databases are made; an embedded server has it by nature."""

    def create_database(self, name: str, template: str | None = None) -> str: ...

    def drop_database(self, name: str) -> None: ...


class TestDatabases:
    """Makes databases for tests on one server."""

    __test__ = False  # its name begins like that of a class of tests

    def __init__(self, server: Server, template: str) -> None:
        self._server = server
        self._template = template

    @contextmanager
    def fresh(self) -> Iterator[str]:
        """A database for one test; dropped at the end, whoever is still connected."""
        name = _unused_name()
        url = self._server.create_database(name, self._template)
        try:
            yield url
        finally:
            self._server.drop_database(name)


class ForeignServer:
    """A server that somebody else runs, where our role may make databases."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"postgresql", "postgres"}:
            raise ConfigurationError(
                "The server for tests must be given as a URL, such as postgresql://me:secret@localhost:5432/postgres, "
                "because the name of each test's database is put in its place."
            )
        self._url = parts

    def create_database(self, name: str, template: str | None = None) -> str:
        self._execute(
            f"CREATE DATABASE {quote_identifier(name)} TEMPLATE {quote_identifier(template or EMPTY_TEMPLATE)}"
        )
        return self._url._replace(path="/" + quote(name, safe="")).geturl()

    def drop_database(self, name: str) -> None:
        self._execute(f"DROP DATABASE IF EXISTS {quote_identifier(name)} WITH (FORCE)")

    def _execute(self, statement: str) -> None:
        connection = LoneConnection(self._url.geturl())
        try:
            connection.execute(Query(statement), within_seconds=STATEMENT_SECONDS)
        finally:
            connection.close()


@contextmanager
def open_databases(url: str | None, jobs: Sequence[Jobs]) -> Iterator[TestDatabases]:
    """Databases on the server at this URL, or on an embedded one, which ends with the block.

    Each holds the schema, the queues of these definitions and their subscriptions.
    """
    if url:
        yield from _with_template(ForeignServer(url), jobs)
        return
    from pgboss import embedded

    with embedded.throwaway() as server:
        yield from _with_template(server, jobs)


def _with_template(server: Server, jobs: Sequence[Jobs]) -> Iterator[TestDatabases]:
    template = _unused_name()
    try:
        _install(server.create_database(template, EMPTY_TEMPLATE), jobs)
        yield TestDatabases(server, template)
    finally:
        server.drop_database(template)


def _install(url: str, jobs: Sequence[Jobs]) -> None:
    async def install() -> None:
        boss = PgBoss(url, jobs=jobs, work=False, supervise=False, schedule=False, listen=False, pool_size=1)
        await boss.start()
        await boss.stop(timeout=0)

    # In a thread: the plugin of an async framework may have a loop running in this one.
    failures: list[BaseException] = []

    def run() -> None:
        try:
            asyncio.run(install())
        except BaseException as error:  # noqa: BLE001  it is raised where the fixture can be blamed for it
            failures.append(error)

    thread = Thread(target=run, name="pgboss test template")
    thread.start()
    thread.join()
    if failures:
        raise failures[0]


def _unused_name() -> str:
    """A name that no other test, and no other run on the same server, uses."""
    return f"pgboss_test_{os.getpid()}_{next(_numbers)}"
