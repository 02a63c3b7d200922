"""Is pg-boss installed here, and what may this role do? Asked of the catalog alone.

Nothing here names an object that might be missing or out of bounds, so asking never puts an error into the server's
log, and any role may ask.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pgboss.core.names import SchemaName
from pgboss.core.query import Query, Steps
from pgboss.schema.manifest import COMMON_TABLE, JOB_TABLE, managed_columns, managed_functions, managed_tables
from pgboss.schema.texts import MANAGED_FUNCTIONS

__all__ = ["Presence", "case_variants", "leftovers", "read_presence", "read_version"]

_ONLY_WITH_PARTITIONS = {COMMON_TABLE, "job_table_format", "job_table_run", "job_table_run_async"}


@dataclass(frozen=True, slots=True)
class Presence:
    """What there is of pg-boss in a schema, and this role's rights to it."""

    role: str
    schema_exists: bool
    may_use: bool
    may_create_in_schema: bool
    may_create_schema: bool
    version_readable: bool
    partitioned: bool
    states: tuple[str, ...]
    columns: Mapping[str, frozenset[str]]
    functions: frozenset[str]

    @property
    def missing_tables(self) -> list[str]:
        """The tables of pg-boss that are not there."""
        return [name for name in self._needed(managed_tables()) if name not in self.columns]

    @property
    def missing_functions(self) -> list[str]:
        """The functions of pg-boss that are not there."""
        return [name for name in self._needed(MANAGED_FUNCTIONS) if name not in self.functions]

    @property
    def strangers(self) -> list[str]:
        """Tables that bear a name of ours and are something else: most of their columns are unknown to pg-boss."""
        return [
            name
            for name, columns in self.columns.items()
            if 2 * len(columns.intersection(managed_columns(name))) <= len(columns)
        ]

    def missing_columns(self, table: str) -> list[str]:
        return [column for column in managed_columns(table) if column not in self.columns.get(table, frozenset())]

    def _needed(self, names: tuple[str, ...]) -> list[str]:
        # Set up for databases without partitioning, pg-boss keeps all jobs in one plain table.
        plain = JOB_TABLE in self.columns and not self.partitioned
        return [name for name in names if not (plain and name in _ONLY_WITH_PARTITIONS)]


def read_presence(schema: SchemaName) -> Steps[Presence]:
    """Ask the catalog what is there."""
    row = (yield _presence(schema)).first() or {}
    columns: dict[str, set[str]] = {}
    for table_and_column in row["columns"]:
        table, column = table_and_column.split(".", 1)
        columns.setdefault(table, set()).add(column)
    return Presence(
        role=row["role"],
        schema_exists=row["schema_exists"],
        # A right to something that is not there comes back as NULL.
        may_use=row["may_use"] or False,
        may_create_in_schema=row["may_create_in_schema"] or False,
        may_create_schema=row["may_create_schema"],
        version_readable=row["version_readable"] or False,
        partitioned=row["partitioned"] or False,
        states=tuple(row["states"]),
        columns={table: frozenset(names) for table, names in columns.items()},
        functions=frozenset(row["functions"]),
    )


def read_version(schema: SchemaName) -> Query:
    """The installed version: one row, when all is well."""
    return Query(f"SELECT version FROM {schema.table('version')} LIMIT 2")


def case_variants(schema: SchemaName) -> Query:
    """Other schemas that hold pg-boss and whose name differs from this one by case alone."""
    return Query(
        """
        SELECT n.nspname::text AS name
          FROM pg_catalog.pg_namespace n
         WHERE lower(n.nspname) = lower($1::text) AND n.nspname <> $1::text
           AND EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.relnamespace = n.oid AND c.relname = 'version')
           AND EXISTS (SELECT FROM pg_catalog.pg_type t WHERE t.typnamespace = n.oid AND t.typname = 'job_state')
         ORDER BY n.nspname
        """,
        (schema.catalog_name,),
    )


def leftovers(schema: SchemaName) -> Query:
    """What else lives in the schema: relations but indexes, functions, and types of their own."""
    return Query(
        """
        SELECT pg_describe_object(o.classid, o.oid, 0) AS object
          FROM pg_catalog.pg_namespace n
          CROSS JOIN LATERAL (
            SELECT 'pg_catalog.pg_class'::regclass AS classid, c.oid FROM pg_catalog.pg_class c
             WHERE c.relnamespace = n.oid AND c.relkind NOT IN ('i', 'I', 'c', 't')
            UNION ALL
            SELECT 'pg_catalog.pg_proc'::regclass, p.oid FROM pg_catalog.pg_proc p WHERE p.pronamespace = n.oid
            UNION ALL
            SELECT 'pg_catalog.pg_type'::regclass, t.oid FROM pg_catalog.pg_type t
             WHERE t.typnamespace = n.oid AND t.typtype IN ('e', 'd')
          ) o
         WHERE n.nspname = $1::text
         ORDER BY 1
        """,
        (schema.catalog_name,),
    )


def _presence(schema: SchemaName) -> Query:
    # All in one statement: somebody may commit a whole installation between two.
    return Query(
        """
        SELECT current_user::text AS role,
               n.oid IS NOT NULL AS schema_exists,
               has_schema_privilege(n.oid, 'USAGE') AS may_use,
               has_schema_privilege(n.oid, 'CREATE') AS may_create_in_schema,
               has_database_privilege(current_database(), 'CREATE') AS may_create_schema,
               (SELECT has_table_privilege(c.oid, 'SELECT') FROM pg_catalog.pg_class c
                 WHERE c.relnamespace = n.oid AND c.relname = 'version') AS version_readable,
               (SELECT c.relkind = 'p' FROM pg_catalog.pg_class c
                 WHERE c.relnamespace = n.oid AND c.relname = 'job') AS partitioned,
               ARRAY(SELECT e.enumlabel::text
                       FROM pg_catalog.pg_enum e
                       JOIN pg_catalog.pg_type t ON t.oid = e.enumtypid
                      WHERE t.typnamespace = n.oid AND t.typname = 'job_state'
                      ORDER BY e.enumsortorder) AS states,
               ARRAY(SELECT p.proname::text FROM pg_catalog.pg_proc p
                      WHERE p.pronamespace = n.oid AND p.proname = ANY($2::text[])) AS functions,
               ARRAY(SELECT c.relname::text || '.' || a.attname::text
                       FROM pg_catalog.pg_class c
                       JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid
                      WHERE c.relnamespace = n.oid AND c.relname = ANY($3::text[]) AND c.relkind IN ('r', 'p')
                        AND a.attnum > 0 AND NOT a.attisdropped) AS columns
          FROM (SELECT) AS one
          LEFT JOIN pg_catalog.pg_namespace n ON n.nspname = $1::text
        """,
        (schema.catalog_name, [function.name for function in managed_functions()], list(managed_tables())),
    )
