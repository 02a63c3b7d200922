"""Documents with a structure of their own, each read by its format's backend of Docling.

Docling's ``DocumentConverter`` imports torch for its layout models. The backends do not, and work over an
``InputDocument`` alone.
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

from document_pipeline.jobs import FileType

BACKENDS: dict[str, tuple[InputFormat, type[DeclarativeDocumentBackend]]] = {
    "docx": (InputFormat.DOCX, MsWordDocumentBackend),
    "html": (InputFormat.HTML, HTMLDocumentBackend),
    "md": (InputFormat.MD, MarkdownDocumentBackend),
    "pptx": (InputFormat.PPTX, MsPowerpointDocumentBackend),
    "xlsx": (InputFormat.XLSX, MsExcelDocumentBackend),
}


def read_structured(path: Path, file_type: FileType) -> DoclingDocument:
    """Read a file of any type but PDF; what a damaged one raises depends on its type."""
    input_format, backend = BACKENDS[file_type]
    # The input document only describes the file; made with its real backend it would swallow and log its errors.
    source = InputDocument(path_or_stream=path, format=input_format, backend=NoOpBackend, filename=path.name)
    return backend(source, path).convert()
