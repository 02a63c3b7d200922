"""Checks of single values: each returns the value in plain form, or says what is wrong and what is allowed."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from enum import Enum
from typing import Any, Final, Literal, TypeAlias
from uuid import UUID

from pgboss.core.names import check_queue_name
from pgboss.errors import ValidationError

__all__ = [
    "DAY",
    "MATCHES",
    "MAX_DELAY_SECONDS",
    "MAX_INT4",
    "UNSET",
    "Check",
    "Match",
    "Policy",
    "Seconds",
    "StartAfter",
    "Unset",
    "a_queue_name",
    "as_uuid",
    "boolean",
    "check_integer",
    "filled_text",
    "integer",
    "one_of",
    "policy",
    "positive_seconds",
    "seconds",
    "start_after",
    "text",
]


class Unset(Enum):
    """The type of ``UNSET``."""

    UNSET = "UNSET"

    def __repr__(self) -> str:
        return "UNSET"

    def __bool__(self) -> bool:
        return False


UNSET: Final = Unset.UNSET
"""Absent: neither a value nor ``None``."""

Seconds: TypeAlias = int | timedelta
StartAfter: TypeAlias = datetime | timedelta | int | float | str
Policy: TypeAlias = Literal["standard", "short", "singleton", "stately", "exclusive", "key_strict_fifo"]
Match: TypeAlias = Literal["newest", "oldest", "all"]

POLICIES: Final = ("standard", "short", "singleton", "stately", "exclusive", "key_strict_fifo")
MATCHES: Final = ("newest", "oldest", "all")
MAX_INT4: Final = 2**31 - 1
DAY: Final = 24 * 60 * 60
MAX_DELAY_SECONDS: Final = 100_000_000_000
"""About 3000 years: what PostgreSQL can still add to its clock, either way, with room to spare."""

_SURROGATE = re.compile("[\ud800-\udfff]")

Check: TypeAlias = Callable[[str, Any], Any]


def check_integer(name: str, value: object, low: int, high: int = MAX_INT4) -> int:
    """Return the value if it is an integer (not a bool) within the range.

    Raises:
        ValidationError: it is not; the message names option, value and range.
    """
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        allowed = f"from {low} to {high}" if high < MAX_INT4 else f"of {low} or more"
        raise ValidationError(f"{name} must be an integer {allowed}, not {value!r}.")
    return value


def integer(low: int, high: int = MAX_INT4) -> Check:
    return lambda name, value: check_integer(name, value, low, high)


def seconds(low: int, high: int = MAX_INT4) -> Check:
    """Whole seconds, as an integer or a timedelta."""

    def check(name: str, value: object) -> int:
        if isinstance(value, timedelta):
            given = value.total_seconds()
            if not given.is_integer():
                raise ValidationError(f"{name} must be whole seconds, not {value!r}.")
            value = int(given)
        return check_integer(name, value, low, high)

    return check


def positive_seconds(name: str, value: object) -> float:
    """Seconds that need not be whole, as a number or a timedelta."""
    if isinstance(value, timedelta):
        value = value.total_seconds()
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value <= 0:
        raise ValidationError(f"{name} must be a positive number of seconds, not {value!r}.")
    return float(value)


def boolean(name: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise ValidationError(f"{name} must be True or False, not {value!r}.")
    return value


def text(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise ValidationError(f"{name} must be a string, not {value!r}.")
    if "\x00" in value:
        raise ValidationError(f"{name} must not hold the character U+0000: {value!r}.")
    if not value.isascii() and _SURROGATE.search(value):
        raise ValidationError(f"{name} must not hold a lone surrogate, which is not text: {value!r}.")
    return value


def filled_text(name: str, value: object) -> str:
    if not text(name, value):
        raise ValidationError(f"{name} must not be empty.")
    return text(name, value)


def a_queue_name(name: str, value: object) -> str:
    return check_queue_name(value, what=name)


def one_of(allowed: tuple[str, ...]) -> Check:
    def check(name: str, value: object) -> str:
        if value not in allowed:
            raise ValidationError(f"{name} must be one of {', '.join(allowed)}, not {value!r}.")
        return str(value)

    return check


policy = one_of(POLICIES)


def as_uuid(name: str, value: object) -> UUID:
    """Read a UUID, given as one or as text.

    Raises:
        ValidationError: it is neither.
    """
    try:
        return value if isinstance(value, UUID) else UUID(str(value))
    except ValueError:
        raise ValidationError(f"{name} must be a UUID, not {value!r}.") from None


def start_after(name: str, value: object) -> StartAfter:
    if isinstance(value, datetime) and value.tzinfo is None:
        raise ValidationError(f"{name} is a datetime without a time zone: {value!r}. Use datetime.now(timezone.utc).")
    if isinstance(value, bool) or not isinstance(value, datetime | timedelta | int | float | str):
        raise ValidationError(f"{name} must be a datetime, a timedelta, seconds or a string, not {value!r}.")
    if isinstance(value, str):
        return text(name, value)
    away = value.total_seconds() if isinstance(value, timedelta) else value
    # Written so that NaN, which compares false with everything, is refused as well.
    if not isinstance(away, datetime) and not abs(away) <= MAX_DELAY_SECONDS:
        raise ValidationError(f"{name} must be at most {MAX_DELAY_SECONDS} seconds away, not {value!r}.")
    return value
