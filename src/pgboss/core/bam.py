"""Commands that migrations put off, index builds mostly: the rows of the table ``bam``, and what their text says.

docs/compatibility.md, "Index builds in the background".
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias
from uuid import UUID

__all__ = ["BamClaim", "BamEntry", "BamState", "BamStatus", "index_built_by", "outlives_client", "tagged"]

BamState: TypeAlias = Literal["pending", "in_progress", "completed", "failed"]

_NAME = r'"(?:[^"]|"")+"|[^\W\d][\w$]*'
_BUILD = re.compile(
    rf"\bCREATE\s+(?:UNIQUE\s+)?INDEX\s+CONCURRENTLY\s+(?:IF\s+NOT\s+EXISTS\s+)?(?P<name>{_NAME})", re.IGNORECASE
)
_CONCURRENT = re.compile(
    r"(?:\s|/\*.*?\*/)*(?:CREATE\s+(?:UNIQUE\s+)?INDEX|DROP\s+INDEX|REINDEX\s+(?:\([^)]*\)\s*)?INDEX)\s+CONCURRENTLY\b",
    re.IGNORECASE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class BamEntry:
    """A command that a migration has put off.

    Attributes:
        id: its row's id.
        name: what it is for.
        version: the schema version whose migration has put it off.
        status: ``pending``, ``in_progress``, ``completed`` or ``failed``; a failed one is tried again.
        queue: the queue whose own table it is about, if it is about one.
        table: the table it is about. Commands of a version for a table run one after the other.
        command: the SQL.
        error: why it failed.
        created_on: when it was put off.
        started_on: when it was last begun.
        completed_on: when it was completed, or failed.
    """

    id: UUID
    name: str
    version: int
    status: BamState
    queue: str | None
    table: str
    command: str
    error: str | None
    created_on: datetime
    started_on: datetime | None
    completed_on: datetime | None


@dataclass(frozen=True, slots=True)
class BamStatus:
    """How many commands have a status, and when the newest of them was put off."""

    status: BamState
    count: int
    last_created_on: datetime


@dataclass(frozen=True, slots=True)
class BamClaim:
    """A command that is ours to run.

    Attributes:
        started_on: when we claimed it; by it we know that it is still ours.
        prior_status: what it was before.
        prior_started_on: when it was begun before.
    """

    id: UUID
    name: str
    queue: str | None
    table: str
    command: str
    started_on: datetime
    prior_status: BamState
    prior_started_on: datetime | None

    @property
    def is_reattempt(self) -> bool:
        """Whether somebody has begun it before, and may have left half an index."""
        return self.prior_status != "pending"


def index_built_by(command: str) -> str | None:
    """The index that a command builds concurrently, as the catalog names it; ``None`` for every other command."""
    found = _BUILD.search(command)
    if found is None:
        return None
    name = found["name"]
    if name.startswith('"'):
        return name[1:-1].replace('""', '"')
    # Without a name there follows the table.
    return None if name.lower() == "on" else name.lower()


def outlives_client(command: str) -> bool:
    """Whether the server finishes a command whose client has gone, and can be seen to be at it by the table's lock."""
    return _CONCURRENT.match(command) is not None


def tagged(id: UUID, command: str) -> str:
    """The command beneath a comment that says whose it is, for whoever looks at ``pg_stat_activity``."""
    return f"/* pgboss bam {id} */\n{command}"
