"""The savepoint around a guarded statement, for drivers that leave savepoints to their callers."""

from __future__ import annotations

from pgboss.core.query import Script, Statement

__all__ = ["RELEASE", "ROLLBACK", "SAVEPOINT", "is_guarded"]

# One name serves all: a savepoint hides one of the same name until it is released.
SAVEPOINT = "SAVEPOINT pgboss_guard"
RELEASE = "RELEASE SAVEPOINT pgboss_guard"
ROLLBACK = "ROLLBACK TO SAVEPOINT pgboss_guard; RELEASE SAVEPOINT pgboss_guard"


def is_guarded(statement: Statement) -> bool:
    """Whether the operation means to catch this statement's error."""
    return not isinstance(statement, Script) and statement.guarded
