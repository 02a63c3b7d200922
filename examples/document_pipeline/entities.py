"""Entities: what a document is about, and where it says so.

Without a language model these are honest heuristics: the key terms of the text, and names recognised by their
capitals. Either way an entity counts only where the text mentions it, so nothing made up gets into the graph.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Literal, TypeVar
from uuid import UUID, uuid5

from pydantic import BaseModel, ConfigDict, Field

NAME = re.compile(
    r"""
    (?<=[a-z,;]\ )[A-Z][a-z]\w*(?:[ -][A-Z][a-z]\w*)+    # Write Ahead Log, but not where a sentence begins
    | \b[A-Z]?[a-z]+[A-Z]\w+\b                           # PostgreSQL, pgBackRest
    | \b[A-Z][A-Z0-9]+(?:[ -][A-Z][A-Z0-9]+)*\b           # WAL, VACUUM FULL
    """,
    re.VERBOSE,
)
LEAST_MENTIONS = 2

Kind = Literal["name", "term"]
Key = TypeVar("Key")


class Entity(BaseModel):
    """Something that documents mention."""

    model_config = ConfigDict(frozen=True)

    name: str = Field(min_length=1)
    kind: Kind

    def id_in(self, deal_id: UUID) -> UUID:
        """The same for the same name in the same deal, and never shared between deals."""
        return uuid5(deal_id, f"entity/{self.name.casefold()}")


def names_in(text: str, limit: int) -> list[Entity]:
    """The names that a text uses more than once, most frequent first."""
    counted = Counter(NAME.findall(text)).most_common(limit)
    return [Entity(name=name, kind="name") for name, count in counted if count >= LEAST_MENTIONS]


def distinct(entities: Iterable[Entity], limit: int) -> list[Entity]:
    """The first of each name, whatever its capitals."""
    found: dict[str, Entity] = {}
    for entity in entities:
        found.setdefault(entity.name.casefold(), entity)
    return list(found.values())[:limit]


def find_mentions(entities: Iterable[Entity], texts: Mapping[Key, str]) -> dict[Entity, dict[Key, int]]:
    """How often each text mentions each entity; entities that none mentions are left out."""
    found = {}
    for entity in entities:
        # Not \b: names may begin or end with a sign, as in "C++".
        pattern = re.compile(rf"(?<!\w){re.escape(entity.name)}(?!\w)", re.IGNORECASE)
        counts = {key: count for key, text in texts.items() if (count := len(pattern.findall(text)))}
        if counts:
            found[entity] = counts
    return found
