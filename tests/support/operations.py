"""Running one operation as the drivers do, on a connection of its own."""

from __future__ import annotations

from typing import TypeVar

import psycopg

from pgboss.core.query import Operation
from pgboss.drivers.psycopg.sessions import PsycopgSession
from pgboss.drivers.runner import run

__all__ = ["run_operation"]

T = TypeVar("T")


def run_operation(url: str, operation: Operation[T]) -> T:
    """Run an operation to its end, in autocommit mode, so that it opens the transaction it asks for."""
    with psycopg.connect(url, autocommit=True) as connection:
        return run(PsycopgSession(connection), operation)
