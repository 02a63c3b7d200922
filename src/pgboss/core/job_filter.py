"""Which jobs somebody wants to see, in which order they come, and where in that order one has stopped.

A listing reads at most a window of an index, so the order is that of the index which the filter makes the best use of:
jobs that have yet to start come by when they fall due, the next one first; others the latest first. A filter may ask
for the order in which jobs were created instead.
"""

from __future__ import annotations

import json
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Final, Literal, Self, TypeAlias, get_args
from uuid import UUID

from pgboss.core.checks import UNSET, Unset, text
from pgboss.core.job import JobState
from pgboss.core.names import check_queue_name
from pgboss.core.wire import JSON, dumps
from pgboss.errors import ValidationError

__all__ = ["Creation", "JobFilter", "JobOrder", "JobPosition", "StateFilter"]

JobOrder: TypeAlias = Literal["created", "due", "finished"]
Creation: TypeAlias = Literal["oldest_first", "newest_first"]
StateFilter: TypeAlias = Literal[JobState, "expired"]
"""A state of jobs, or ``expired``: failed or to be retried because its time ran out."""

_WAITING: Final = frozenset({"created", "retry"})
_EXPIRED: Final[tuple[JobState, ...]] = ("retry", "failed")
_DUE_ORDERED: Final = frozenset({"created", "retry", "active", "failed"})
_ENDED: Final = frozenset({"completed", "cancelled"})
_TIMESTAMP = re.compile(r"-?[0-9A-Za-z :.+-]{1,60}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFilter:
    """The jobs that every given filter matches.

    Attributes:
        queue: only of this queue.
        states: only in one of these states; none means all.
        is_expired: only those whose last attempt ended because its time ran out, or its heartbeat.
        is_queued: only those that wait (created or retry).
        key: only with this singleton_key.
        data: only those whose data contains this JSON (PostgreSQL's ``@>``).
        created_from: created then or later.
        created_before: created earlier.
        finished_from: finished then or later.
        finished_before: finished earlier.
        creation: in the order in which they were created, whatever else is asked for.

    Raises:
        ValidationError: the queue's name or a state is none, a time has no zone, or the data is no JSON.
    """

    queue: str | None = None
    states: tuple[JobState, ...] = ()
    is_expired: bool = False
    is_queued: bool = False
    key: str | None = None
    data: JSON | Unset = UNSET
    created_from: datetime | None = None
    created_before: datetime | None = None
    finished_from: datetime | None = None
    finished_before: datetime | None = None
    creation: Creation | None = None

    def __post_init__(self) -> None:
        if self.queue is not None:
            check_queue_name(self.queue)
        if self.key is not None:
            text("key", self.key)
        for state in self.states:
            if state not in get_args(JobState):
                raise ValidationError(f"A job's state is one of {', '.join(get_args(JobState))}, not {state!r}.")
        if self.data is not UNSET:
            dumps(self.data, what="data filter")
        for name in ("created_from", "created_before", "finished_from", "finished_before"):
            _check_zone(name, getattr(self, name))

    @classmethod
    def of(cls, states: Sequence[StateFilter] = (), **others: Any) -> Self:
        """A filter by states as people say them.

        Raises:
            ValidationError: ``expired`` stands beside others.
        """
        if "expired" not in states:
            return cls(states=tuple(dict.fromkeys(states)), **others)  # type: ignore[arg-type]  # without "expired"
        if set(states) != {"expired"}:
            raise ValidationError("The state 'expired' stands alone: such jobs have failed, or are to be retried.")
        return cls(states=_EXPIRED, is_expired=True, **others)

    def said(self) -> dict[str, JSON]:
        """What is asked for, as JSON, but for the data: that is part of payloads."""
        given = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "data"}
        return {
            name: value.isoformat() if isinstance(value, datetime) else value
            for name, value in given.items()
            if value not in (None, (), False)
        }

    @property
    def order(self) -> JobOrder:
        if self.creation is not None:
            return "created"
        if self.states and _DUE_ORDERED.issuperset(self.states):
            return "due"
        has_ended = bool(self.states) and _ENDED.issuperset(self.states)
        return "finished" if has_ended or self.finished_from or self.finished_before else "created"

    @property
    def is_latest_first(self) -> bool:
        if self.creation is not None:
            return self.creation == "newest_first"
        return not self.states or not _WAITING.issuperset(self.states)


@dataclass(frozen=True, slots=True)
class JobPosition:
    """Where in an order the next page begins.

    Attributes:
        at: an instant, as PostgreSQL writes it: its calendar is longer than Python's.
        behind: behind this job (queue and id) of those with that very instant; without it, at the first of them.
        is_beyond: behind all jobs with that instant.
    """

    at: str
    behind: tuple[str, UUID] | None = None
    is_beyond: bool = False

    def token(self, order: JobOrder) -> str:
        """The text that :meth:`of` reads."""
        name, id = self.behind or (None, None)
        said = [order, self.at, name, id and str(id), self.is_beyond]
        return urlsafe_b64encode(json.dumps(said, separators=(",", ":")).encode()).decode().rstrip("=")

    @classmethod
    def of(cls, token: str, order: JobOrder) -> JobPosition:
        """Read a token.

        Raises:
            ValidationError: it is none, or one of another order.
        """
        try:
            padding = "=" * (-len(token) % 4)
            said = json.loads(urlsafe_b64decode(token.encode("ascii") + padding.encode()))
            [of_order, at, name, id, is_beyond] = said
            behind = None if name is None else (check_queue_name(name), UUID(id))
        except (ValueError, TypeError, AttributeError, RecursionError):
            raise _no_token(token) from None
        if of_order != order or not isinstance(at, str) or not _TIMESTAMP.fullmatch(at):
            raise _no_token(token)
        return cls(at, behind, is_beyond is True)


def _check_zone(name: str, value: datetime | None) -> None:
    if value is not None and value.tzinfo is None:
        raise ValidationError(f"{name} is a datetime without a time zone: {value!r}. Use datetime.now(timezone.utc).")


def _no_token(token: str) -> ValidationError:
    return ValidationError(
        f"{token!r:.100} is no place in this list. Take the one that the page before has given, for the same filters."
    )
