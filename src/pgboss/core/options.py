"""What a caller may ask of a job, a queue or a fetch: one declaration an option, checked in one place.

Each options class is a frozen dataclass whose fields carry their own check. ``UNSET`` means absent (the queue's
value, or pg-boss's default, applies); ``None`` clears an option where clearing is allowed. The ranges are pg-boss's:
docs/compatibility.md, "Options of a job" and "Options of a queue".
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from enum import Enum
from typing import Any, Final, Literal, TypeAlias, TypedDict
from uuid import UUID

from pgboss.core.names import check_queue_name
from pgboss.core.wire import camel_case
from pgboss.errors import ValidationError

__all__ = [
    "UNSET",
    "FetchKeywords",
    "FetchOptions",
    "Policy",
    "QueueKeywords",
    "QueueOptions",
    "Seconds",
    "SendKeywords",
    "SendOptions",
    "StartAfter",
    "Unset",
    "as_uuid",
    "check_integer",
    "start_after_text",
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

POLICIES: Final = ("standard", "short", "singleton", "stately", "exclusive", "key_strict_fifo")
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


def _integer(low: int, high: int = MAX_INT4) -> Check:
    return lambda name, value: check_integer(name, value, low, high)


def _seconds(low: int, high: int = MAX_INT4) -> Check:
    """Whole seconds, as an integer or a timedelta."""

    def check(name: str, value: object) -> int:
        if isinstance(value, timedelta):
            seconds = value.total_seconds()
            if not seconds.is_integer():
                raise ValidationError(f"{name} must be whole seconds, not {value!r}.")
            value = int(seconds)
        return check_integer(name, value, low, high)

    return check


def _boolean(name: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise ValidationError(f"{name} must be True or False, not {value!r}.")
    return value


def _text(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise ValidationError(f"{name} must be a string, not {value!r}.")
    if "\x00" in value:
        raise ValidationError(f"{name} must not hold the character U+0000: {value!r}.")
    if not value.isascii() and _SURROGATE.search(value):
        raise ValidationError(f"{name} must not hold a lone surrogate, which is not text: {value!r}.")
    return value


def _filled_text(name: str, value: object) -> str:
    if not _text(name, value):
        raise ValidationError(f"{name} must not be empty.")
    return _text(name, value)


def _queue_name(name: str, value: object) -> str:
    return check_queue_name(value, what=name)


def _policy(name: str, value: object) -> str:
    if value not in POLICIES:
        raise ValidationError(f"{name} must be one of {', '.join(POLICIES)}, not {value!r}.")
    return str(value)


def as_uuid(name: str, value: object) -> UUID:
    """Read a UUID, given as one or as text.

    Raises:
        ValidationError: it is neither.
    """
    try:
        return value if isinstance(value, UUID) else UUID(str(value))
    except ValueError:
        raise ValidationError(f"{name} must be a UUID, not {value!r}.") from None


def _start_after(name: str, value: object) -> StartAfter:
    if isinstance(value, datetime) and value.tzinfo is None:
        raise ValidationError(f"{name} is a datetime without a time zone: {value!r}. Use datetime.now(timezone.utc).")
    if isinstance(value, bool) or not isinstance(value, datetime | timedelta | int | float | str):
        raise ValidationError(f"{name} must be a datetime, a timedelta, seconds or a string, not {value!r}.")
    if isinstance(value, str):
        return _text(name, value)
    seconds = value.total_seconds() if isinstance(value, timedelta) else value
    # Written so that NaN, which compares false with everything, is refused as well.
    if not isinstance(seconds, datetime) and not abs(seconds) <= MAX_DELAY_SECONDS:
        raise ValidationError(f"{name} must be at most {MAX_DELAY_SECONDS} seconds away, not {value!r}.")
    return value


def _option(check: Check, *, clearable: bool = False) -> Any:
    return dataclasses.field(default=UNSET, metadata={"check": check, "clearable": clearable})


class Options:
    """Base of the options classes: checks every field as it is made."""

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):  # type: ignore[arg-type]  # every subclass is a dataclass
            value = getattr(self, field.name)
            if value is UNSET or (value is None and field.metadata["clearable"]):
                continue
            object.__setattr__(self, field.name, field.metadata["check"](field.name, value))
        self.check_together()

    def check_together(self) -> None:
        """Rules that involve more than one option."""

    def given(self) -> dict[str, Any]:
        """The options that were given, by their Python names; ``None`` included."""
        return {
            field.name: value
            for field in dataclasses.fields(self)  # type: ignore[arg-type]  # every subclass is a dataclass
            if (value := getattr(self, field.name)) is not UNSET
        }

    def wire(self) -> dict[str, Any]:
        """The options that were given, by pg-boss's names."""
        return {camel_case(name): value for name, value in self.given().items()}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RetryOptions(Options):
    """What a job and a queue have in common: how often, when and for how long."""

    retry_limit: int | Unset = _option(_integer(0))
    retry_delay: Seconds | Unset = _option(_seconds(0))
    retry_backoff: bool | Unset = _option(_boolean)
    retry_delay_max: Seconds | Unset | None = _option(_seconds(0), clearable=True)
    expire_in_seconds: Seconds | Unset = _option(_seconds(1, DAY))
    retention_seconds: Seconds | Unset = _option(_seconds(1))
    delete_after_seconds: Seconds | Unset = _option(_seconds(0))
    heartbeat_seconds: Seconds | Unset | None = _option(_seconds(10), clearable=True)
    dead_letter: str | Unset | None = _option(_queue_name, clearable=True)

    def check_together(self) -> None:
        if self.retry_delay_max not in (UNSET, None) and self.retry_backoff is not True:
            raise ValidationError(
                f"retry_delay_max ({self.retry_delay_max!r}) needs retry_backoff=True in the same call: "
                "it caps the exponential backoff."
            )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SendOptions(RetryOptions):
    """Options of one job. Absent ones come from the queue's row at the moment of sending."""

    id: UUID | str | Unset = _option(as_uuid)
    priority: int | Unset = _option(_integer(-MAX_INT4 - 1))
    start_after: StartAfter | Unset | None = _option(_start_after, clearable=True)
    singleton_key: str | Unset | None = _option(_text, clearable=True)
    group_id: str | Unset = _option(_filled_text)
    group_tier: str | Unset = _option(_filled_text)

    def check_together(self) -> None:
        RetryOptions.check_together(self)
        if self.group_tier is not UNSET and self.group_id is UNSET:
            raise ValidationError(f"group_tier ({self.group_tier!r}) needs a group_id.")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class QueueOptions(RetryOptions):
    """Options of a queue. ``QueueOptions()`` by itself means pg-boss's own defaults."""

    policy: Policy | Unset = _option(_policy)
    partition: bool | Unset = _option(_boolean)
    warning_queue_size: int | Unset = _option(_integer(0))
    notify: bool | Unset = _option(_boolean)

    def over(self, defaults: QueueOptions) -> QueueOptions:
        """These options where given, else the defaults'."""
        merged = defaults.given() | self.given()
        if merged.get("retry_backoff") is not True and self.retry_delay_max is UNSET:
            merged.pop("retry_delay_max", None)
        return QueueOptions(**merged)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FetchOptions(Options):
    """Which jobs to claim, and how many."""

    batch_size: int | Unset = _option(_integer(1))
    min_priority: int | Unset = _option(_integer(-MAX_INT4 - 1))
    max_priority: int | Unset = _option(_integer(-MAX_INT4 - 1))
    ignore_start_after: bool | Unset = _option(_boolean)

    def check_together(self) -> None:
        low, high = self.min_priority, self.max_priority
        if isinstance(low, int) and isinstance(high, int) and low > high:
            raise ValidationError(f"min_priority ({low}) must not be above max_priority ({high}).")


class RetryKeywords(TypedDict, total=False):
    """:class:`RetryOptions` as keyword arguments."""

    retry_limit: int
    retry_delay: Seconds
    retry_backoff: bool
    retry_delay_max: Seconds | None
    expire_in_seconds: Seconds
    retention_seconds: Seconds
    delete_after_seconds: Seconds
    heartbeat_seconds: Seconds | None
    dead_letter: str | None


class SendKeywords(RetryKeywords, total=False):
    """:class:`SendOptions` as keyword arguments."""

    id: UUID | str
    priority: int
    start_after: StartAfter | None
    singleton_key: str | None
    group_id: str
    group_tier: str


class QueueKeywords(RetryKeywords, total=False):
    """:class:`QueueOptions` as keyword arguments."""

    policy: Policy
    partition: bool
    warning_queue_size: int
    notify: bool


class FetchKeywords(TypedDict, total=False):
    """:class:`FetchOptions` as keyword arguments."""

    batch_size: int
    min_priority: int
    max_priority: int
    ignore_start_after: bool


_ZONELESS = re.compile(r"\d{4}-\d{2}-\d{2}(?:[T ]\d{2}(?::\d{2}(?::\d{2}(?:\.\d+)?)?)?)?", re.ASCII)


def start_after_text(value: StartAfter | Unset | None, *, past_is_now: bool = True) -> str | None:
    """The text the database reads a start time from: an instant, or an interval added to its clock.

    Args:
        value: an instant, a delay, or a text as pg-boss takes it; a text without a zone is UTC.
        past_is_now: a delay of zero or less means now (as in send); otherwise it is kept (as in insert).
    """
    if value is None or value is UNSET:
        return None
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, timedelta):
        value = value.total_seconds()
    if isinstance(value, int | float):
        return None if past_is_now and value <= 0 else f"{value:f}"
    return f"{value}Z" if _ZONELESS.fullmatch(value) else value
