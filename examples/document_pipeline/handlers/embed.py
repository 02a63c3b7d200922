"""``generate-embeddings``: passages become vectors."""

from __future__ import annotations

from pydantic import BaseModel

from document_pipeline.handlers.access import parsed_document, still_same
from document_pipeline.handlers.join import send_on_when_complete
from document_pipeline.jobs import GenerateEmbeddings
from document_pipeline.services import Services
from document_pipeline.storage import chunks_of, store_embeddings


class EmbedResult(BaseModel):
    """What embedding stores as its job's output.

    Attributes:
        changed: whether anything was written; not when this model embedded this version before.
    """

    model: str
    chunks: int
    changed: bool


async def embed(services: Services, payload: GenerateEmbeddings) -> EmbedResult:
    """Embed all passages of a document with the model of this worker.

    Raises:
        Discard: the document is not the user's, or not parsed.
        EmbeddingError: the model is not there, or its answer is of no use.
    """
    embedder = services.embedder
    async with services.pool.connection() as connection:
        document = await parsed_document(connection, payload)
        chunks = await chunks_of(connection, document.id)
    if document.embedded_by == embedder.model:
        return EmbedResult(model=embedder.model, chunks=len(chunks), changed=False)
    vectors = await embedder.embed([chunk.context_text for chunk in chunks])
    async with services.pool.connection() as connection, connection.transaction():
        await still_same(connection, payload, document)
        await store_embeddings(connection, document.id, chunks, vectors, embedder.model)
        await send_on_when_complete(services, connection, payload)
    return EmbedResult(model=embedder.model, chunks=len(chunks), changed=True)
