"""From a file to passages, with Docling: each format's backend by itself, and Docling's chunker.

Docling's ``DocumentConverter`` imports torch for its layout models. The backends for formats that have a structure of
their own do not, and work over an ``InputDocument`` alone; PDFs are read in ``pdf``.

All of this computes and reads files: call it in a thread.
"""

from __future__ import annotations

from pathlib import Path

from docling.backend.abstract_backend import DeclarativeDocumentBackend
from docling.backend.html_backend import HTMLDocumentBackend
from docling.backend.md_backend import MarkdownDocumentBackend
from docling.backend.msexcel_backend import MsExcelDocumentBackend
from docling.backend.mspowerpoint_backend import MsPowerpointDocumentBackend
from docling.backend.msword_backend import MsWordDocumentBackend
from docling.backend.noop_backend import NoOpBackend
from docling.datamodel.base_models import InputFormat
from docling.datamodel.document import InputDocument
from docling_core.types.doc.document import DoclingDocument

from document_pipeline.chunking import chunk
from document_pipeline.jobs import FileType
from document_pipeline.passages import ParsedDocument, Passage
from document_pipeline.pdf import read_pdf

BACKENDS: dict[str, tuple[InputFormat, type[DeclarativeDocumentBackend]]] = {
    "docx": (InputFormat.DOCX, MsWordDocumentBackend),
    "html": (InputFormat.HTML, HTMLDocumentBackend),
    "md": (InputFormat.MD, MarkdownDocumentBackend),
    "pptx": (InputFormat.PPTX, MsPowerpointDocumentBackend),
    "xlsx": (InputFormat.XLSX, MsExcelDocumentBackend),
}


class UnreadableDocumentError(Exception):
    """The file is damaged, empty, or not what its type says; reading it again cannot help."""


def parse_file(path: Path, file_type: FileType) -> ParsedDocument:
    """Read a file and cut it into passages.

    Raises:
        UnreadableDocumentError: the file is damaged, without text, or of another type.
        OSError: the file is missing or cannot be opened, which may pass.
    """
    document = _read(path, file_type)
    passages = chunk(document)
    if not passages:
        raise UnreadableDocumentError(f"{path.name} has no text (a scan needs OCR first).")
    return ParsedDocument(_title(passages, path), passages)


def _read(path: Path, file_type: FileType) -> DoclingDocument:
    # Opened once by ourselves: the libraries beneath tell a missing file from a damaged one each in its own way.
    with path.open("rb"):
        pass
    try:
        return read_pdf(path) if file_type == "pdf" else _read_structured(path, file_type)
    except Exception as error:
        # Whatever a parser raises on a damaged file: zip, XML, index and attribute errors among it.
        raise UnreadableDocumentError(f"{path.name} cannot be read as {file_type}: {_root_cause(error)}") from error


def _root_cause(error: BaseException) -> str:
    """What went wrong beneath: Docling's own messages name hashes and classes."""
    while (cause := error.__cause__ or error.__context__) is not None:
        error = cause
    return str(error) or type(error).__name__


def _read_structured(path: Path, file_type: FileType) -> DoclingDocument:
    input_format, backend = BACKENDS[file_type]
    # The input document only describes the file; made with its real backend it would swallow and log its errors.
    source = InputDocument(path_or_stream=path, format=input_format, backend=NoOpBackend, filename=path.name)
    return backend(source, path).convert()


def _title(passages: list[Passage], path: Path) -> str:
    """The first heading, which is how most documents begin; else the file's name."""
    headings = passages[0].headings
    return headings[0] if headings else path.stem.replace("-", " ")
