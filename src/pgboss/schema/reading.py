"""Reading a live schema's catalog.

Definitions are spelled by the server, and how it spells them depends on the session: run
:func:`canonical_spelling` first, in the same transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from pgboss.core.names import SchemaName
from pgboss.core.query import Query, Rows, Steps
from pgboss.schema.catalog import Catalog, Column, Constraint, Function, Index, Table

__all__ = ["canonical_spelling", "partitioned_queues", "quoted_name", "read_catalog", "unfinished_builds"]

T = TypeVar("T")


def canonical_spelling() -> Query:
    """Make the rest of this transaction spell definitions one way: qualified, unquoted, in UTC."""
    return Query(
        """
        SELECT set_config('search_path', '', true),
               set_config('quote_all_identifiers', 'off', true),
               set_config('intervalstyle', 'postgres', true),
               set_config('datestyle', 'ISO, MDY', true),
               set_config('timezone', 'UTC', true)
        """
    )


def quoted_name(schema: SchemaName) -> Query:
    """The schema's name as the server writes it in definitions: quoted only where it has to be."""
    return Query("SELECT quote_ident($1::text)", (schema.catalog_name,))


def read_catalog(schema: SchemaName) -> Steps[Catalog]:
    """Read what the schema holds; the catalog is empty when there is no such schema."""
    name = schema.catalog_name
    tables = yield _tables(name)
    columns = _by_table((yield _columns(name)), Column)
    constraints = _by_table((yield _constraints(name)), Constraint)
    indexes = _by_table((yield _indexes(name)), Index)
    functions = yield _functions(name)
    states = yield _states(name)
    return Catalog(
        tables={
            row["name"]: Table(
                name=row["name"],
                partition_key=row["partition_key"],
                parent=row["parent"],
                bound=row["bound"],
                row_security=row["row_security"],
                triggers=tuple(row["triggers"]),
                columns=columns.get(row["name"], {}),
                constraints=constraints.get(row["name"], {}),
                indexes=indexes.get(row["name"], {}),
            )
            for row in tables
        },
        functions=_by_name(Function(**row) for row in functions),
        states=tuple(states.column()),
    )


def partitioned_queues(schema: SchemaName) -> Query:
    """The queues that have, or ought to have, a job table of their own."""
    return Query(
        f"""
        SELECT name, policy, table_name
          FROM {schema.table("queue")}
         WHERE partition AND table_name <> 'job_common'
         ORDER BY name
        """
    )


def unfinished_builds(schema: SchemaName) -> Query:
    """The index builds that pg-boss has put off and not finished yet."""
    return Query(f"SELECT command FROM {schema.table('bam')} WHERE status <> 'completed'")


def _by_table(rows: Rows, kind: Callable[..., T]) -> dict[str, dict[str, T]]:
    grouped: dict[str, dict[str, T]] = {}
    for row in rows:
        table: Any = row.pop("table_name")
        grouped.setdefault(table, {})[row["name"]] = kind(**row)
    return grouped


def _by_name(functions: Iterable[Function]) -> dict[str, tuple[Function, ...]]:
    grouped: dict[str, tuple[Function, ...]] = {}
    for function in functions:
        grouped[function.name] = (*grouped.get(function.name, ()), function)
    return grouped


def _tables(schema: str) -> Query:
    return Query(
        """
        SELECT c.relname::text AS name,
               pg_get_partkeydef(c.oid) AS partition_key,
               parent.relname::text AS parent,
               pg_get_expr(c.relpartbound, c.oid) AS bound,
               c.relrowsecurity AS row_security,
               ARRAY(SELECT t.tgname::text FROM pg_catalog.pg_trigger t
                      WHERE t.tgrelid = c.oid AND NOT t.tgisinternal ORDER BY t.tgname) AS triggers
          FROM pg_catalog.pg_class c
          JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
          LEFT JOIN pg_catalog.pg_inherits i ON i.inhrelid = c.oid AND c.relispartition
          LEFT JOIN pg_catalog.pg_class parent ON parent.oid = i.inhparent
         WHERE n.nspname = $1::text AND c.relkind IN ('r', 'p')
         ORDER BY c.relname
        """,
        (schema,),
    )


def _columns(schema: str) -> Query:
    return Query(
        """
        SELECT c.relname::text AS table_name,
               a.attname::text AS name,
               format_type(a.atttypid, a.atttypmod) AS type,
               a.attnotnull AS not_null,
               pg_get_expr(d.adbin, d.adrelid) AS "default"
          FROM pg_catalog.pg_attribute a
          JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
          JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
          LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
         WHERE n.nspname = $1::text AND c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped
         ORDER BY c.relname, a.attnum
        """,
        (schema,),
    )


def _constraints(schema: str) -> Query:
    # NOT NULL is read with the columns: PostgreSQL 18 keeps it among the constraints as well, older ones do not.
    return Query(
        """
        SELECT c.relname::text AS table_name,
               k.conname::text AS name,
               k.contype::text AS kind,
               pg_get_constraintdef(k.oid) AS definition
          FROM pg_catalog.pg_constraint k
          JOIN pg_catalog.pg_class c ON c.oid = k.conrelid
          JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
         WHERE n.nspname = $1::text AND k.contype <> 'n'
         ORDER BY c.relname, k.conname
        """,
        (schema,),
    )


def _indexes(schema: str) -> Query:
    return Query(
        """
        SELECT t.relname::text AS table_name,
               c.relname::text AS name,
               pg_get_indexdef(i.indexrelid) AS definition,
               i.indisvalid AS valid
          FROM pg_catalog.pg_index i
          JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
          JOIN pg_catalog.pg_class t ON t.oid = i.indrelid
          JOIN pg_catalog.pg_namespace n ON n.oid = t.relnamespace
         WHERE n.nspname = $1::text AND t.relkind IN ('r', 'p')
           AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint k WHERE k.conindid = i.indexrelid
                              AND k.conrelid = i.indrelid)
         ORDER BY t.relname, c.relname
        """,
        (schema,),
    )


def _functions(schema: str) -> Query:
    # A function with an SQL body has no source; its expression ends what pg_get_functiondef writes.
    return Query(
        r"""
        SELECT p.proname::text AS name,
               pg_get_function_arguments(p.oid) AS arguments,
               pg_get_function_identity_arguments(p.oid) AS types,
               pg_get_function_result(p.oid) AS returns,
               p.provolatile::text AS volatility,
               CASE WHEN p.prosrc <> '' THEN p.prosrc
                    ELSE substring(pg_get_functiondef(p.oid) FROM '\n ?((?:RETURN|BEGIN ATOMIC)\s.*)$')
                END AS body
          FROM pg_catalog.pg_proc p
          JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
         WHERE n.nspname = $1::text AND p.prokind = 'f'
         ORDER BY p.proname, p.oid
        """,
        (schema,),
    )


def _states(schema: str) -> Query:
    return Query(
        """
        SELECT e.enumlabel::text AS label
          FROM pg_catalog.pg_enum e
          JOIN pg_catalog.pg_type t ON t.oid = e.enumtypid
          JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
         WHERE n.nspname = $1::text AND t.typname = 'job_state'
         ORDER BY e.enumsortorder
        """,
        (schema,),
    )
