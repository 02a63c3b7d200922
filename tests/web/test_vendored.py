"""Static files of others are what their packages hold, with their licences beside them."""

from __future__ import annotations

from pathlib import Path

import pytest

from pgboss.web.dashboard import STATIC

PACKAGES = Path(__file__).parent / "node" / "node_modules"
ORIGINS = {
    "htmx.min.js": "htmx.org/dist/htmx.min.js",
    "htmx.LICENSE": "htmx.org/LICENSE",
    "uPlot.iife.min.js": "uplot/dist/uPlot.iife.min.js",
    "uPlot.min.css": "uplot/dist/uPlot.min.css",
    "uPlot.LICENSE": "uplot/LICENSE",
}


def test_there_is_nothing_else() -> None:
    assert {path.name for path in (STATIC / "vendor").iterdir()} == set(ORIGINS)


@pytest.mark.parametrize("name", ORIGINS)
def test_a_file_is_its_packages(name: str) -> None:
    assert (STATIC / "vendor" / name).read_bytes() == (PACKAGES / ORIGINS[name]).read_bytes()
