"""Hiding values in data and outputs, by the names of their keys."""

from __future__ import annotations

from pgboss.core.wire import JSON

__all__ = ["HIDDEN", "redacted", "restored"]

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


def restored(value: JSON, stored: JSON, names: frozenset[str]) -> JSON:
    """The same JSON, with what was hidden in it as it is stored: for what somebody was shown and has sent back."""
    hidden = frozenset(name.casefold() for name in names)
    return _restore(value, stored, hidden) if hidden else value


def _restore(value: JSON, stored: JSON, hidden: frozenset[str]) -> JSON:
    if isinstance(value, dict) and isinstance(stored, dict):
        return {key: _restore_member(key, one, stored.get(key), hidden) for key, one in value.items()}
    if isinstance(value, list) and isinstance(stored, list):
        beside = [*stored, *[None] * len(value)]
        return [_restore(one, old, hidden) for one, old in zip(value, beside, strict=False)]
    return value


def _restore_member(key: str, value: JSON, stored: JSON, hidden: frozenset[str]) -> JSON:
    return stored if value == HIDDEN and key.casefold() in hidden else _restore(value, stored, hidden)
