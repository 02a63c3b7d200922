"""The SQLSTATEs that decisions hang on; messages are in the server's language and decide nothing."""

from __future__ import annotations

from typing import Final

__all__ = [
    "ACTIVE_TRANSACTION",
    "CHECK_VIOLATION",
    "DATETIME_ERRORS",
    "DEADLOCK_DETECTED",
    "DEPENDENTS_EXIST",
    "DUPLICATE_TABLE",
    "FEATURE_NOT_SUPPORTED",
    "FOREIGN_KEY_VIOLATION",
    "INSUFFICIENT_PRIVILEGE",
    "IN_FAILED_TRANSACTION",
    "LOCK_NOT_AVAILABLE",
    "RESTRICT_VIOLATION",
    "SERIALIZATION_FAILURE",
    "UNDEFINED_TABLE",
    "UNIQUE_VIOLATION",
    "WRONG_TABLE",
]

FEATURE_NOT_SUPPORTED: Final = "0A000"
ACTIVE_TRANSACTION: Final = "25001"
"""A command that must not stand in a transaction was given in one."""
DEPENDENTS_EXIST: Final = "2BP01"
RESTRICT_VIOLATION: Final = "23001"
"""What a foreign key with ON DELETE RESTRICT gives from PostgreSQL 18 on; before, it was FOREIGN_KEY_VIOLATION."""
FOREIGN_KEY_VIOLATION: Final = "23503"
UNIQUE_VIOLATION: Final = "23505"
CHECK_VIOLATION: Final = "23514"
SERIALIZATION_FAILURE: Final = "40001"
UNDEFINED_TABLE: Final = "42P01"
DUPLICATE_TABLE: Final = "42P07"
DATETIME_ERRORS: Final = frozenset({"22007", "22008", "22009", "22015", "22023"})
"""Text that is no time, or one out of range; 22023 is for a time zone that the server does not know."""
DEADLOCK_DETECTED: Final = "40P01"
IN_FAILED_TRANSACTION: Final = "25P02"
LOCK_NOT_AVAILABLE: Final = "55P03"
INSUFFICIENT_PRIVILEGE: Final = "42501"
WRONG_TABLE: Final = frozenset({UNDEFINED_TABLE, CHECK_VIOLATION})
"""A job table that is gone, or that does not take this queue's rows."""
