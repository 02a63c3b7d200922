"""When a worker last claimed, started, ended and failed: what others are told of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

__all__ = ["Progress"]


class Progress:
    """The times of one worker, by this machine's clock: they are looked at, and nothing is decided by them."""

    __slots__ = (
        "created_on",
        "last_error",
        "last_error_on",
        "last_fetched_on",
        "last_job_duration",
        "last_job_ended_on",
        "last_job_started_on",
    )

    def __init__(self) -> None:
        self.created_on = datetime.now(UTC)
        self.last_fetched_on: datetime | None = None
        self.last_job_started_on: datetime | None = None
        self.last_job_ended_on: datetime | None = None
        self.last_job_duration: timedelta | None = None
        self.last_error: Exception | None = None
        self.last_error_on: datetime | None = None

    def fetched(self) -> None:
        self.last_fetched_on = datetime.now(UTC)

    def started(self) -> None:
        self.last_job_started_on = datetime.now(UTC)

    def ended(self, seconds: float) -> None:
        self.last_job_ended_on = datetime.now(UTC)
        self.last_job_duration = timedelta(seconds=seconds)

    def failed(self, error: Exception) -> None:
        self.last_error, self.last_error_on = error, datetime.now(UTC)
