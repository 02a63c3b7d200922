"""What an instance tells those who listen to it: docs/compatibility.md, "Events" and "Warnings"."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias
from uuid import UUID

__all__ = ["EVENTS", "BamEvent", "ErrorEvent", "EventName", "FlowEvent", "WarningEvent"]

EventName: TypeAlias = Literal["error", "warning", "wip", "stopped", "bam", "flow"]
EVENTS: Final = ("error", "warning", "wip", "stopped", "bam", "flow")


@dataclass(frozen=True, slots=True)
class ErrorEvent:
    """Something that runs in the background failed, and will be tried again.

    Attributes:
        error: what was raised.
        duty: what failed, in words.
        queue: whose queue it was about, if it was about one.
        worker: which worker met with it.
    """

    error: BaseException
    duty: str
    queue: str | None = None
    worker: UUID | None = None


@dataclass(frozen=True, slots=True)
class WarningEvent:
    """Something that somebody should look at.

    Attributes:
        type: pg-boss's name of this kind of warning, such as ``queue_backlog``.
        message: what it is, for people.
        data: the same for programs, with pg-boss's keys.
    """

    type: str
    message: str
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class BamEvent:
    """An index build in the background began, or ended."""

    id: UUID
    name: str
    status: Literal["in_progress", "completed", "failed"]
    queue: str | None
    table: str
    error: str | None = None


@dataclass(frozen=True, slots=True)
class FlowEvent:
    """Parents of flows were counted off: how many, in which job table."""

    table: str
    resolved: int
