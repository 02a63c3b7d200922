"""One typed function a job type, to create its job.

Each takes ``connection=``, so that a job comes to be together with the rows it is about, or not at all.
"""

from __future__ import annotations

from typing import Any, Protocol
from uuid import UUID

from psycopg import AsyncConnection

from document_pipeline.jobs import (
    ANALYZE_DOCUMENT,
    DOCUMENT_PARSE,
    GENERATE_EMBEDDINGS,
    TEST_JOB,
    UPDATE_GRAPH,
    AnalyzeDocument,
    DocumentParse,
    GenerateEmbeddings,
    Payload,
    TestJob,
    UpdateGraph,
)

Connection = AsyncConnection[Any]


class Sender(Protocol):
    """What sending needs of a client: ``PgBoss`` is one."""

    async def send(
        self, queue: str, data: Any = None, *, connection: Connection | None = None, priority: int = 0
    ) -> UUID | None:
        """Create a job and return its id."""


async def enqueue_document_parse(
    sender: Sender, payload: DocumentParse, *, connection: Connection | None = None, priority: int = 0
) -> UUID | None:
    """Have a file read; the stages that follow are enqueued by the handlers."""
    return await _enqueue(sender, DOCUMENT_PARSE, payload, connection, priority)


async def enqueue_generate_embeddings(
    sender: Sender, payload: GenerateEmbeddings, *, connection: Connection | None = None, priority: int = 0
) -> UUID | None:
    """Have the passages of a parsed document turned into vectors."""
    return await _enqueue(sender, GENERATE_EMBEDDINGS, payload, connection, priority)


async def enqueue_analyze_document(
    sender: Sender, payload: AnalyzeDocument, *, connection: Connection | None = None, priority: int = 0
) -> UUID | None:
    """Have a parsed document summarised."""
    return await _enqueue(sender, ANALYZE_DOCUMENT, payload, connection, priority)


async def enqueue_update_graph(
    sender: Sender, payload: UpdateGraph, *, connection: Connection | None = None, priority: int = 0
) -> UUID | None:
    """Have an analysed document brought into the graph."""
    return await _enqueue(sender, UPDATE_GRAPH, payload, connection, priority)


async def enqueue_test_job(
    sender: Sender, payload: TestJob, *, connection: Connection | None = None, priority: int = 0
) -> UUID | None:
    """Have the queue tried."""
    return await _enqueue(sender, TEST_JOB, payload, connection, priority)


async def _enqueue(
    sender: Sender, queue: str, payload: Payload, connection: Connection | None, priority: int
) -> UUID | None:
    return await sender.send(queue, payload.model_dump(mode="json"), connection=connection, priority=priority)
