"""How pages write numbers and lengths of time, and how their addresses change."""

from __future__ import annotations

import pytest
from starlette.requests import Request

from pgboss.web.dashboard.addresses import Sorting, here
from pgboss.web.dashboard.formats import duration, number, size


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (0.09, "90 ms"),
        (3.21, "3.2 s"),
        (59, "59 s"),
        (60, "1 min"),
        (3660, "1 h 1 min"),
        (7322, "2 h 2 min"),
        (86_400 * 3 + 5, "3 d"),
        (-90, "-1 min 30 s"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_numbers_and_sizes() -> None:
    assert number(1_234_567) == "1,234,567"
    assert (size(512), size(1536), size(200 * 1024**2)) == ("512 B", "1.5 kB", "200 MB")


def test_an_address_keeps_what_it_does_not_change() -> None:
    request = _request("/pgboss/queues", "search=a%26b&page=3", root_path="/pgboss")
    assert here(request, page=None) == "/pgboss/queues?search=a%26b"
    assert here(_request("/queues", "", root_path="/pgboss")) == "/pgboss/queues"


def test_a_column_turns_around_when_it_is_chosen_again() -> None:
    columns = {"name": False, "ready": True}
    by_name = Sorting.of(_request("/queues", ""), columns, "name")
    assert (by_name.link("name"), by_name.link("ready")) == ("/queues?sort=-name", "/queues?sort=-ready")
    by_ready = Sorting.of(_request("/queues", "sort=-ready"), columns, "name")
    assert (by_ready.order_of("ready"), by_ready.order_of("name")) == ("descending", None)
    assert by_ready.link("ready") == "/queues?sort=ready"


def test_an_unknown_column_is_the_default() -> None:
    asked = Sorting.of(_request("/queues", "sort=-nothing"), {"name": False}, "name")
    assert (asked.by, asked.descending) == ("name", False)


def _request(path: str, query: str, *, root_path: str = "") -> Request:
    scope = {"type": "http", "path": path, "root_path": root_path, "query_string": query.encode(), "headers": []}
    return Request(scope)
