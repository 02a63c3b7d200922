"""Where the jobs of a flow are drawn."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgboss.web.dashboard.flow_layout import HEIGHT, WIDTH, Box, lay_out


def test_each_job_stands_behind_those_it_waits_for() -> None:
    layout = lay_out(["a", "b", "c", "d"], [("a", "b"), ("b", "c"), ("a", "d"), ("d", "c")])
    x = {place: box.x for place, box in layout.boxes.items()}
    assert x["a"] < x["b"] == x["d"] < x["c"]


def test_a_line_that_passes_by_goes_through_no_job() -> None:
    layout = lay_out(["a", "b", "c"], [("a", "b"), ("b", "c"), ("a", "c")])
    [passing] = [line for line in layout.lines if (line.start, line.end) == ("a", "c")]
    [bend] = [float(part.split("C")[0].split("M")[0]) for part in passing.path.split("H")[1:]]
    assert bend == layout.boxes["b"].x + WIDTH
    level = float(passing.path.split("H")[0].rpartition(" ")[2])
    assert not layout.boxes["b"].y <= level <= layout.boxes["b"].y + HEIGHT


def test_lines_that_need_not_cross_do_not() -> None:
    layout = lay_out(["a", "b", "y", "x"], [("a", "x"), ("b", "y")])
    y = {place: box.y for place, box in layout.boxes.items()}
    assert (y["a"] < y["b"]) == (y["x"] < y["y"])


@pytest.mark.parametrize("edges", [[("a", "b"), ("b", "a")], [("a", "a"), ("a", "b")]])
def test_a_ring_is_opened(edges: list[tuple[str, str]]) -> None:
    assert len(lay_out(["a", "b"], edges).boxes) == 2


def _flows(count: int) -> st.SearchStrategy[tuple[int, set[tuple[int, int]]]]:
    place = st.integers(0, count - 1)
    return st.tuples(st.just(count), st.sets(st.tuples(place, place)))


@given(st.integers(1, 12).flatmap(_flows))
def test_no_job_lies_on_another_and_all_are_within_the_picture(flow: tuple[int, set[tuple[int, int]]]) -> None:
    count, edges = flow
    layout = lay_out(range(count), edges)
    for one, other in combinations(layout.boxes.values(), 2):
        assert not _overlap(one, other)
    for box in layout.boxes.values():
        assert 0 <= box.x <= layout.width - WIDTH
        assert 0 <= box.y <= layout.height - HEIGHT


def _overlap(one: Box, other: Box) -> bool:
    return abs(one.x - other.x) < WIDTH and abs(one.y - other.y) < HEIGHT
