"""An index of a job table, as the server's statistics know it: docs/compatibility.md, "Bloated indexes"."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["JobIndex"]


@dataclass(frozen=True, slots=True)
class JobIndex:
    """An index, as the last VACUUM or ANALYZE has found it.

    Attributes:
        name: the index.
        table: the job table that it belongs to.
        pages: its size in pages of 8 kB.
        entries: how many rows it leads to.
        bytes: its size right now.
        owned: whether our role may rebuild it.
    """

    name: str
    table: str
    pages: int
    entries: int
    bytes: int
    owned: bool
