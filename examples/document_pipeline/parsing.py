"""From a file to passages, with Docling.

Docling takes seconds to import, and only parsing needs it: so it comes with the first document, in the thread that
parses it, and not with the program.

All of this computes and reads files: call it in a thread.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from document_pipeline.jobs import FileType
from document_pipeline.passages import ParsedDocument, Passage

if TYPE_CHECKING:
    from docling_core.types.doc.document import DoclingDocument


class UnreadableDocumentError(Exception):
    """The file is damaged, empty, or not what its type says; reading it again cannot help."""


def parse_file(path: Path, file_type: FileType) -> ParsedDocument:
    """Read a file and cut it into passages.

    Raises:
        UnreadableDocumentError: the file is damaged, without text, or of another type.
        OSError: the file is missing or cannot be opened, which may pass.
    """
    from document_pipeline.chunking import chunk

    document = _read(path, file_type)
    passages = chunk(document)
    if not passages:
        raise UnreadableDocumentError(f"{path.name} has no text (a scan needs OCR first).")
    return ParsedDocument(_title(passages, path), passages)


def _read(path: Path, file_type: FileType) -> DoclingDocument:
    from document_pipeline.pdf import read_pdf
    from document_pipeline.structured import read_structured

    # Opened once by ourselves: the libraries beneath tell a missing file from a damaged one each in its own way.
    with path.open("rb"):
        pass
    try:
        return read_pdf(path) if file_type == "pdf" else read_structured(path, file_type)
    except Exception as error:
        # Whatever a parser raises on a damaged file: zip, XML, index and attribute errors among it.
        raise UnreadableDocumentError(f"{path.name} cannot be read as {file_type}: {_root_cause(error)}") from error


def _root_cause(error: BaseException) -> str:
    """What went wrong beneath: Docling's own messages name hashes and classes."""
    while (cause := error.__cause__ or error.__context__) is not None:
        error = cause
    return str(error) or type(error).__name__


def _title(passages: list[Passage], path: Path) -> str:
    """The first heading, which is how most documents begin; else the file's name."""
    headings = passages[0].headings
    return headings[0] if headings else path.stem.replace("-", " ")
