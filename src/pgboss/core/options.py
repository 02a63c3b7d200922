"""What a caller may ask of a job, a queue or a fetch: one declaration an option, checked in one place.

Each options class is a frozen dataclass whose fields carry their own check. ``UNSET`` means absent (the queue's
value, or pg-boss's default, applies); ``None`` clears an option where clearing is allowed. The ranges are pg-boss's:
docs/compatibility.md, "Options of a job" and "Options of a queue".
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Collection
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, TypedDict
from uuid import UUID

from pgboss.core.checks import (
    DAY,
    MATCHES,
    MAX_INT4,
    UNSET,
    Check,
    Match,
    Policy,
    Seconds,
    StartAfter,
    Unset,
    a_queue_name,
    as_uuid,
    boolean,
    filled_text,
    integer,
    one_of,
    policy,
    seconds,
    start_after,
    text,
)
from pgboss.core.groups import GroupLimits, group_concurrency, group_ids
from pgboss.core.wire import camel_case
from pgboss.errors import ValidationError

__all__ = [
    "FetchKeywords",
    "FetchOptions",
    "QueueKeywords",
    "QueueOptions",
    "SendKeywords",
    "SendOptions",
    "UpdateKeywords",
    "UpdateOptions",
    "delay_seconds",
    "start_after_text",
]


def _option(check: Check, *, clearable: bool = False) -> Any:
    return dataclasses.field(default=UNSET, metadata={"check": check, "clearable": clearable})


class Options:
    """Base of the options classes: checks every field as it is made."""

    def __post_init__(self) -> None:
        for name, check, is_clearable in _declared(type(self)):
            value = getattr(self, name)
            if value is UNSET or (value is None and is_clearable):
                continue
            object.__setattr__(self, name, check(name, value))
        self.check_together()

    def check_together(self) -> None:
        """Rules that involve more than one option."""

    def given(self) -> dict[str, Any]:
        """The options that were given, by their Python names; ``None`` included."""
        return {name: value for name, _, _ in _declared(type(self)) if (value := getattr(self, name)) is not UNSET}

    def wire(self) -> dict[str, Any]:
        """The options that were given, by pg-boss's names."""
        return {camel_case(name): value for name, value in self.given().items()}


_DECLARED: dict[type, tuple[tuple[str, Check, bool], ...]] = {}


def _declared(kind: type) -> tuple[tuple[str, Check, bool], ...]:
    """Name, check, and whether None clears it, of each option of a class; asked for with every job."""
    if kind not in _DECLARED:
        fields = dataclasses.fields(kind)
        _DECLARED[kind] = tuple((field.name, field.metadata["check"], field.metadata["clearable"]) for field in fields)
    return _DECLARED[kind]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RetryOptions(Options):
    """What a job and a queue have in common: how often, when and for how long."""

    retry_limit: int | Unset = _option(integer(0))
    retry_delay: Seconds | Unset = _option(seconds(0))
    retry_backoff: bool | Unset = _option(boolean)
    retry_delay_max: Seconds | Unset | None = _option(seconds(0), clearable=True)
    expire_in_seconds: Seconds | Unset = _option(seconds(1, DAY))
    retention_seconds: Seconds | Unset = _option(seconds(1))
    delete_after_seconds: Seconds | Unset = _option(seconds(0))
    heartbeat_seconds: Seconds | Unset | None = _option(seconds(10), clearable=True)
    dead_letter: str | Unset | None = _option(a_queue_name, clearable=True)

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
    priority: int | Unset = _option(integer(-MAX_INT4 - 1))
    start_after: StartAfter | Unset | None = _option(start_after, clearable=True)
    singleton_key: str | Unset | None = _option(text, clearable=True)
    singleton_seconds: Seconds | Unset = _option(seconds(1))
    singleton_next_slot: bool | Unset = _option(boolean)
    group_id: str | Unset = _option(filled_text)
    group_tier: str | Unset = _option(filled_text)

    def check_together(self) -> None:
        RetryOptions.check_together(self)
        _check_group(self.group_id, self.group_tier)
        if self.singleton_next_slot is True and self.singleton_seconds is UNSET:
            raise ValidationError("singleton_next_slot (True) needs singleton_seconds, the length of a slot.")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class UpdateOptions(RetryOptions):
    """Which queued jobs to change, and what of them; absent options stay as they are.

    ``None`` clears ``retry_delay_max``, ``heartbeat_seconds`` and ``dead_letter``.
    """

    id: UUID | str | Unset = _option(as_uuid)
    singleton_key: str | Unset = _option(filled_text)
    match: Match | Unset = _option(one_of(MATCHES))
    priority: int | Unset = _option(integer(-MAX_INT4 - 1))
    start_after: StartAfter | Unset = _option(start_after)
    group_id: str | Unset = _option(filled_text)
    group_tier: str | Unset = _option(filled_text)

    def check_together(self) -> None:
        RetryOptions.check_together(self)
        _check_group(self.group_id, self.group_tier)
        if (self.id is UNSET) == (self.singleton_key is UNSET):
            raise ValidationError(
                f"Give exactly one of id and singleton_key, not {'both' if self.id is not UNSET else 'neither'}."
            )
        if self.match is not UNSET and self.id is not UNSET:
            raise ValidationError(f"match ({self.match!r}) is for jobs named by singleton_key; an id is one job.")


def _check_group(group_id: str | Unset, group_tier: str | Unset) -> None:
    if group_tier is not UNSET and group_id is UNSET:
        raise ValidationError(f"group_tier ({group_tier!r}) needs a group_id.")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class QueueOptions(RetryOptions):
    """Options of a queue. ``QueueOptions()`` by itself means pg-boss's own defaults."""

    policy: Policy | Unset = _option(policy)
    partition: bool | Unset = _option(boolean)
    warning_queue_size: int | Unset = _option(integer(0))
    notify: bool | Unset = _option(boolean)

    def over(self, defaults: QueueOptions) -> QueueOptions:
        """These options where given, else the defaults'."""
        merged = defaults.given() | self.given()
        if merged.get("retry_backoff") is not True and self.retry_delay_max is UNSET:
            merged.pop("retry_delay_max", None)
        return QueueOptions(**merged)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FetchOptions(Options):
    """Which jobs to claim, and how many."""

    batch_size: int | Unset = _option(integer(1))
    min_priority: int | Unset = _option(integer(-MAX_INT4 - 1))
    max_priority: int | Unset = _option(integer(-MAX_INT4 - 1))
    ignore_start_after: bool | Unset = _option(boolean)
    ignore_groups: Collection[str] | Unset = _option(group_ids)
    group_concurrency: GroupLimits | Unset = _option(group_concurrency)

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
    singleton_seconds: Seconds
    singleton_next_slot: bool
    group_id: str
    group_tier: str


class UpdateKeywords(RetryKeywords, total=False):
    """:class:`UpdateOptions` as keyword arguments."""

    id: UUID | str
    singleton_key: str
    match: Match
    priority: int
    start_after: StartAfter
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
    ignore_groups: Collection[str]
    group_concurrency: GroupLimits


_ZONELESS = re.compile(r"\d{4}-\d{2}-\d{2}(?:[T ]\d{2}(?::\d{2}(?::\d{2}(?:\.\d+)?)?)?)?", re.ASCII)


# PostgreSQL 14 reads no more seconds of an interval than an int holds, but as many hours.
_MOST_SECONDS_READ = 2**31


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
    if isinstance(value, str):
        return f"{value}Z" if _ZONELESS.fullmatch(value) else value
    seconds = delay_seconds(value)
    if past_is_now and seconds <= 0:
        return None
    if abs(seconds) < _MOST_SECONDS_READ:
        return f"{seconds:f}"
    hours, rest = divmod(abs(seconds), 3600)
    minutes, rest = divmod(rest, 60)
    return f"{'-' if seconds < 0 else ''}{hours:.0f}:{minutes:.0f}:{rest:f}"


def delay_seconds(value: float | timedelta) -> Decimal:
    """A delay as the database counts it, to the microsecond."""
    seconds = value.total_seconds() if isinstance(value, timedelta) else value
    return Decimal(f"{seconds:f}")
