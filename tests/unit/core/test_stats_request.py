"""What may be asked of statistics."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from pgboss import ValidationError
from pgboss.core.queue_stats import QueueStats, StatsRequest

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
BINS = (0,) * 20 + (4,) + (0,) * 27


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"limit": 0}, "limit must be an integer from 1 to 100000"),
        ({"limit": 100_001}, "limit must be an integer from 1 to 100000"),
        ({"bucket_seconds": 0}, "bucket_seconds must be an integer of 1 or more"),
        ({"bucket_seconds": 1.5}, "bucket_seconds must be an integer"),
        ({"max_data_points": -1}, "max_data_points must be an integer of 1 or more"),
        ({"aggregate": "sum"}, "aggregate must be one of max, min, avg"),
        ({"force": 1}, "force must be True or False"),
        ({"from_": datetime(2026, 1, 31)}, "from_ must be a datetime with a time zone"),  # noqa: DTZ001  that is refused
        ({"to": "2026-01-31"}, "to must be a datetime with a time zone"),
        ({"percentiles": []}, "percentiles must be a list"),
        ({"percentiles": "50"}, "percentiles must be a list"),
        ({"percentiles": [50, 0]}, "percentiles must be a percentage from 1 to 100"),
    ],
)
def test_what_is_wrong_is_named(asked: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        StatsRequest(**asked)


def test_each_percentile_is_read_once_in_the_order_asked_for() -> None:
    stats = QueueStats("mail", 0, 0, 0, 0, 0, 0, NOON, wait_bins=BINS)

    read = StatsRequest(percentiles=[95, 50, 95]).with_percentiles(stats).percentiles

    assert [one.p for one in read] == [95, 50]
    assert [one.run_seconds for one in read] == [None, None]
    assert read[0].wait_seconds is not None
    assert read[1].wait_seconds is not None
    assert 7.24 < read[1].wait_seconds < read[0].wait_seconds < 10.24
