"""Comparing the tables of a live schema with the expected ones.

What a partition inherits (columns, types, the primary key) is reported once, at its parent: mending the parent mends
the partition, and mending both would fail.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pgboss.schema import mending
from pgboss.schema.catalog import Column, Table
from pgboss.schema.findings import Finding
from pgboss.schema.manifest import JOB_TABLE

__all__ = ["compare_tables"]

_INDEX_OF_BUILD = re.compile(
    r"CREATE\s+(?:UNIQUE\s+)?INDEX\s+(?:CONCURRENTLY\s+)?(?:IF\s+NOT\s+EXISTS\s+)?\"?([\w$]+)", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class _Pair:
    """One table as it should be and as it is, and the same of the table it is a partition of."""

    schema: str
    wanted: Table
    found: Table
    wanted_parent: Table | None
    found_parent: Table | None

    @property
    def inherits(self) -> bool:
        return self.found_parent is not None and self.found.parent == self.wanted.parent

    @property
    def holds_jobs(self) -> bool:
        return JOB_TABLE in (self.wanted.name, self.wanted.parent)

    def part(self, name: str) -> str:
        return f"{self.wanted.name}.{name}"


def compare_tables(
    schema: str, wanted: Mapping[str, Table], found: Mapping[str, Table], builds: list[str]
) -> Iterator[Finding]:
    """Everything that is wrong with the tables, parents before their partitions.

    Args:
        schema: the schema's name as the server spells it.
        wanted: the expected tables.
        found: all tables of the schema.
        builds: commands of index builds that pg-boss has put off.
    """
    building = {match[1] for command in builds if (match := _INDEX_OF_BUILD.search(command))}
    for name, table in wanted.items():
        if name not in found:
            yield Finding("missing table", name, "The table is not there.", tuple(mending.create_table(schema, table)))
            continue
        pair = _Pair(schema, table, found[name], wanted.get(table.parent or ""), found.get(found[name].parent or ""))
        yield from _compare_columns(pair)
        yield from _compare_constraints(pair)
        # After its columns: a table can only be attached when it has all of them.
        yield from _compare_partitioning(pair)
        yield from _compare_indexes(pair, building)
        yield from _notes(pair)
    yield from _strays(wanted, found)


def _compare_partitioning(pair: _Pair) -> Iterator[Finding]:
    wanted, found = pair.wanted, pair.found
    if found.partition_key != wanted.partition_key:
        yield Finding(
            "different table",
            wanted.name,
            f"It is partitioned by {found.partition_key or 'nothing'} instead of {wanted.partition_key or 'nothing'}, "
            "which cannot be changed in place.",
        )
    elif wanted.parent and found.parent != wanted.parent:
        yield Finding(
            "detached partition",
            wanted.name,
            f"It is no partition of {wanted.parent}, so its jobs are not found there.",
            (mending.attach(pair.schema, wanted),),
        )
    elif wanted.parent and found.bound != wanted.bound:
        yield Finding(
            "different partition",
            wanted.name,
            f"It takes rows {found.bound} instead of {wanted.bound}.",
            (mending.detach(pair.schema, wanted), mending.attach(pair.schema, wanted)),
        )


def _compare_columns(pair: _Pair) -> Iterator[Finding]:
    for name, wanted in pair.wanted.columns.items():
        found = pair.found.columns.get(name)
        if found is None:
            if not pair.inherits:
                yield Finding(
                    "missing column",
                    pair.part(name),
                    f"The column ({wanted.type}) is not there.",
                    (mending.add_column(pair.schema, pair.wanted, wanted),),
                )
        elif found != wanted:
            yield from _compare_column(pair, wanted, found)
    if not pair.inherits:
        for name in sorted(pair.found.columns.keys() - pair.wanted.columns.keys()):
            yield Finding(
                "extra column",
                pair.part(name),
                "pg-boss does not know this column, and its own drift check complains about it. Dropping it drops what "
                "it holds.",
                (mending.drop_column(pair.schema, pair.wanted, name),),
                loses_data=True,
            )


def _compare_column(pair: _Pair, wanted: Column, found: Column) -> Iterator[Finding]:
    differences: list[str] = []
    mend: list[str] = []
    if found.type != wanted.type and not pair.inherits:
        differences.append(f"it is of type {found.type} instead of {wanted.type}")
        mend.extend(mending.retype_column(pair.schema, pair.wanted, wanted))
    elif found.default != wanted.default and not _differs_above(pair, wanted, "default"):
        differences.append(f"its default is {found.default or 'NULL'} instead of {wanted.default or 'NULL'}")
        mend.append(mending.reset_default(pair.schema, pair.wanted, wanted))
    if found.not_null != wanted.not_null and not _differs_above(pair, wanted, "not_null"):
        differences.append("it may be NULL" if wanted.not_null else "it must not be NULL")
        mend.append(mending.set_nullability(pair.schema, pair.wanted, wanted))
    if differences:
        yield Finding("different column", pair.part(wanted.name), _sentence(" and ".join(differences)), tuple(mend))


def _differs_above(pair: _Pair, wanted: Column, attribute: str) -> bool:
    """Whether the parent's column has the same fault, so that mending it there mends it here."""
    if not pair.inherits or pair.found_parent is None:
        return False
    above = pair.found_parent.columns.get(wanted.name)
    return above is None or above.type != wanted.type or getattr(above, attribute) != getattr(wanted, attribute)


def _compare_constraints(pair: _Pair) -> Iterator[Finding]:
    wanted_definitions = {constraint.definition for constraint in pair.wanted.constraints.values()}
    found_definitions = {constraint.definition: constraint.name for constraint in pair.found.constraints.values()}
    for wanted in mending.keys_first(pair.wanted):
        name = wanted.name
        found = pair.found.constraints.get(name)
        if found is not None and found.definition == wanted.definition:
            continue
        if found is not None:
            yield Finding(
                "different constraint",
                pair.part(name),
                f"It is {found.definition} instead of {wanted.definition}.",
                (
                    mending.drop_constraint(pair.schema, pair.wanted, name),
                    mending.add_constraint(pair.schema, pair.wanted, wanted),
                ),
            )
        elif wanted.definition in found_definitions:
            yield Finding(
                "renamed constraint",
                pair.part(name),
                f"It is there under the name {found_definitions[wanted.definition]}.",
                note=True,
            )
        elif not (wanted.kind == "p" and pair.inherits and _lacks_primary_key(pair.found_parent)):
            yield Finding(
                "missing constraint",
                pair.part(name),
                f"{wanted.definition} is not there. Rows that break it must go before it can come back.",
                (mending.add_constraint(pair.schema, pair.wanted, wanted),),
            )
    for name, found in pair.found.constraints.items():
        if name not in pair.wanted.constraints and found.definition not in wanted_definitions:
            yield Finding(
                "extra constraint",
                pair.part(name),
                f"pg-boss does not know {found.definition}; it may refuse rows that pg-boss writes.",
                () if pair.holds_jobs else (mending.drop_constraint(pair.schema, pair.wanted, name),),
                note=pair.holds_jobs,
            )


def _lacks_primary_key(table: Table | None) -> bool:
    return table is not None and all(constraint.kind != "p" for constraint in table.constraints.values())


def _compare_indexes(pair: _Pair, building: set[str]) -> Iterator[Finding]:
    for name, wanted in pair.wanted.indexes.items():
        found = pair.found.indexes.get(name)
        if (found is None or not found.valid) and name in building:
            yield Finding("building index", name, "pg-boss builds it in the background.", note=True)
        elif found is None:
            yield Finding(
                "missing index",
                name,
                f"The index on {pair.wanted.name} is not there.",
                (mending.build_index(pair.wanted, wanted),),
            )
        elif not found.valid:
            yield Finding(
                "invalid index",
                name,
                f"Its build on {pair.wanted.name} was broken off, so no query uses it.",
                tuple(mending.rebuild_index(pair.schema, pair.wanted, wanted)),
            )
        elif found.definition != wanted.definition:
            yield Finding(
                "different index",
                name,
                f"It is {found.definition!r} instead of {wanted.definition!r}.",
                tuple(mending.rebuild_index(pair.schema, pair.wanted, wanted)),
            )
    for name in sorted(pair.found.indexes.keys() - pair.wanted.indexes.keys()):
        yield Finding("extra index", name, f"pg-boss has no such index on {pair.wanted.name}.", note=True)


def _notes(pair: _Pair) -> Iterator[Finding]:
    if pair.found.row_security:
        yield Finding(
            "row security",
            pair.wanted.name,
            "Row level security is on: roles other than the owner see only what policies let them.",
            note=True,
        )
    for trigger in pair.found.triggers:
        yield Finding("extra trigger", pair.part(trigger), "pg-boss has no triggers.", note=True)


def _strays(wanted: Mapping[str, Table], found: Mapping[str, Table]) -> Iterator[Finding]:
    for name, table in found.items():
        if table.parent == JOB_TABLE and name not in wanted:
            yield Finding("stray partition", name, f"It takes jobs {table.bound}, and no queue owns it.", note=True)


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."
