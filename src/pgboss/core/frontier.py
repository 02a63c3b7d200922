"""Where a claim may begin, when the rows before it are known to be dead."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

__all__ = ["Frontier"]


@dataclass(frozen=True, slots=True)
class Frontier:
    """Jobs created earlier than this are left out of a claim.

    Attributes:
        priority: the one that most jobs are believed to have: of others more index entries are read.
        since: the earliest creation that counts, or ``None`` for that of ``seconds`` alone.
        seconds: whatever was created within so many seconds before the claim counts in any case.
    """

    priority: int
    since: datetime | None
    seconds: float
