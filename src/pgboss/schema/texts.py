"""Our DDL: ``.sql`` files beside this module, with one placeholder.

``{{schema}}`` stands for the schema's quoted identifier, inside function bodies and string literals too. That is
safe because :class:`~pgboss.core.names.SchemaName` admits no quote, percent sign, dollar sign, dot or backslash.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from importlib.resources import files

from pgboss.core.names import SchemaName
from pgboss.schema.version import SCHEMA_VERSION

__all__ = [
    "MANAGED_FUNCTIONS",
    "OWN_FUNCTIONS",
    "install_statements",
    "managed_expression",
    "managed_functions",
    "own_function",
    "own_source",
    "table",
    "upgrade",
    "upgrade_versions",
]

PLACEHOLDER = "{{schema}}"

# In the order they must be made. The day partitions come after job_now, which tells them what day it is.
_TABLES_BEFORE_FUNCTIONS = (
    "job_state",
    "version",
    "queue",
    "schedule",
    "subscription",
    "bam",
    "warning",
    "queue_stats",
    "job_dependency",
    "instance",
    "job",
)
_TABLES_AFTER_FUNCTIONS = ("job_common", "queue_stats_days")

OWN_FUNCTIONS = (
    "py_job_table_format",
    "py_job_tables",
    "py_job_table_run",
    "py_job_table_run_async",
    "py_job_indexes",
    "py_build_job_table",
    "py_create_queue",
    "py_delete_queue",
)
"""The functions that do the work, each after those it calls."""

MANAGED_FUNCTIONS = (
    "job_now",
    "job_table_format",
    "job_table_run",
    "job_table_run_async",
    "create_queue",
    "delete_queue",
)
"""The functions pg-boss calls: with us, one expression each over a function of ours."""

_EXPRESSION_BODY = re.compile(r"^RETURN (?P<expression>.+)$", re.MULTILINE)


def table(schema: SchemaName, name: str) -> str:
    """The DDL of one table, type or set of partitions, with its indexes."""
    return _render(schema, f"tables/{name}.sql")


def upgrade(schema: SchemaName, version: int) -> str:
    """What an upgrade to this version changes of what was there before."""
    return _render(schema, f"upgrades/{version}.sql")


@cache
def upgrade_versions() -> frozenset[int]:
    """The versions that have such a file."""
    folder = files("pgboss.schema").joinpath("ddl", "upgrades")
    return frozenset(int(entry.name.removesuffix(".sql")) for entry in folder.iterdir())


def own_function(schema: SchemaName, name: str) -> str:
    """The DDL of one function of ours; it replaces what is there."""
    return _render(schema, f"functions/{name}.sql")


def own_source(schema: SchemaName, name: str) -> str:
    """The body of a function of ours, as PostgreSQL stores it."""
    return own_function(schema, name).split("$body$")[1]


def managed_expression(schema: SchemaName, name: str) -> str:
    """The expression that a function which pg-boss calls consists of."""
    found = _EXPRESSION_BODY.search(_without_end(_render(schema, f"managed/{name}.sql")))
    if found is None:
        raise LookupError(f"managed/{name}.sql holds no line that begins with RETURN")
    return found["expression"]


def managed_functions(schema: SchemaName, *names: str) -> str:
    """The DDL of functions that pg-boss calls, in a block that suits any server; it replaces what is there.

    pg-boss's drift check compares function bodies as text, but has nothing to compare where the body is an SQL
    expression. Those exist since PostgreSQL 14; on 13 the same expression has to be a string.
    """
    modern = [_without_end(_render(schema, f"managed/{name}.sql")) for name in names]
    plain = [_EXPRESSION_BODY.sub(r"AS $body$ SELECT \g<expression> $body$", statement) for statement in modern]
    return f"""\
DO $managed$
BEGIN
  IF current_setting('server_version_num')::integer >= 140000 THEN
{_executed(modern)}
  ELSE
{_executed(plain)}
  END IF;
END
$managed$;
"""


def install_statements(schema: SchemaName) -> Iterator[str]:
    """Everything between the schema itself and its version row, in order, for one transaction."""
    yield from (table(schema, name) for name in _TABLES_BEFORE_FUNCTIONS)
    yield from (own_function(schema, name) for name in OWN_FUNCTIONS)
    yield managed_functions(schema, *MANAGED_FUNCTIONS)
    yield from (table(schema, name) for name in _TABLES_AFTER_FUNCTIONS)
    # The version comes last: whoever sees it sees a whole schema.
    yield f"INSERT INTO {schema.table('version')} (version) VALUES ({SCHEMA_VERSION});\n"


def _executed(statements: list[str]) -> str:
    return "\n".join(f"    EXECUTE $ddl$\n{_indented(statement, 6)}\n    $ddl$;" for statement in statements)


def _indented(text: str, columns: int) -> str:
    return "\n".join(" " * columns + line for line in text.splitlines())


def _without_end(statement: str) -> str:
    return statement.rstrip().removesuffix(";")


def _render(schema: SchemaName, path: str) -> str:
    return _read(path).replace(PLACEHOLDER, schema.sql)


@cache
def _read(path: str) -> str:
    return files("pgboss.schema").joinpath("ddl", path).read_text(encoding="utf-8")
