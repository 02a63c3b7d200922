"""The nouns between reading a file and storing it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of a document.

    Attributes:
        headings: the headings it stands under, outermost first.
        page: its first page, slide or sheet, from 1; ``None`` where the format has none.
    """

    text: str
    headings: tuple[str, ...]
    page: int | None

    @property
    def context_text(self) -> str:
        """The text beneath its headings: what is embedded, as a passage often names its subject only there."""
        return "\n".join((*self.headings, self.text))


@dataclass(frozen=True, slots=True)
class ParsedDocument:
    """What a file says."""

    title: str
    passages: list[Passage]

    @property
    def characters(self) -> int:
        """The length of all passages together."""
        return sum(len(passage.text) for passage in self.passages)
