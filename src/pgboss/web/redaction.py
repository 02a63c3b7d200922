"""Hiding values in data and outputs, by the names of their keys."""

from __future__ import annotations

from pgboss.core.wire import JSON

__all__ = ["HIDDEN", "redacted"]

HIDDEN = "[redacted]"


def redacted(value: JSON, names: frozenset[str]) -> JSON:
    """The same JSON, with what stands under one of these names, at any depth and in any case, hidden."""
    hidden = frozenset(name.casefold() for name in names)
    return _hide(value, hidden) if hidden else value


def _hide(value: JSON, hidden: frozenset[str]) -> JSON:
    if isinstance(value, dict):
        return {key: HIDDEN if key.casefold() in hidden else _hide(one, hidden) for key, one in value.items()}
    if isinstance(value, list):
        return [_hide(one, hidden) for one in value]
    return value
