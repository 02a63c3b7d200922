"""How far back charts look: a choice that stands in the address."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["SPANS", "Span", "span_of"]


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of time up to now, and the width of a point."""

    name: str
    seconds: int
    bucket_seconds: int


SPANS = (
    Span("1h", 3600, 60),
    Span("6h", 6 * 3600, 180),
    Span("1d", 24 * 3600, 600),
    Span("7d", 7 * 24 * 3600, 3600),
)


def span_of(name: str | None) -> Span:
    """The span of that name, or else the shortest."""
    return next((span for span in SPANS if span.name == name), SPANS[0])
