"""The statements that bring an older schema to the version of this release, for one transaction.

Most of an upgrade follows from two lists: what each version added (``history.py``), and what all of it looks like now
(the DDL of a fresh install, and ``manifest.json``). The rest, changes to what was there before, is in
``ddl/upgrades/<version>.sql``. docs/decisions/0010-upgrades-follow-from-the-history.md says why.

Indexes of job tables are not built here: that takes long, and would lock out all work. The builds are put off, as rows
of the table ``bam`` with pg-boss's own names and versions, and run by ``pgboss migrate`` or by any instance.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from pgboss.core.names import SchemaName, quote_literal
from pgboss.schema import mending
from pgboss.schema.catalog import Table
from pgboss.schema.history import HISTORY, Change, IndexBuild
from pgboss.schema.manifest import COMMON_TABLE, JOB_TABLE, expected_catalog
from pgboss.schema.texts import (
    MANAGED_FUNCTIONS,
    OWN_FUNCTIONS,
    managed_functions,
    own_function,
    table,
    upgrade,
    upgrade_versions,
)
from pgboss.schema.version import SCHEMA_VERSION

__all__ = ["upgrade_statements"]

QUEUE_STATS = "queue_stats"


def upgrade_statements(schema: SchemaName, version: int) -> Iterator[str]:
    """Everything that an upgrade from a version does, in order, up to the version row."""
    changes = [change for change in HISTORY if change.version > version]
    tables = expected_catalog(schema.sql, []).tables
    new = [name for change in changes for name in change.tables]
    yield from (f"{table(schema, name)}\n" for name in new)
    yield from _new_columns(schema, tables, changes, new)
    yield from (own_function(schema, name) for name in OWN_FUNCTIONS)
    yield managed_functions(schema, *MANAGED_FUNCTIONS)
    if QUEUE_STATS in new:
        yield table(schema, "queue_stats_days")
    for change in changes:
        # Builds before the rest: an index must be there before another goes that it replaces.
        yield from (_put_off(schema, tables[COMMON_TABLE], change, build) for build in change.indexes)
        if change.version in upgrade_versions():
            yield upgrade(schema, change.version)
    # The version comes last: whoever sees it sees a whole schema.
    yield f"UPDATE {schema.table('version')} SET version = {SCHEMA_VERSION};\n"


def _new_columns(
    schema: SchemaName, tables: Mapping[str, Table], changes: Collection[Change], new: Collection[str]
) -> Iterator[str]:
    """One statement a table. None of these columns makes PostgreSQL write the table anew."""
    added: dict[str, list[str]] = {}
    for change in changes:
        for name, columns in change.columns.items():
            if name not in new:
                added.setdefault(name, []).extend(columns)
    for name, names in added.items():
        yield f"{mending.add_columns(schema.sql, tables[name], names)}\n"


def _put_off(schema: SchemaName, common: Table, change: Change, build: IndexBuild) -> str:
    """The call that puts off an index build on every table that is to have it."""
    definition = common.indexes[f"{COMMON_TABLE}_i{build.number}"].definition
    command = (
        definition.replace(" INDEX ", " INDEX CONCURRENTLY IF NOT EXISTS ", 1)
        .replace(f"{COMMON_TABLE}_i{build.number}", f"{JOB_TABLE}_i{build.number}", 1)
        .replace(f".{COMMON_TABLE} ", f".{JOB_TABLE} ", 1)
    )
    function = schema.table("job_table_run_async")
    call = f"{function}({quote_literal(build.name)}, {change.version}, $command${command}$command$"
    if build.policy is None:
        return f"SELECT {call});\n"
    return f"""\
SELECT {call}, t.table_name, t.name)
  FROM (SELECT {quote_literal(COMMON_TABLE)} AS table_name, NULL::text AS name
        UNION ALL
        SELECT q.table_name, q.name FROM {schema.table("queue")} q
         WHERE q.partition AND q.policy = {quote_literal(build.policy)}) t;
"""
