"""The job types: their names and their payloads, which are the JSON that every program of the platform agrees on.

A Next.js process sends and works the same queues, so names of queues and fields never change without it.
"""

from __future__ import annotations

from typing import Final, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

DOCUMENT_PARSE: Final = "document-parse"
GENERATE_EMBEDDINGS: Final = "generate-embeddings"
ANALYZE_DOCUMENT: Final = "analyze-document"
UPDATE_GRAPH: Final = "update-graph"
TEST_JOB: Final = "test-job"

STAGES: Final = (DOCUMENT_PARSE, GENERATE_EMBEDDINGS, ANALYZE_DOCUMENT, UPDATE_GRAPH)
"""The stages of a document, in the order in which they begin."""

DEAD_LETTERS: Final = "document-failed"
"""Where jobs of all types end up that failed for good."""

FileType = Literal["docx", "html", "md", "pdf", "pptx", "xlsx"]


class Payload(BaseModel):
    """Unknown fields are passed over: another program may send more than we read."""

    model_config = ConfigDict(frozen=True)


class DocumentPayload(Payload):
    """A stage's work on one document.

    Attributes:
        user_id: on whose behalf. Handlers compare it with the document's owner before they touch anything.
    """

    document_id: UUID
    deal_id: UUID
    user_id: UUID


class DocumentParse(DocumentPayload):
    """Read a file into passages.

    Attributes:
        file_path: the file, absolute or relative to ``DOCUMENTS_ROOT``, and in any case below it.
    """

    file_path: str = Field(min_length=1)
    file_type: FileType


class GenerateEmbeddings(DocumentPayload):
    """Turn a document's passages into vectors."""


class AnalyzeDocument(DocumentPayload):
    """Summarise a document and name its terms and entities."""


class UpdateGraph(DocumentPayload):
    """Bring a document, its entities and their mentions into the knowledge graph."""


class TestJob(Payload):
    """Try the queue without a document.

    Attributes:
        should_fail: whether the handler raises, which makes the job retry until its attempts are used up.
        delay_ms: how long the handler takes, in milliseconds.
    """

    message: str = "hello"
    should_fail: bool = False
    delay_ms: int = Field(default=0, ge=0, le=600_000)
