"""Histograms of waiting and running; tests/interop holds the same against Node's helpers."""

from __future__ import annotations

import pytest

from pgboss import ValidationError, add_bins, percentile
from pgboss.core.latency import LATENCY_SLOTS


def histogram(**slots: int) -> list[int]:
    counts = [0] * LATENCY_SLOTS
    for slot, count in slots.items():
        counts[int(slot[1:])] = count
    return counts


def test_a_percentile_lies_within_its_slot() -> None:
    # Slot 1 reaches from 10 ms to √2 times that.
    assert percentile(histogram(s1=10), 100) == pytest.approx(0.0141421356)
    assert percentile(histogram(s1=10), 50) == pytest.approx(0.01 * 2**0.25)
    assert percentile(histogram(s1=99, s40=1), 99) == pytest.approx(0.0141421356)
    assert percentile(histogram(s1=99, s40=1), 100) == pytest.approx(0.01 * 2**20)


def test_the_outer_slots_have_one_edge_each() -> None:
    assert percentile(histogram(s0=3), 99) == 0.01
    assert percentile(histogram(s47=3), 1) == pytest.approx(0.01 * 2**23)


@pytest.mark.parametrize("bins", [None, histogram(), []])
def test_nothing_has_no_percentile(bins: list[int] | None) -> None:
    assert percentile(bins, 50) is None


@pytest.mark.parametrize("p", [0, 0.9, 101, "50", None, True, float("nan")])
def test_a_percentile_is_from_1_to_100(p: float) -> None:
    with pytest.raises(ValidationError, match="from 1 to 100"):
        percentile(histogram(s1=1), p)


def test_histograms_add_up() -> None:
    one, other = histogram(s0=1, s5=2), histogram(s5=3)

    assert add_bins(one, other) == histogram(s0=1, s5=5)
    assert add_bins(one, None) == add_bins(None, one) == one
    assert add_bins(None, None) is None
    with pytest.raises(ValidationError, match="48 and of 2"):
        add_bins(one, [1, 2])
