"""What a schema holds, in the words of PostgreSQL's own catalog.

The expected schema and a live one are both described like this, so that they can be compared as plain text.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["Catalog", "Column", "Constraint", "Function", "Index", "PartitionedQueue", "Table"]


@dataclass(frozen=True, slots=True)
class Column:
    name: str
    type: str
    not_null: bool
    default: str | None


@dataclass(frozen=True, slots=True)
class Constraint:
    """A key, foreign key or check; ``kind`` is the catalog's letter for it (p, u, f, c, x)."""

    name: str
    kind: str
    definition: str


@dataclass(frozen=True, slots=True)
class Index:
    """An index that backs no constraint; the definition is a complete ``CREATE INDEX`` statement."""

    name: str
    definition: str
    valid: bool = True


@dataclass(frozen=True, slots=True)
class Table:
    """A table or partition; ``partition_key`` is set where it has partitions, ``bound`` where it is one."""

    name: str
    partition_key: str | None = None
    parent: str | None = None
    bound: str | None = None
    row_security: bool = False
    columns: Mapping[str, Column] = field(default_factory=dict)
    constraints: Mapping[str, Constraint] = field(default_factory=dict)
    indexes: Mapping[str, Index] = field(default_factory=dict)
    triggers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Function:
    """A function; ``body`` is its source, or its SQL expression from ``RETURN`` or ``BEGIN ATOMIC`` on."""

    name: str
    arguments: str
    types: str
    returns: str
    volatility: str
    body: str


@dataclass(frozen=True, slots=True)
class Catalog:
    """A schema's tables, its functions by name (several when overloaded), and the job states in order."""

    tables: Mapping[str, Table]
    functions: Mapping[str, tuple[Function, ...]]
    states: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PartitionedQueue:
    """A queue whose jobs lie in a table of their own."""

    name: str
    policy: str
    table_name: str
