"""From what the command line and the environment say to a database.

Commands look, and do what they are told: they never install the schema unasked.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

from pgboss.cli.invocation import invocation
from pgboss.errors import ConfigurationError

if TYPE_CHECKING:
    from pgboss.cli.reader import Reader
    from pgboss.core.names import SchemaName
    from pgboss.drivers.psycopg import Database

__all__ = ["open_boss", "open_database", "schema_name"]

# A command does one thing after another.
POOL_SIZE = 1


@contextmanager
def open_boss(context: typer.Context) -> Iterator[Reader]:
    """The client of one command, connected, on a schema that is installed.

    Raises:
        ConfigurationError: no database is named, or the name cannot be read.
        DatabaseUnavailableError: the server cannot be reached, or does not let us in.
        SchemaError: the schema is missing, or cannot be used.
    """
    from pgboss.cli.reader import Reader

    with Reader(
        database_dsn(context), schema=invocation(context).schema, pool_size=POOL_SIZE, migrate=False
    ) as connected:
        yield connected


@contextmanager
def open_database(context: typer.Context) -> Iterator[Database]:
    """The database alone, whatever is or is not installed in it.

    Raises:
        ConfigurationError: no database is named, or the name cannot be read.
        DatabaseUnavailableError: the server cannot be reached, or does not let us in.
    """
    from pgboss.drivers.psycopg import Database

    database = Database(database_dsn(context), pool_size=POOL_SIZE)
    database.open()
    try:
        yield database
    finally:
        database.close()


def database_dsn(context: typer.Context) -> str:
    """The database the user means: ``--dsn``, else ``DATABASE_URL``.

    Raises:
        ConfigurationError: neither is given.
    """
    from pgboss.settings import load_settings

    dsn = invocation(context).dsn or load_settings().database_url
    if not dsn:
        raise ConfigurationError(
            "No database is named. Give --dsn, or set DATABASE_URL, for example to "
            "postgresql://user:password@localhost:5432/app. Without one at hand, try `pgboss dev`."
        )
    return dsn


def schema_name(context: typer.Context) -> SchemaName:
    """The schema the user means: ``--schema``, else ``PGBOSS_SCHEMA``, else ``pgboss``.

    Raises:
        ConfigurationError: the name cannot be a schema's.
    """
    from pgboss.core.names import SchemaName
    from pgboss.settings import load_settings

    return SchemaName(invocation(context).schema or load_settings().pgboss_schema)
