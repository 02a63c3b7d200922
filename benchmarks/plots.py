"""Results as SVG: one chart of horizontal bars a workload, written by hand because that is all it takes."""

from __future__ import annotations

from html import escape
from pathlib import Path

from benchmarks.report import Results
from benchmarks.systems import SYSTEMS

__all__ = ["write_plots"]

WIDTH, LABEL, BAR, GAP, HEAD = 760, 190, 18, 6, 40
OURS, OTHERS, REFERENCE = "#2563eb", "#94a3b8", "#d97706"
# Five times as fast as all others because it keeps nothing: it would leave no room for them.
UNPLOTTED = {"raw_least"}

CHARTS = {
    "w1-bulk": ("W1: jobs created in bulk, a second", "W1", "jobs_per_second", {}),
    "w2-send": ("W2: one job sent and committed, p50 in ms", "W2", "p50_ms", {}),
    "w3-drain": ("W3: jobs worked off by one process, a second", "W3", "jobs_per_second", {}),
    "w3d-default": ("W3d: the same with default settings", "W3d", "jobs_per_second", {}),
    "w4-pickup": ("W4: from the call that sends to the handler, p50 in ms", "W4", "from_call_p50_ms", {}),
    "w5-steady": ("W5: pickup at 500 jobs a second, p99 in ms", "W5", "p99_ms", {}),
    "w7-two": ("W7: jobs worked off by two processes, a second", "W7", "jobs_per_second", {"processes": 2}),
}


def write_plots(results: Results, folder: Path) -> list[Path]:
    """Write a chart for each workload of which there are results; returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, (title, workload, key, which) in CHARTS.items():
        found = [(system, results.median(system, workload, key, **which)) for system in results.systems]
        bars = [(system, value) for system, value in found if value is not None and system not in UNPLOTTED]
        if bars:
            path = folder / f"{name}.svg"
            path.write_text(_chart(title, bars, smallest_first=key.endswith("_ms")))
            written.append(path)
    return written


def _chart(title: str, bars: list[tuple[str, float]], *, smallest_first: bool) -> str:
    bars = sorted(bars, key=lambda bar: bar[1], reverse=not smallest_first)
    most = max([value for _, value in bars] + [1e-9])
    height = HEAD + len(bars) * (BAR + GAP) + GAP
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}"'
        ' font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
        f'<text x="8" y="24" font-size="14" font-weight="bold">{escape(title)}</text>',
    ]
    for index, (system, value) in enumerate(bars):
        top = HEAD + index * (BAR + GAP)
        length = max(1.0, max(value, 0.0) / most * (WIDTH - LABEL - 80))
        lines += [
            f'<text x="{LABEL - 8}" y="{top + 13}" text-anchor="end">{escape(SYSTEMS[system].title)}</text>',
            f'<rect x="{LABEL}" y="{top}" width="{length:.1f}" height="{BAR}" fill="{_colour(system)}"/>',
            f'<text x="{LABEL + length + 6:.1f}" y="{top + 13}">{_figure(value)}</text>',
        ]
    return "\n".join([*lines, "</svg>\n"])


def _colour(system: str) -> str:
    return OURS if system.startswith("ours") else REFERENCE if system.startswith("raw") else OTHERS


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:,.2f}"
