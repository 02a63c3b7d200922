"""The PostgreSQL of the suite: one private server a session, a fresh database a test.

Set ``TEST_DATABASE_URL`` (a URI, of a role that may create databases) to run the suite on a server that is there
already: databases are then made on that one, and dropped again.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from itertools import count
from typing import Any, Protocol
from urllib.parse import quote, urlsplit

import psycopg
import pytest
from psycopg.rows import dict_row

from pgboss import SyncPgBoss, embedded

__all__ = [
    "PostgresServer",
    "Template",
    "copy_of",
    "database_url",
    "fresh_database_name",
    "postgres",
    "sql",
    "sql_value",
    "template",
    "templates",
]

EMPTY_TEMPLATE = "template0"
INSTALLING = {"boss": "pgboss", "installed": "pgboss", "twins": "our_side"}
"""The fixtures that start an instance of ours on an empty schema, and its name."""

_numbers = count(1)


class Template(Protocol):
    """The name of a database that has nothing but this schema, installed by us."""

    def __call__(self, schema: str) -> str: ...


class PostgresServer(Protocol):
    """What the suite needs of a server; the embedded one has it by nature."""

    def dsn_for(self, database: str) -> str: ...

    def create_database(self, name: str, template: str | None = None) -> str: ...

    def drop_database(self, name: str) -> None: ...


class ForeignServer:
    """A server that somebody else runs, reached by ``TEST_DATABASE_URL``."""

    def __init__(self, url: str) -> None:
        self._url = url

    def dsn_for(self, database: str) -> str:
        return urlsplit(self._url)._replace(path="/" + quote(database, safe="")).geturl()

    def create_database(self, name: str, template: str | None = None) -> str:
        sql(self._url, f'CREATE DATABASE "{name}" TEMPLATE "{template or EMPTY_TEMPLATE}"')
        return self.dsn_for(name)

    def drop_database(self, name: str) -> None:
        sql(self._url, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """The session's server: make databases on it, drop them again, and change nothing else of it."""
    url = os.environ.get("TEST_DATABASE_URL")
    if url:
        yield ForeignServer(url)
    else:
        with embedded.throwaway() as server:
            yield server


def templates(postgres: PostgresServer) -> Iterator[Template]:
    """Databases to copy, made when they are first asked for: copying one takes a fraction of installing a schema."""
    names: dict[str, str] = {}

    def with_schema(schema: str) -> str:
        if schema not in names:
            name = fresh_database_name("template")
            with SyncPgBoss(postgres.create_database(name, EMPTY_TEMPLATE), schema=schema, pool_size=1):
                names[schema] = name
        return names[schema]

    yield with_schema
    for name in names.values():
        postgres.drop_database(name)


@pytest.fixture(scope="session")
def template(postgres: PostgresServer) -> Iterator[Template]:
    """Those of the session's server; a module with a server of its own has to have its own."""
    yield from templates(postgres)


@pytest.fixture
def database_url(request: pytest.FixtureRequest, postgres: PostgresServer, template: Template) -> Iterator[str]:
    """The URL of a database that this test has for itself.

    It is empty, but for the schema that a fixture of the test would install first thing (``INSTALLING``).
    """
    schema = next((INSTALLING[fixture] for fixture in request.fixturenames if fixture in INSTALLING), None)
    yield from copy_of(postgres, template(schema) if schema else EMPTY_TEMPLATE)


def copy_of(postgres: PostgresServer, template: str) -> Iterator[str]:
    """The URL of a database made for whoever asks, and dropped after."""
    name = fresh_database_name()
    yield postgres.create_database(name, template)
    postgres.drop_database(name)


def fresh_database_name(purpose: str = "test") -> str:
    """A name that no other test, and no other run on the same server, uses."""
    return f"pgboss_{purpose}_{os.getpid()}_{next(_numbers)}"


def sql(url: str, statement: str, parameters: Sequence[object] = ()) -> list[dict[str, Any]]:
    """Run a statement (``%s`` placeholders) on a connection of its own, committed at once; returns its rows by name.

    Without parameters the text may hold several statements and literal ``%``; the rows are those of the last one.
    """
    with psycopg.connect(url, autocommit=True, row_factory=dict_row) as connection:
        cursor = connection.execute(statement, parameters or None)
        while cursor.nextset():
            pass
        return cursor.fetchall() if cursor.description else []


def sql_value(url: str, statement: str, parameters: Sequence[object] = ()) -> Any:
    """The first value of the first row; ``None`` when there is no row."""
    rows = sql(url, statement, parameters)
    return next(iter(rows[0].values())) if rows else None
