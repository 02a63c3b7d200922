"""What a handler says by raising, other than that something went wrong.

These are control signals, not errors of this package, so they stand outside its exception tree: ``except
PgBossError`` around a call within a handler must not swallow the handler's own verdict.
"""

from __future__ import annotations

from datetime import timedelta

from pgboss.core.checks import MAX_INT4, Seconds, check_integer
from pgboss.core.wire import JSON
from pgboss.errors import ValidationError

__all__ = ["Discard", "Snooze", "Verdict"]


class Verdict(Exception):  # noqa: N818  a verdict, not an error
    """Raised by a handler to end its attempt in another way than success or an ordinary failure."""


class Discard(Verdict):
    """Fail this job for good: no further attempts, whatever its retry limit.

    A dead letter queue gets its copy, as after the last attempt. Raise it when trying again cannot help::

        raise Discard(f"unknown document {payload.document_id}")

    Attributes:
        reason: why, for people; stored as the error's message.
        output: stored as the job's output instead of the error, unless it is ``None``; any JSON value.
    """

    def __init__(self, reason: str = "discarded by its handler", *, output: JSON = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.output = output


class Snooze(Verdict):
    """Put this job back and run it again after a delay, without using up an attempt.

    Raise it when it is merely too early: a rate limit, a file that is still being written::

        raise Snooze(timedelta(minutes=5))

    Attributes:
        delay: how long from now, by the database's clock; at least zero.

    Raises:
        ValidationError: the delay is neither a timedelta nor whole seconds, or not from 0 to 2147483647 seconds.
    """

    def __init__(self, delay: Seconds) -> None:
        super().__init__(delay)
        self.delay = _checked(delay)

    def __str__(self) -> str:
        return f"snoozed for {self.delay}"


def _checked(delay: Seconds) -> timedelta:
    if not isinstance(delay, timedelta):
        return timedelta(seconds=check_integer("delay", delay, 0))
    if not timedelta() <= delay <= timedelta(seconds=MAX_INT4):
        raise ValidationError(f"delay must be from 0 to {MAX_INT4} seconds, not {delay!r}.")
    return delay
