"""What charts are drawn from: times and series, which static/scripts/charts.js hands to uPlot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, TypeAlias

__all__ = ["Series", "depth", "drawing"]

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


def depth(
    times: Sequence[datetime], *, waiting: Sequence[int], ready: Sequence[int], active: Sequence[int]
) -> dict[str, Any]:
    """How many jobs there are, of one queue or of all, in the words and colours of every page."""
    return drawing(
        times,
        Series("Waiting", "neutral", waiting),
        Series("Ready", "care", ready, fill=True),
        Series("Active", "busy", active),
    )
