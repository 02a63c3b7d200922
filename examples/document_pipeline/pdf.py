"""The text of PDFs, put together from positioned lines.

Docling's own way from a page to paragraphs needs layout models and torch. Text that was born digital needs neither:
lines that follow one another closely are a paragraph, and a short one all in bold is a heading. Scans, columns and
tables are beyond this; a scan has no text at all and is refused as empty.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from docling_core.types.doc.base import BoundingBox, Size
from docling_core.types.doc.common.reference import ProvenanceItem
from docling_core.types.doc.document import DoclingDocument
from docling_core.types.doc.labels import DocItemLabel
from docling_core.types.doc.page import PdfTextCell, SegmentedPdfPage, TextCell
from docling_parse.pdf_parser import DoclingPdfParser

# Fonts of symbols put their bullets where Unicode knows no characters.
PRIVATE_USE = re.compile("[\ue000-\uf8ff]")
# In heights of a line: white space above it that begins a paragraph. Ordinary leading is about half a line.
PARAGRAPH_GAP = 0.8
# Likewise, between two words of a line. A narrow space is about a quarter.
WORD_GAP = 0.1
HEADING_CHARACTERS = 120


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a page, with PDF's coordinates: in points, from the bottom left corner."""

    text: str
    box: BoundingBox
    bold: bool

    @property
    def height(self) -> float:
        return self.box.t - self.box.b


def read_pdf(path: Path) -> DoclingDocument:
    """Read a PDF into a document of headings and paragraphs that know their page.

    Raises:
        RuntimeError: the file is no PDF, or damaged beyond repair.
    """
    document = DoclingDocument(name=path.stem)
    source = DoclingPdfParser().load(path)
    try:
        for number, page in source.iterate_pages():
            document.add_page(number, Size(width=page.dimension.width, height=page.dimension.height))
            for paragraph in paragraphs(lines(page)):
                _add(document, number, paragraph)
    finally:
        source.unload()
    return document


def lines(page: SegmentedPdfPage) -> Iterator[Line]:
    """The page's lines, in its own reading order; a change of font within a line makes several cells of one line."""
    cells: list[TextCell] = []
    for cell in page.textline_cells:
        if cells and not _same_line(cells[-1], cell):
            yield _line(cells)
            cells = []
        cells.append(cell)
    if cells:
        yield _line(cells)


def paragraphs(of_page: Iterable[Line]) -> Iterator[list[Line]]:
    """Lines that belong together."""
    current: list[Line] = []
    for line in of_page:
        if current and _begins_paragraph(current[-1], line):
            yield current
            current = []
        current.append(line)
    if current:
        yield current


def _same_line(one: TextCell, other: TextCell) -> bool:
    """Whether a cell continues a line: it begins where the other ends, at the same height."""
    first, second = one.rect.to_bounding_box(), other.rect.to_bounding_box()
    shared = min(first.t, second.t) - max(first.b, second.b)
    # By the lower of the two: a cell may hold nothing but an underscore.
    return shared > min(first.t - first.b, second.t - second.b) / 2 and second.l >= first.r - 1


def _line(cells: list[TextCell]) -> Line:
    boxes = [cell.rect.to_bounding_box() for cell in cells]
    whole = BoundingBox.enclosing_bbox(boxes)
    text = cells[0].text.strip()
    for before, box, cell in zip(boxes, boxes[1:], cells[1:], strict=False):
        # Cells that touch are parts of one word, such as a link within it.
        gap = " " if box.l - before.r > WORD_GAP * (whole.t - whole.b) else ""
        text += gap + cell.text.strip()
    bold = all(isinstance(cell, PdfTextCell) and "Bold" in cell.font_name for cell in cells)
    return Line(PRIVATE_USE.sub("• ", text), whole, bold)


def _begins_paragraph(above: Line, below: Line) -> bool:
    gap = above.box.b - below.box.t
    # A negative gap of more than the page's flow allows is a jump to another place of the page.
    return gap > PARAGRAPH_GAP * above.height or gap < -above.height or above.bold != below.bold


def _add(document: DoclingDocument, page: int, paragraph: list[Line]) -> None:
    text = " ".join(line.text for line in paragraph).strip()
    if not text:
        return
    box = BoundingBox.enclosing_bbox([line.box for line in paragraph])
    place = ProvenanceItem(page_no=page, bbox=box, charspan=(0, len(text)))
    if paragraph[0].bold and len(text) <= HEADING_CHARACTERS:
        document.add_heading(text, prov=place)
    else:
        document.add_text(DocItemLabel.TEXT, text, prov=place)
