"""Lines and paragraphs from positioned cells."""

from __future__ import annotations

from docling_core.types.doc.base import BoundingBox, CoordOrigin

from document_pipeline.pdf import Line, paragraphs


def line(text: str, top: float, *, bold: bool = False) -> Line:
    """A line 10 points high."""
    return Line(text, BoundingBox(l=50, r=500, t=top, b=top - 10, coord_origin=CoordOrigin.BOTTOMLEFT), bold)


def texts(*lines: Line) -> list[list[str]]:
    return [[each.text for each in paragraph] for paragraph in paragraphs(lines)]


def test_lines_with_ordinary_leading_are_one_paragraph() -> None:
    assert texts(line("a", 700), line("b", 685), line("c", 670)) == [["a", "b", "c"]]


def test_a_wide_gap_begins_a_paragraph() -> None:
    assert texts(line("a", 700), line("b", 681)) == [["a"], ["b"]]


def test_bold_stands_alone() -> None:
    assert texts(line("Heading", 700, bold=True), line("text", 686)) == [["Heading"], ["text"]]


def test_a_jump_up_the_page_begins_a_paragraph() -> None:
    assert texts(line("foot of the left column", 100), line("head of the right column", 700)) == [
        ["foot of the left column"],
        ["head of the right column"],
    ]


def test_a_page_without_text_has_no_paragraphs() -> None:
    assert texts() == []
