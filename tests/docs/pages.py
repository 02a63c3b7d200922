"""What a page of the documentation consists of, as far as tests care: headings, links and fenced blocks."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

__all__ = ["PAGES", "ROOT", "Block", "Section", "read_sections", "slug", "table_rows"]

ROOT = Path(__file__).resolve().parent.parent.parent
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))

_FENCE = re.compile(r"^ *```(?P<language>\w*)\s*$")
_HEADING = re.compile(r"^#{1,6} (?P<title>.+?) *$")
_RULE = re.compile(r":?-+:?")
_FILE_NAME = re.compile(r"^(?:#|//|--) (?P<name>[\w.]+\.(?:py|mjs|sql))$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block; ``line`` is where its fence opens."""

    language: str
    text: str
    line: int

    @property
    def file_name(self) -> str | None:
        """The name that its first line gives it as a comment: ``# hello.py``, ``// app.mjs``."""
        found = _FILE_NAME.match(self.text)
        return found["name"] if found else None


@dataclass(frozen=True, slots=True)
class Section:
    """A heading and the blocks up to the next one."""

    page: Path
    title: str
    blocks: tuple[Block, ...]

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}#{slug(self.title)}"


def read_sections(page: Path) -> list[Section]:
    """The sections of a page, in order, whatever their level."""
    sections: list[Section] = []
    title, blocks = "", list[Block]()
    opened: tuple[str, int] | None = None
    lines: list[str] = []
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), start=1):
        fence, heading = _FENCE.match(line), _HEADING.match(line)
        if opened is not None and fence:
            blocks.append(Block(opened[0], "\n".join(lines) + "\n", opened[1]))
            opened = None
        elif opened is not None:
            lines.append(line)
        elif fence:
            opened, lines = (fence["language"], number), []
        elif heading:
            sections.append(Section(page, title, tuple(blocks)))
            title, blocks = heading["title"], []
    assert opened is None, f"{page}: the block of line {opened[1]} is never closed" if opened else ""
    return [*sections, Section(page, title, tuple(blocks))]


def slug(title: str) -> str:
    """The anchor that GitHub gives a heading."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


def table_rows(page: Path, first_title: str) -> list[list[str]]:
    """The cells of all tables of a page whose first column has this title."""
    rows: list[list[str]] = []
    wanted = False
    for line in page.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if not line.startswith("|"):
            wanted = False
        elif cells[0] == first_title:
            wanted = True
        elif wanted and not _RULE.fullmatch(cells[0]):
            rows.append(cells)
    return rows
