"""Which columns a list of jobs has: those that were chosen, and any value within the data or the output."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from pgboss.core.job import JobDetails
from pgboss.core.result import reason_of
from pgboss.core.wire import JSON, Unreadable
from pgboss.web.redaction import redacted

__all__ = ["CHOICES", "Column", "JobRow", "columns_of", "job_row"]

CHOICES: Final[Mapping[str, str]] = {
    "id": "Job",
    "queue": "Queue",
    "state": "State",
    "key": "Key",
    "group": "Group",
    "priority": "Priority",
    "created": "Created",
    "due": "Due",
    "started": "Started",
    "ended": "Ended",
    "duration": "Ran for",
    "attempts": "Attempts",
    "error": "Error",
}
DEFAULT: Final = ("id", "queue", "state", "created", "ended", "duration", "attempts", "error")
WITHIN: Final = ("data", "output")
MOST_COLUMNS = 20
MOST_LETTERS = 120


@dataclass(frozen=True, slots=True)
class Column:
    """A column; ``path`` leads to a value within the data or the output, and is empty for the others."""

    name: str
    label: str
    path: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class JobRow:
    """A job in a list: why it failed, if it has, and its values by the names of columns that have a path."""

    job: JobDetails
    error: str | None
    values: Mapping[str, str]

    @property
    def reference(self) -> str:
        """What says which job is meant; no queue's name has a colon."""
        return f"{self.job.name}:{self.job.id}"


def columns_of(names: Iterable[str]) -> list[Column]:
    """The columns of these names, in their order; what is none is passed over, and nothing means the usual ones."""
    found = [column for name in dict.fromkeys(names) if (column := _column(name.strip())) is not None]
    return found[:MOST_COLUMNS] or [Column(name, CHOICES[name]) for name in DEFAULT]


def job_row(job: JobDetails, columns: Sequence[Column], hidden: frozenset[str]) -> JobRow:
    """A row of a list; what is to be hidden is."""
    output = redacted(job.output, hidden)
    within = {"data": redacted(job.data, hidden), "output": output}
    has_failed = job.state in ("failed", "retry") and output is not None
    values = {column.name: _text(_value_at(within, column.path)) for column in columns if column.path}
    return JobRow(job, reason_of(output) if has_failed else None, values)


def _column(name: str) -> Column | None:
    if name in CHOICES:
        return Column(name, CHOICES[name])
    path = name.split(".")
    return Column(name, name, path) if path[0] in WITHIN else None


def _value_at(value: JSON, path: Sequence[str]) -> JSON:
    for step in path:
        if isinstance(value, dict):
            value = value.get(step)
        elif isinstance(value, list) and step.isdecimal() and int(step) < len(value):
            value = value[int(step)]
        else:
            return None
    return value


def _text(value: JSON) -> str:
    if value is None or isinstance(value, Unreadable):
        return ""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= MOST_LETTERS else f"{text[: MOST_LETTERS - 1]}…"
