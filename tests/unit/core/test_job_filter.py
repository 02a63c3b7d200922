"""Which order a filter has, what it says of itself, and places that come back as they went."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from pgboss.core.job_filter import JobFilter, JobPosition
from pgboss.errors import ValidationError

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
ID = UUID(int=7)


@pytest.mark.parametrize(
    ("filters", "order", "is_latest_first"),
    [
        ({}, "created", True),
        ({"created_from": NOON}, "created", True),
        ({"finished_from": NOON}, "finished", True),
        ({"states": ("created", "retry")}, "due", False),
        ({"states": ("created", "failed")}, "due", True),
        ({"states": ("failed",), "finished_from": NOON}, "due", True),
        ({"states": ("completed", "cancelled")}, "finished", True),
        ({"states": ("created", "completed")}, "created", True),
        ({"states": ("created", "completed"), "finished_before": NOON}, "finished", True),
        ({"states": ("created",), "creation": "newest_first"}, "created", True),
        ({"states": ("failed",), "finished_from": NOON, "creation": "oldest_first"}, "created", False),
    ],
)
def test_the_order_is_that_of_the_index_that_serves_best(
    filters: dict[str, Any], order: str, is_latest_first: bool
) -> None:
    wanted = JobFilter(**filters)
    assert (wanted.order, wanted.is_latest_first) == (order, is_latest_first)


def test_what_it_says_of_itself_holds_no_data() -> None:
    wanted = JobFilter.of(["failed", "failed"], queue="mail", data={"to": "ada"}, created_from=NOON)
    assert wanted.said() == {"queue": "mail", "states": ("failed",), "created_from": "2026-01-31T12:00:00+00:00"}
    assert JobFilter().said() == {}


@pytest.mark.parametrize(
    "position",
    [
        JobPosition("2026-01-31 12:00:00.000001+00"),
        JobPosition("2026-01-31 12:00:00+00", ("mail/a.b", ID)),
        JobPosition("infinity", is_beyond=True),
        JobPosition("0044-03-15 12:00:00+00 BC", ("mail", ID)),
    ],
    ids=str,
)
def test_places_come_back(position: JobPosition) -> None:
    assert JobPosition.of(position.token("due"), "due") == position
    with pytest.raises(ValidationError, match="no place in this list"):
        JobPosition.of(position.token("due"), "created")


@pytest.mark.parametrize(
    "position", [JobPosition("now'; DROP"), JobPosition(""), JobPosition("2026", ("no name", ID))], ids=str
)
def test_places_that_nobody_gave(position: JobPosition) -> None:
    with pytest.raises(ValidationError, match="no place in this list"):
        JobPosition.of(position.token("due"), "due")
