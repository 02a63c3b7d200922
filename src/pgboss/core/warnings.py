"""Warnings that were stored, for whoever looks later."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

__all__ = ["StoredWarning"]


@dataclass(frozen=True, slots=True)
class StoredWarning:
    """A row of the table ``warning``.

    Attributes:
        type: pg-boss's name of this kind of warning, such as ``queue_backlog``.
        message: what it is, for people.
        data: the same for programs, with pg-boss's keys.
        created_on: when it was stored.
    """

    id: UUID
    type: str
    message: str
    data: Any
    created_on: datetime
