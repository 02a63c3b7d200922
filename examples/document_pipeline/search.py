"""Finding passages by what they mean."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from psycopg.rows import class_row

from document_pipeline.embedding import Embedder
from document_pipeline.storage import Connection


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage that answers a question.

    Attributes:
        similarity: the cosine of the two vectors, 1 for the same meaning.
    """

    title: str
    file_path: str
    headings: list[str]
    page: int | None
    text: str
    similarity: float


async def search(
    connection: Connection, embedder: Embedder, question: str, *, deal_id: UUID, user_id: UUID, limit: int = 3
) -> list[Hit]:
    """The passages nearest in meaning to a question, best first, among a user's documents of one deal.

    Only passages embedded by the same model are looked at.

    Raises:
        EmbeddingError: the question cannot be embedded.
    """
    [vector] = await embedder.embed([question])
    async with connection.cursor(row_factory=class_row(Hit)) as cursor:
        await cursor.execute(
            """
            SELECT d.title, d.file_path, c.headings, c.page, c.text, 1 - (e.embedding <=> %(vector)s) AS similarity
              FROM pipeline.documents d
              JOIN pipeline.chunks c ON c.document_id = d.id
              JOIN pipeline.embeddings e ON e.chunk_id = c.id AND e.model = %(model)s
             WHERE d.deal_id = %(deal_id)s AND d.user_id = %(user_id)s
             ORDER BY e.embedding <=> %(vector)s LIMIT %(limit)s
            """,
            {"vector": vector, "model": embedder.model, "deal_id": deal_id, "user_id": user_id, "limit": limit},
        )
        return await cursor.fetchall()
