"""Where the jobs of a flow stand in its picture, and how the lines between them run.

Jobs stand in columns from left to right, each one column behind the last of those it waits for. A line that passes by
a column goes through a place of its own in it, so that it crosses no job. Within their columns, places are ordered by
where their neighbours stand, a few times over in both directions, which leaves few lines crossing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise
from typing import TypeAlias

__all__ = ["Box", "Layout", "Line", "lay_out"]

WIDTH, HEIGHT = 190, 46
COLUMN_GAP, ROW_GAP, MARGIN = 44, 16, 8
SWEEPS = 6

Place: TypeAlias = Hashable
Edge: TypeAlias = tuple[Place, Place]


@dataclass(frozen=True, slots=True)
class Box:
    """Where a job stands: its left upper corner."""

    x: float
    y: float
    width: int = WIDTH
    height: int = HEIGHT


@dataclass(frozen=True, slots=True)
class Line:
    """A line from a job to one that waits for it; ``path`` is what SVG calls so."""

    start: Place
    end: Place
    path: str


@dataclass(frozen=True, slots=True)
class Layout:
    """A picture: its size, where each job stands, and the lines."""

    width: float
    height: float
    boxes: Mapping[Place, Box]
    lines: Sequence[Line]


@dataclass(frozen=True, slots=True)
class _Bend:
    """A place in a column that a line passes through."""

    edge: Edge
    column: int


def lay_out(places: Sequence[Place], edges: Iterable[Edge]) -> Layout:
    """Place jobs and lines; edges that would close a ring are left out."""
    kept = _without_rings(places, edges)
    columns = _columns(places, kept)
    routes = {edge: _route(edge, columns) for edge in kept}
    ordered = _ordered(places, columns, routes.values())
    tallest = max(len(column) for column in ordered)
    positions = {
        place: Box(MARGIN + at * (WIDTH + COLUMN_GAP), _top(row, len(column), tallest))
        for at, column in enumerate(ordered)
        for row, place in enumerate(column)
    }
    return Layout(
        2 * MARGIN + len(ordered) * (WIDTH + COLUMN_GAP) - COLUMN_GAP,
        2 * MARGIN + tallest * (HEIGHT + ROW_GAP) - ROW_GAP,
        {place: positions[place] for place in places},
        [Line(*edge, _path([positions[place] for place in route])) for edge, route in routes.items()],
    )


def _without_rings(places: Sequence[Place], edges: Iterable[Edge]) -> list[Edge]:
    # Flows have none; rows that somebody else has written may.
    kept = [edge for edge in dict.fromkeys(edges) if edge[0] != edge[1]]
    while True:
        try:
            TopologicalSorter(_parents(places, kept)).prepare()
        except CycleError as error:
            ring = set(pairwise(error.args[1]))
            kept = [edge for edge in kept if edge not in ring]
        else:
            return kept


def _parents(places: Sequence[Place], edges: Iterable[Edge]) -> dict[Place, list[Place]]:
    parents: dict[Place, list[Place]] = {place: [] for place in places}
    for parent, child in edges:
        parents[child].append(parent)
    return parents


def _columns(places: Sequence[Place], edges: Iterable[Edge]) -> dict[Place, int]:
    parents = _parents(places, edges)
    columns: dict[Place, int] = {}
    for place in TopologicalSorter(parents).static_order():
        columns[place] = max((columns[parent] + 1 for parent in parents[place]), default=0)
    return columns


def _route(edge: Edge, columns: Mapping[Place, int]) -> list[Place]:
    start, end = edge
    between = range(columns[start] + 1, columns[end])
    return [start, *(_Bend(edge, column) for column in between), end]


def _ordered(
    places: Sequence[Place], columns: Mapping[Place, int], routes: Iterable[Sequence[Place]]
) -> list[list[Place]]:
    found: list[list[Place]] = [[] for _ in range(max(columns.values()) + 1)]
    for place in places:
        found[columns[place]].append(place)
    before, behind = defaultdict[Place, list[Place]](list), defaultdict[Place, list[Place]](list)
    for route in routes:
        for bend in route[1:-1]:
            assert isinstance(bend, _Bend)
            found[bend.column].append(bend)
        for left, right in pairwise(route):
            before[right].append(left)
            behind[left].append(right)
    for sweep in range(SWEEPS):
        forwards = sweep % 2 == 0
        _sweep(found if forwards else found[::-1], before if forwards else behind)
    return found


def _sweep(columns: Sequence[list[Place]], neighbours: Mapping[Place, Sequence[Place]]) -> None:
    for fixed, moved in pairwise(columns):
        rows = {place: row / max(1, len(fixed) - 1) for row, place in enumerate(fixed)}
        weights = {
            place: _middle([rows[one] for one in neighbours.get(place, ())], row / max(1, len(moved) - 1))
            for row, place in enumerate(moved)
        }
        moved.sort(key=weights.__getitem__)


def _middle(rows: Sequence[float], otherwise: float) -> float:
    return sum(rows) / len(rows) if rows else otherwise


def _top(row: int, count: int, tallest: int) -> float:
    return MARGIN + (row + (tallest - count) / 2) * (HEIGHT + ROW_GAP)


def _path(stations: Sequence[Box]) -> str:
    """Curves from right edge to left edge; straight through the places in between."""
    first, middle = stations[0], HEIGHT / 2
    parts = [f"M{first.x + WIDTH:g} {first.y + middle:g}"]
    for left, right in pairwise(stations):
        x, end = left.x + WIDTH, right.x
        half = (x + end) / 2
        parts.append(f"C{half:g} {left.y + middle:g} {half:g} {right.y + middle:g} {end:g} {right.y + middle:g}")
        if right is not stations[-1]:
            parts.append(f"H{right.x + WIDTH:g}")
    return "".join(parts)
