"""What is known of a queue over time: one figure a snapshot, and what one may ask for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, Literal, TypeAlias

from pgboss.core.checks import boolean, check_integer, one_of
from pgboss.core.latency import check_percentile, percentile
from pgboss.core.query import Rows
from pgboss.errors import ValidationError

__all__ = [
    "FORCED_SECONDS",
    "MAX_SNAPSHOTS",
    "Aggregate",
    "QueueStats",
    "QueueStatsPercentile",
    "StatsRequest",
    "StatsSource",
    "snapshots_from",
]

Aggregate: TypeAlias = Literal["max", "min", "avg"]

AGGREGATES: Final = ("max", "min", "avg")
MAX_SNAPSHOTS: Final = 100_000
FORCED_SECONDS: Final = 60
"""A count this young is given out again even to those who ask for a fresh one."""
_CACHED_SECONDS: Final = 3600


@dataclass(frozen=True, slots=True)
class QueueStatsPercentile:
    """How long jobs waited and ran at most, but for the slowest 100 - ``p`` percent; ``None`` where none finished."""

    p: float
    wait_seconds: float | None
    run_seconds: float | None


@dataclass(frozen=True, slots=True)
class QueueStats:
    """A queue at one moment, or over one bucket of time.

    The counts are of ``captured_on``. The deltas, and the times that jobs took, are of the ``delta_seconds`` that end
    at ``delta_on``, ten seconds earlier; they are ``None`` where nobody counted them.

    Attributes:
        created_delta: jobs created in that time.
        completed_delta: jobs completed.
        failed_delta: jobs failed for good.
        wait_bins: how long the jobs that finished had been due before they started: see :mod:`pgboss.core.latency`.
        run_bins: how long they ran.
        ready_oldest_seconds: for how long the oldest job that could run had been waiting.
        percentiles: of these histograms, those asked for.
    """

    name: str
    deferred_count: int
    queued_count: int
    ready_count: int
    active_count: int
    failed_count: int
    total_count: int
    captured_on: datetime
    created_delta: int | None = None
    completed_delta: int | None = None
    failed_delta: int | None = None
    delta_seconds: int | None = None
    delta_on: datetime | None = None
    wait_bins: tuple[int, ...] | None = None
    run_bins: tuple[int, ...] | None = None
    ready_oldest_seconds: int | None = None
    percentiles: tuple[QueueStatsPercentile, ...] = ()


@dataclass(frozen=True, slots=True)
class StatsSource:
    """Where an instance takes a queue's figures from.

    Attributes:
        history: whether from the recorded snapshots; ``None``: from them if the queue has any.
        cached_seconds: without them, up to what age the cached counts are good enough.
    """

    history: bool | None = None
    cached_seconds: int = _CACHED_SECONDS


@dataclass(frozen=True, slots=True)
class StatsRequest:
    """Which figures, and in what resolution.

    Raises:
        ValidationError: something is out of its range.
    """

    from_: datetime | None = None
    to: datetime | None = None
    limit: int = 1000
    bucket_seconds: int | None = None
    max_data_points: int | None = None
    aggregate: Aggregate = "max"
    force: bool = False
    percentiles: Sequence[float] | None = None

    def __post_init__(self) -> None:
        _aware("from_", self.from_)
        _aware("to", self.to)
        check_integer("limit", self.limit, 1, MAX_SNAPSHOTS)
        for name in ("bucket_seconds", "max_data_points"):
            if getattr(self, name) is not None:
                check_integer(name, getattr(self, name), 1)
        one_of(AGGREGATES)("aggregate", self.aggregate)
        boolean("force", self.force)
        _check_percentiles(self.percentiles)

    def with_percentiles(self, stats: QueueStats) -> QueueStats:
        """The same figures with the percentiles asked for, each once."""
        return replace(
            stats,
            percentiles=tuple(
                QueueStatsPercentile(p, percentile(stats.wait_bins, p), percentile(stats.run_bins, p))
                for p in dict.fromkeys(self.percentiles or ())
            ),
        )


def snapshots_from(rows: Rows) -> list[QueueStats]:
    """Rows whose columns are called like the fields."""
    return [QueueStats(**{name: _value(name, value) for name, value in row.items()}) for row in rows]


def _value(name: str, value: Any) -> Any:
    # A slot without a job is stored as NULL.
    return tuple(count or 0 for count in value) if name.endswith("_bins") and value is not None else value


def _aware(name: str, value: object) -> None:
    if value is not None and (not isinstance(value, datetime) or value.tzinfo is None):
        raise ValidationError(f"{name} must be a datetime with a time zone, not {value!r}.")


def _check_percentiles(values: object) -> None:
    if values is None:
        return
    if isinstance(values, str) or not isinstance(values, Sequence) or not values:
        raise ValidationError(
            f"percentiles must be a list of percentages from 1 to 100, such as [50, 95], not {values!r}."
        )
    for value in values:
        check_percentile("percentiles", value)
