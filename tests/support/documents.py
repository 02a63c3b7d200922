"""Documents for tests of the example: recorded for a user, ready to be parsed."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from document_pipeline.jobs import DocumentParse, FileType
from document_pipeline.services import Services
from document_pipeline.storage import Document, add_document, find_document

__all__ = ["Files", "needs_wordllama"]

needs_wordllama = pytest.mark.skipif(sys.version_info >= (3, 14), reason="WordLlama has no wheel for Python 3.14")


@dataclass
class Files:
    """A user's documents: recorded, and ready to be parsed."""

    services: Services
    deal_id: UUID
    user_id: UUID

    async def add(self, file_path: str, file_type: FileType | None = None) -> DocumentParse:
        """Record a document and return the payload that has it parsed."""
        kind = file_type or Path(file_path).suffix[1:]
        payload = DocumentParse.model_validate(
            {
                "document_id": uuid4(),
                "deal_id": self.deal_id,
                "user_id": self.user_id,
                "file_path": file_path,
                "file_type": kind,
            }
        )
        async with self.services.pool.connection() as connection:
            await add_document(
                connection,
                Document(payload.document_id, self.deal_id, self.user_id, file_path, payload.file_type),
            )
        return payload

    async def read(self, payload: DocumentParse) -> Document:
        """The document as it is now."""
        async with self.services.pool.connection() as connection:
            document = await find_document(connection, payload.document_id)
        assert document is not None
        return document
