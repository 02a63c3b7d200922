"""Everything that the documentation shows is done, and what it points to is there."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from docs.pages import PAGES, ROOT, Section, read_sections, slug
from docs.reader import ELSEWHERE, Reader

RUN = {"python", "sh", "js", "sql", "output"}
SHOWN = {"text", ""}
"""Diagrams and formulas."""

SECTIONS = [section for page in PAGES for section in read_sections(page) if section.blocks]


@pytest.mark.node
@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    "section", [section for section in SECTIONS if any(block.language in RUN for block in section.blocks)], ids=str
)
def test_a_section_does_what_it_says(section: Section, database_url: str, desk: Path) -> None:
    with Reader(desk, database_url) as reader:
        for block in section.blocks:
            reader.follow(block)


def test_every_block_is_of_a_kind_that_is_run_or_only_shown() -> None:
    kinds = {block.language for section in SECTIONS for block in section.blocks}

    assert kinds <= RUN | SHOWN
    assert {"python", "sh", "js", "output"} <= kinds


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if target.startswith("https://"):
            continue
        path, _, anchor = target.partition("#")
        linked = (page.parent / path).resolve() if path else page
        assert linked.exists(), f"{target} is not there"
        if anchor:
            assert anchor in {slug(section.title) for section in read_sections(linked)}, f"{target} has no such heading"


def test_installing_commands_name_what_exists() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    commands = [
        line.partition("  #")[0].split()
        for section in SECTIONS
        for block in section.blocks
        if block.language == "sh"
        for line in block.text.splitlines()
        if line.startswith(ELSEWHERE)
    ]

    assert commands
    for tool, *arguments in commands:
        if tool == "make":
            assert set(arguments) <= targets
        elif tool == "npm":
            assert arguments == ["install", "pg-boss"]
        else:
            named = re.fullmatch(r"'?pgboss(?:\[(?P<extras>[\w,]+)\])?'?", arguments[1])
            assert named, arguments
            assert set((named["extras"] or "").split(",")) <= {"", *extras}


def test_cited_sections_exist() -> None:
    titles = {section.title for section in read_sections(ROOT / "docs" / "compatibility.md")}
    cited = {
        " ".join(title.split())
        for path in (ROOT / "src").rglob("*.py")
        for citation in re.findall(
            r'docs/compatibility\.md((?:,|\s+and)\s+"[^"]+"(?:\s+and\s+"[^"]+")*)', path.read_text()
        )
        for title in re.findall(r'"([^"]+)"', citation)
    }

    assert len(cited) >= 7
    assert cited <= titles


def test_decisions_are_short_and_numbered() -> None:
    decisions = sorted((ROOT / "docs" / "decisions").glob("*.md"))

    for number, decision in enumerate(decisions, start=1):
        lines = decision.read_text(encoding="utf-8").splitlines()
        assert decision.name.startswith(f"{number:04}-")
        assert lines[0].startswith(f"# {number}. ")
        assert len(lines) <= 60
