"""What lists have in common."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from fastapi import Query

__all__ = ["Limit"]

Limit: TypeAlias = Annotated[int, Query(ge=1, le=1000, description="At most this many.")]
