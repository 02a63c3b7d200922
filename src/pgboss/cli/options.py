"""Options that several commands share, and reading what is typed for them."""

from __future__ import annotations

import json
import sys
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import typer

from pgboss.cli.exits import CommandError
from pgboss.errors import PayloadError, ValidationError

__all__ = [
    "AsJson",
    "DeadLetter",
    "DeleteAfterSeconds",
    "ExpireInSeconds",
    "HeartbeatSeconds",
    "NoHeartbeat",
    "RetentionSeconds",
    "RetryBackoff",
    "RetryDelay",
    "RetryDelayMax",
    "RetryLimit",
    "given",
    "read_id",
    "read_json",
    "read_json_or_stdin",
    "read_time",
]

STDIN = "-"
LONGEST_SHOWN = 60
EXAMPLE_ID = "0b5c1d2e-3f40-4a5b-8c6d-7e8f90a1b2c3"

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.", show_default=False)]

RetryLimit = Annotated[int | None, typer.Option(metavar="N", help="How often to try again after a failure.")]
RetryDelay = Annotated[int | None, typer.Option(metavar="SECONDS", help="Time to wait before trying again.")]
RetryBackoff = Annotated[
    bool | None,
    typer.Option("--retry-backoff/--no-retry-backoff", help="Whether to wait twice as long after each failure."),
]
RetryDelayMax = Annotated[
    int | None, typer.Option(metavar="SECONDS", help="The longest time to wait; needs --retry-backoff.")
]
ExpireInSeconds = Annotated[
    int | None, typer.Option(metavar="SECONDS", help="Fail an attempt that runs longer; up to 86400 (a day).")
]
RetentionSeconds = Annotated[int | None, typer.Option(metavar="SECONDS", help="Remove a job that has waited longer.")]
DeleteAfterSeconds = Annotated[
    int | None, typer.Option(metavar="SECONDS", help="Remove a job so long after it ended; 0 is never.")
]
HeartbeatSeconds = Annotated[
    int | None,
    typer.Option(metavar="SECONDS", help="Fail an attempt that has not been heard of for longer; at least 10."),
]
NoHeartbeat = Annotated[bool, typer.Option("--no-heartbeat", help="Do without heartbeats.", show_default=False)]
DeadLetter = Annotated[
    str | None, typer.Option(metavar="QUEUE", help="The queue that gets a copy of a job that failed for good.")
]


def given(*, no_heartbeat: bool = False, **options: Any) -> dict[str, Any]:
    """The options that were typed; the others stay absent, so that the queue's own apply."""
    chosen = {name: value for name, value in options.items() if value is not None}
    return chosen | ({"heartbeat_seconds": None} if no_heartbeat else {})


def read_id(text: str) -> UUID:
    """A job's id.

    Raises:
        ValidationError: it is none.
    """
    try:
        return UUID(text)
    except ValueError:
        raise ValidationError(f"A job's id is a UUID, such as {EXAMPLE_ID}, not {text!r}.") from None


def read_time(text: str) -> datetime:
    """Read a time with its zone.

    Raises:
        CommandError: it is none, or has no zone.
    """
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise CommandError(f"A time is written like 2026-01-31T12:00Z, not {text!r}.") from None
    if time.tzinfo is None:
        raise CommandError(f"The time {text!r} has no zone. Add one: {text}Z is UTC.")
    return time


def read_json(text: str, what: str = "job data") -> Any:
    """Parse JSON as it was typed.

    Raises:
        PayloadError: it is none; the message says where it goes wrong.
    """
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}" if "\n" in text else f"column {error.colno}"
        shown = text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}…"
        raise PayloadError(f"The {what} is not JSON ({error.msg} at {place}): {shown!r}.") from None
    except RecursionError:
        raise PayloadError(f"The {what} is nested too deeply.") from None
    except ValueError as error:  # a number of thousands of digits
        raise PayloadError(f"The {what} cannot be read: {error}.") from None


def read_json_or_stdin(text: str) -> Any:
    """Parse JSON as it was typed, or with ``-`` what comes in on stdin.

    Raises:
        PayloadError: it is none, or not UTF-8.
    """
    if text != STDIN:
        return read_json(text)
    try:
        return read_json(sys.stdin.buffer.read().decode())
    except UnicodeDecodeError as error:
        raise PayloadError(f"The job data on stdin is not UTF-8: {error}.") from None
