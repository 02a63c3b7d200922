"""``document-parse``: a file becomes passages."""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path
from uuid import UUID

from pydantic import BaseModel

from document_pipeline.enqueue import enqueue_analyze_document, enqueue_generate_embeddings
from document_pipeline.handlers.access import owned_document
from document_pipeline.jobs import AnalyzeDocument, DocumentParse, GenerateEmbeddings
from document_pipeline.parsing import UnreadableDocumentError, parse_file
from document_pipeline.passages import ParsedDocument
from document_pipeline.services import Services
from document_pipeline.storage import chunks_of, replace_chunks, set_problem
from pgboss import Discard


class ParseResult(BaseModel):
    """What parsing stores as its job's output.

    Attributes:
        changed: whether anything was written; not when this version of the file was parsed before.
    """

    title: str | None
    chunks: int
    characters: int | None
    changed: bool


async def parse(services: Services, payload: DocumentParse) -> ParseResult:
    """Read the file, store its passages, and send it on to be embedded and analysed.

    Raises:
        Discard: the file is damaged, or not the user's, or outside of the documents' folder.
        OSError: the file cannot be opened now.
    """
    path = path_within(services.settings.documents_root, payload.file_path)
    async with services.pool.connection() as connection:
        document = await owned_document(connection, payload)
        known = await chunks_of(connection, document.id)
    sha256 = await asyncio.to_thread(digest, path)
    if document.sha256 == sha256:
        return ParseResult(title=document.title, chunks=len(known), characters=document.characters, changed=False)
    try:
        parsed = await asyncio.to_thread(parse_file, path, payload.file_type)
    except UnreadableDocumentError as error:
        await _record_problem(services, payload.document_id, str(error))
        raise Discard(str(error)) from error
    return await _store(services, payload, sha256, parsed)


async def _store(services: Services, payload: DocumentParse, sha256: str, parsed: ParsedDocument) -> ParseResult:
    async with services.pool.connection() as connection, connection.transaction():
        document = await owned_document(connection, payload, lock=True)
        # A second delivery may have run beside us, and ended first.
        changed = document.sha256 != sha256
        if changed:
            await replace_chunks(connection, document.id, sha256, parsed)
            about = payload.model_dump(include={"document_id", "deal_id", "user_id"})
            await enqueue_generate_embeddings(services.sender, GenerateEmbeddings(**about), connection=connection)
            await enqueue_analyze_document(services.sender, AnalyzeDocument(**about), connection=connection)
    return ParseResult(title=parsed.title, chunks=len(parsed.passages), characters=parsed.characters, changed=changed)


async def _record_problem(services: Services, id: UUID, problem: str) -> None:
    async with services.pool.connection() as connection:
        await set_problem(connection, id, problem)


def path_within(root: Path, asked: str) -> Path:
    """The file that a job asks for, if it lies below the documents' folder.

    Raises:
        Discard: it does not, links and dots resolved.
    """
    root = root.resolve()
    path = (root / asked).resolve()
    if not path.is_relative_to(root):
        raise Discard(f"{asked} is outside of the documents' folder.")
    return path


def digest(path: Path) -> str:
    """The SHA-256 of a file, which names its version."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
