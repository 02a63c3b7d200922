"""What charts are drawn from: times and series, which static/scripts/charts.js hands to uPlot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, TypeAlias

__all__ = ["Series", "drawing", "polyline"]

Unit: TypeAlias = Literal["jobs", "seconds"]


@dataclass(frozen=True, slots=True)
class Series:
    """A line of a chart.

    Attributes:
        label: its name in the legend.
        ink: a colour of static/pgboss.css, such as ``good``.
        values: one for each time; ``None`` where there is none.
        fill: paint the ground under it.
    """

    label: str
    ink: str
    values: Sequence[float | None]
    fill: bool = False


def drawing(times: Sequence[datetime], *series: Series, unit: Unit = "jobs") -> dict[str, Any]:
    """A chart as JSON, for the attribute ``data-chart``."""
    return {
        "times": [int(at.timestamp()) for at in times],
        "unit": unit,
        "series": [
            {"label": one.label, "ink": one.ink, "values": list(one.values), "fill": one.fill} for one in series
        ],
    }


def polyline(values: Sequence[float | None], *, width: int = 96, height: int = 22) -> str:
    """The points of a small line, for SVG; empty when there is nothing to draw."""
    known = [value or 0 for value in values]
    if len(known) < 2:
        return ""
    step, top = width / (len(known) - 1), max(known) or 1
    return " ".join(f"{at * step:.1f},{height - 1 - value / top * (height - 2):.1f}" for at, value in enumerate(known))
