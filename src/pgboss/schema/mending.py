"""The DDL that brings a table, or a part of one, to what the expected catalog says.

Statements name everything with its schema and depend on no setting. ``schema`` is the schema's name as the server
spells it, which is an SQL identifier.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pgboss.core.names import quote_identifier
from pgboss.schema.catalog import Column, Constraint, Index, Table

__all__ = [
    "add_column",
    "add_columns",
    "add_constraint",
    "attach",
    "build_index",
    "create_table",
    "detach",
    "drop_column",
    "drop_constraint",
    "keys_first",
    "rebuild_index",
    "reset_default",
    "retype_column",
    "set_nullability",
]


def create_table(schema: str, table: Table) -> Iterator[str]:
    """Make a table that is missing, with its keys and indexes, and attach it where it belongs."""
    columns = ",\n  ".join(_column(column) for column in table.columns.values())
    partitioned = f" PARTITION BY {table.partition_key}" if table.partition_key else ""
    yield f"CREATE TABLE {_name(schema, table.name)} (\n  {columns}\n){partitioned};"
    for constraint in keys_first(table):
        yield add_constraint(schema, table, constraint)
    for index in table.indexes.values():
        yield _everywhere(index)
    if table.parent:
        yield attach(schema, table)


def attach(schema: str, table: Table) -> str:
    """Make a table the partition that it should be."""
    return (
        f"ALTER TABLE {_name(schema, table.parent or '')} ATTACH PARTITION {_name(schema, table.name)} {table.bound};"
    )


def detach(schema: str, table: Table) -> str:
    return f"ALTER TABLE {_name(schema, table.parent or '')} DETACH PARTITION {_name(schema, table.name)};"


def add_column(schema: str, table: Table, column: Column) -> str:
    return f"{_alter(schema, table)} ADD COLUMN {_column(column)};"


def add_columns(schema: str, table: Table, names: Iterable[str]) -> str:
    """Add columns in one go; those that are there already stay as they are."""
    columns = ",\n  ".join(f"ADD COLUMN IF NOT EXISTS {_column(table.columns[name])}" for name in names)
    return f"{_alter(schema, table)}\n  {columns};"


def drop_column(schema: str, table: Table, name: str) -> str:
    return f"{_alter(schema, table)} DROP COLUMN {quote_identifier(name)};"


def retype_column(schema: str, table: Table, column: Column) -> Iterator[str]:
    """Change a column's type, and its default with it: the old one may not fit the new type."""
    name = quote_identifier(column.name)
    yield f"{_alter(schema, table)} ALTER COLUMN {name} DROP DEFAULT;"
    yield f"{_alter(schema, table)} ALTER COLUMN {name} TYPE {column.type} USING {name}::{column.type};"
    if column.default is not None:
        yield reset_default(schema, table, column)


def reset_default(schema: str, table: Table, column: Column) -> str:
    change = "DROP DEFAULT" if column.default is None else f"SET DEFAULT {column.default}"
    return f"{_alter(schema, table)} ALTER COLUMN {quote_identifier(column.name)} {change};"


def set_nullability(schema: str, table: Table, column: Column) -> str:
    change = "SET NOT NULL" if column.not_null else "DROP NOT NULL"
    return f"{_alter(schema, table)} ALTER COLUMN {quote_identifier(column.name)} {change};"


def keys_first(table: Table) -> list[Constraint]:
    """A table's constraints, primary key first: a foreign key may refer to it, in the same table too."""
    return sorted(table.constraints.values(), key=lambda constraint: constraint.kind != "p")


def add_constraint(schema: str, table: Table, constraint: Constraint) -> str:
    return f"{_alter(schema, table)} ADD CONSTRAINT {quote_identifier(constraint.name)} {constraint.definition};"


def drop_constraint(schema: str, table: Table, name: str) -> str:
    return f"{_alter(schema, table)} DROP CONSTRAINT {quote_identifier(name)};"


def build_index(table: Table, index: Index) -> str:
    """Build an index that is missing, while others go on writing where PostgreSQL can do that."""
    if table.partition_key:
        return _everywhere(index)
    return f"{index.definition.replace(' INDEX ', ' INDEX CONCURRENTLY ', 1)};"


def rebuild_index(schema: str, table: Table, index: Index) -> Iterator[str]:
    """Replace an index that is invalid or not what it should be."""
    concurrently = "" if table.partition_key else "CONCURRENTLY "
    yield f"DROP INDEX {concurrently}{_name(schema, index.name)};"
    yield build_index(table, index)


def _everywhere(index: Index) -> str:
    # So is an index on a partitioned table spelled; run like that it would stay invalid, and reach no partition.
    return f"{index.definition.replace(' ON ONLY ', ' ON ', 1)};"


def _column(column: Column) -> str:
    default = "" if column.default is None else f" DEFAULT {column.default}"
    return f"{quote_identifier(column.name)} {column.type}{default}{' NOT NULL' if column.not_null else ''}"


def _alter(schema: str, table: Table) -> str:
    return f"ALTER TABLE {_name(schema, table.name)}"


def _name(schema: str, name: str) -> str:
    return f"{schema}.{quote_identifier(name)}"
