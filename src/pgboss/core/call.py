"""What a call of the client is about, for those who watch calls: telemetry and spies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

__all__ = ["Call", "CallKind"]

CallKind: TypeAlias = Literal["send", "receive", "settle"]


@dataclass(frozen=True, slots=True)
class Call:
    """A call about jobs.

    Attributes:
        operation: pg-boss's name of it.
        kind: what it does to jobs.
        destination: the queue, or the event; ``None`` where there is more than one, or none is known yet.
        attempted: how many jobs it is to create; ``None`` where only the result tells.
    """

    operation: str
    kind: CallKind
    destination: str | None = None
    attempted: int | None = None
