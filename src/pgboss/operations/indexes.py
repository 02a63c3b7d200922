"""Finding indexes of job tables that have become much larger than they need be, and building them anew.

docs/compatibility.md, "Bloated indexes".
"""

from __future__ import annotations

from collections.abc import Sequence

from pgboss.core.checks import check_integer
from pgboss.core.instance_options import ReindexOptions
from pgboss.core.job_index import JobIndex
from pgboss.core.names import SchemaName
from pgboss.core.query import Script, Steps
from pgboss.schema.findings import Finding
from pgboss.sql import indexes as sql
from pgboss.sql import turns

__all__ = [
    "claim_turn",
    "commands_for",
    "drop",
    "find_all",
    "find_bloated",
    "find_leftovers",
    "get_commands",
    "rebuild",
    "run_command",
]

MAX_BYTES = 2**63 - 1


def claim_turn(schema: SchemaName, interval_seconds: float) -> Steps[bool]:
    """Whether this turn of rebuilding is ours; Node's instances make the same claim."""
    return len((yield turns.take(schema, "reindex_on", interval_seconds))) > 0


def find_bloated(
    schema: SchemaName, limits: ReindexOptions, tables: Sequence[str] | None = None
) -> Steps[list[JobIndex]]:
    """The bloated indexes of these job tables, or of all; the largest first."""
    rows = yield sql.bloated(schema, tables, limits.min_pages, limits.max_entries_per_page, limits.min_size_ratio)
    return [JobIndex(**row) for row in rows]


def find_all(schema: SchemaName, tables: Sequence[str] | None = None) -> Steps[list[JobIndex]]:
    """Every usable index of these job tables, or of all; the largest first."""
    return [JobIndex(**row) for row in (yield sql.all_of_jobs(schema, tables))]


def find_leftovers(
    schema: SchemaName, tables: Sequence[str] | None = None, *, any_owner: bool = False
) -> Steps[list[str]]:
    """Indexes that rebuilds have left behind without coming to their end, and that nobody is building."""
    return (yield sql.leftovers(schema, tables, any_owner)).column()


def drop(schema: SchemaName, index: str) -> Steps[None]:
    """Drop an index without locking anybody out, on a connection that is in no transaction."""
    yield Script(sql.drop(schema, index))


def rebuild(schema: SchemaName, index: str) -> Steps[None]:
    """Build an index anew without locking anybody out, on a connection that is in no transaction."""
    yield Script(sql.rebuild(schema, index))


def run_command(command: str) -> Steps[None]:
    """Run one of the commands below, on a connection that is in no transaction."""
    yield Script(command)


def get_commands(
    schema: SchemaName, limits: ReindexOptions, *, force: bool, max_index_bytes: int | None
) -> Steps[list[str]]:
    """The commands that rebuild what is bloated, or with ``force`` every index, whoever owns them.

    Raises:
        ValidationError: ``max_index_bytes`` is out of its range.
    """
    if max_index_bytes is not None:
        check_integer("max_index_bytes", max_index_bytes, 0, MAX_BYTES)
    found: list[JobIndex] = yield from find_all(schema) if force else find_bloated(schema, limits)
    names = [index.name for index in found if max_index_bytes is None or index.bytes <= max_index_bytes]
    return (yield from commands_for(schema, names, any_owner=True))


def commands_for(schema: SchemaName, names: Sequence[str], *, any_owner: bool) -> Steps[list[str]]:
    """The commands that rebuild these indexes, after those that clear away what earlier rebuilds have left."""
    if not names:
        return []
    leftovers: list[str] = yield from find_leftovers(schema, any_owner=any_owner)
    return [*(sql.drop(schema, name) for name in leftovers), *(sql.rebuild(schema, name) for name in names)]


def note_bloat(schema: SchemaName) -> Steps[list[Finding]]:
    """The bloated indexes as notes: the schema is as it should be, and slower than need be."""
    found: list[JobIndex] = yield from find_bloated(schema, ReindexOptions())
    return [
        Finding(
            "bloated index",
            index.name,
            f"{index.pages} pages for about {index.entries} entries; `pgboss reindex` rebuilds it.",
            note=True,
        )
        for index in found
    ]
