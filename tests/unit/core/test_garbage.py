from __future__ import annotations

import gc
from collections.abc import Iterator
from typing import Any

import pytest

from pgboss.core.garbage import uncollected


@pytest.fixture
def collections() -> Iterator[list[str]]:
    """The collections that have begun since the test did."""
    seen: list[str] = []

    def note(phase: str, info: dict[str, Any]) -> None:
        seen.append(phase)

    gc.callbacks.append(note)
    yield seen
    gc.callbacks.remove(note)


def test_nothing_is_collected_within(collections: list[str]) -> None:
    with uncollected():
        made = [[number] for number in range(10 * gc.get_threshold()[0])]
        assert collections == []
    made += [[number] for number in range(10)]
    assert collections != []
    assert gc.isenabled()


def test_it_goes_on_after_an_error() -> None:
    with pytest.raises(ValueError, match="this"), uncollected():
        raise ValueError("this")
    assert gc.isenabled()


def test_who_has_switched_it_off_finds_it_off() -> None:
    gc.disable()
    try:
        with uncollected():
            assert not gc.isenabled()
        assert not gc.isenabled()
    finally:
        gc.enable()
