"""Installing and removing as SQL text: ``pgboss plans`` prints it and connects to nothing.

Run by psql or any other client, the text holds pg-boss's advisory lock through its one transaction, as a program
that installs does; so both may meet.
"""

from __future__ import annotations

from collections.abc import Iterator

from pgboss.core.names import CLOCK_TABLE, Lock, SchemaName, quote_literal
from pgboss.schema.manifest import managed_functions, managed_tables
from pgboss.schema.texts import install_statements
from pgboss.schema.upgrade import upgrade_statements

__all__ = ["CLOCK_TABLE", "create_plan", "drop_statements", "uninstall_plan", "upgrade_plan"]

WAIT_MILLISECONDS = 30_000


def create_plan(schema: SchemaName, *, create_schema: bool = True) -> str:
    """The script that installs the schema.

    Running it where pg-boss is installed already fails at its first table and changes nothing.

    Args:
        schema: where to install.
        create_schema: make the schema too when it is not there, which takes the right to create schemas.
    """
    body = "\n".join(install_statements(schema))
    return _in_transaction(schema, f"{create_schema_when_missing(schema)}\n{body}" if create_schema else body)


def upgrade_plan(schema: SchemaName, version: int) -> str:
    """The script that upgrades an older schema to the version of this release.

    Running it on a schema of another version fails at its first statement and changes nothing. The index builds that it
    puts off are run afterwards, by ``pgboss bam run`` or by any instance that may migrate.

    Args:
        schema: where pg-boss is installed.
        version: the version that is installed.
    """
    body = "\n".join(upgrade_statements(schema, version))
    return _in_transaction(schema, f"{_only_at(schema, version)}\n{body}")


def uninstall_plan(schema: SchemaName) -> str:
    """The script that removes all tables, functions and types of pg-boss and ours, with all jobs in them.

    The schema itself stays, and so does everything else in it.
    """
    return _in_transaction(schema, "\n".join(drop_statements(schema)))


def drop_statements(schema: SchemaName, *, cascade: bool = False) -> Iterator[str]:
    """What removes everything of pg-boss and ours; partitions go with the tables they belong to.

    Args:
        schema: where it is installed.
        cascade: take along what others have hung on it (views, foreign keys). Without it such things make it fail.
    """
    behaviour = "CASCADE" if cascade else "RESTRICT"
    functions = ", ".join(f"{schema.table(function.name)}({function.types})" for function in managed_functions())
    tables = ", ".join(schema.table(name) for name in (*managed_tables(), CLOCK_TABLE))
    yield f"DROP FUNCTION IF EXISTS {functions} {behaviour};"
    yield f"DROP TABLE IF EXISTS {tables} {behaviour};"
    yield f"DROP TYPE IF EXISTS {schema.table('job_state')} {behaviour};"


def create_schema_when_missing(schema: SchemaName) -> str:
    """Make the schema unless it is there.

    ``CREATE SCHEMA IF NOT EXISTS`` would ask for the right to create one even where there is nothing to create.
    """
    return f"""\
DO $install$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = {quote_literal(schema.catalog_name)}) THEN
    CREATE SCHEMA {schema.sql};
  END IF;
END
$install$;
"""


def _only_at(schema: SchemaName, version: int) -> str:
    return f"""\
DO $upgrade$
BEGIN
  IF (SELECT version FROM {schema.table("version")}) IS DISTINCT FROM {version} THEN
    RAISE EXCEPTION 'The schema is not at version {version}.';
  END IF;
END
$upgrade$;
"""


def _in_transaction(schema: SchemaName, body: str) -> str:
    return f"""\
BEGIN;

SET LOCAL lock_timeout = {WAIT_MILLISECONDS};
SET LOCAL idle_in_transaction_session_timeout = {WAIT_MILLISECONDS};

-- The lock that every pg-boss takes, Node or Python, before it installs or changes this schema. Its key is the
-- first eight bytes of a hash over the names of database and schema.
SELECT pg_advisory_xact_lock(({_lock_key(schema)})::bit(64)::bigint);

{body}
COMMIT;
"""


def _lock_key(schema: SchemaName) -> str:
    suffix = quote_literal(f".pgboss.{schema.normalised}{Lock.INSTALL}")
    text = f"convert_to(current_database() || {suffix}, getdatabaseencoding())"
    return f"'x' || encode(substring(sha224({text}) FROM 1 FOR 8), 'hex')"
