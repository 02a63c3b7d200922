"""When a worker last claimed, started, ended and failed: what others are told of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from time import time

__all__ = ["Progress"]


class Progress:
    """The times of one worker, by this machine's clock: they are looked at, and nothing is decided by them."""

    __slots__ = (
        "_ended_at",
        "_ended_seconds",
        "_started_at",
        "created_on",
        "last_error",
        "last_error_on",
        "last_fetched_on",
    )

    def __init__(self) -> None:
        self.created_on = datetime.now(UTC)
        self.last_fetched_on: datetime | None = None
        self.last_error: Exception | None = None
        self.last_error_on: datetime | None = None
        # As numbers, because these are taken for every job.
        self._started_at: float | None = None
        self._ended_at: float | None = None
        self._ended_seconds = 0.0

    @property
    def last_job_started_on(self) -> datetime | None:
        return _moment(self._started_at)

    @property
    def last_job_ended_on(self) -> datetime | None:
        return _moment(self._ended_at)

    @property
    def last_job_duration(self) -> timedelta | None:
        return None if self._ended_at is None else timedelta(seconds=self._ended_seconds)

    def fetched(self) -> None:
        self.last_fetched_on = datetime.now(UTC)

    def started(self) -> None:
        self._started_at = time()

    def ended(self, seconds: float) -> None:
        self._ended_at, self._ended_seconds = time(), seconds

    def failed(self, error: Exception) -> None:
        self.last_error, self.last_error_on = error, datetime.now(UTC)


def _moment(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
