"""Operations that begin by themselves, as tests see them."""

from __future__ import annotations

from typing import Any

from pgboss.drivers.psycopg import Ahead

__all__ = ["is_ready"]


def is_ready(ahead: Ahead[Any] | None) -> bool:
    """Whether it would be sent now: a statement that was slow the last time, on a busy machine, is prepared anew."""
    if ahead is None:
        return False
    statement = ahead._statement
    return statement._kept.trusted(statement._connection, statement._name) is not None
