"""JSON as a tree to look at: what each node is called, and how much of a large one is shown."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Literal, TypeAlias

from pgboss.core.wire import JSON, Unreadable

__all__ = ["Node", "tree"]

Kind: TypeAlias = Literal["object", "array", "string", "number", "literal", "unreadable"]

MOST_MEMBERS = 200
MOST_NODES = 3000
DEEPEST = 40


@dataclass(frozen=True, slots=True)
class Node:
    """A value, and where it stands.

    Attributes:
        label: its key or its number; ``None`` at the root.
        text: what it is, where it has no members.
        members: those that are shown.
        size: how many it has.
    """

    label: str | None
    kind: Kind
    text: str = ""
    members: Sequence[Node] = ()
    size: int = 0

    @property
    def left_out(self) -> int:
        return self.size - len(self.members)


def tree(value: JSON) -> Node:
    """A tree of JSON; of what is very large, very deep or very long only the beginning."""
    return _Budget(MOST_NODES).node(None, value, 0)


class _Budget:
    def __init__(self, nodes: int) -> None:
        self._left = nodes

    def node(self, label: str | None, value: JSON, depth: int) -> Node:
        self._left -= 1
        if isinstance(value, dict):
            return Node(label, "object", members=self._members(value.items(), depth), size=len(value))
        if isinstance(value, list):
            numbered = ((str(at), one) for at, one in enumerate(value))
            return Node(label, "array", members=self._members(numbered, depth), size=len(value))
        return _leaf(label, value)

    def _members(self, members: Iterable[tuple[str, JSON]], depth: int) -> Sequence[Node]:
        shown: list[Node] = []
        for label, value in islice(members, MOST_MEMBERS if depth < DEEPEST else 0):
            if self._left <= 0:
                break
            shown.append(self.node(label, value, depth + 1))
        return shown


def _leaf(label: str | None, value: JSON) -> Node:
    if isinstance(value, Unreadable):
        return Node(label, "unreadable", value.reason)
    if isinstance(value, str):
        return Node(label, "string", value)
    kind: Kind = "literal" if value is None or isinstance(value, bool) else "number"
    return Node(label, kind, json.dumps(value))
