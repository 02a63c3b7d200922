"""Pauses: what Python's workers claim nothing of for now."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias

__all__ = ["Pause", "PauseKind"]

PauseKind: TypeAlias = Literal["queue", "instance"]


@dataclass(frozen=True, slots=True)
class Pause:
    """A queue, or an instance, of which nothing is claimed until it is resumed.

    Attributes:
        kind: what is paused.
        target: the queue's name, or the instance's id.
        paused_on: since when.
    """

    kind: PauseKind
    target: str
    paused_on: datetime
