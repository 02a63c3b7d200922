"""``analyze-document``: a document gets its summary, its terms and its entities."""

from __future__ import annotations

from pydantic import BaseModel

from document_pipeline.entities import find_mentions
from document_pipeline.handlers.access import parsed_document, still_same
from document_pipeline.handlers.join import send_on_when_complete
from document_pipeline.jobs import AnalyzeDocument
from document_pipeline.services import Services
from document_pipeline.storage import chunks_of, store_analysis


class AnalyseResult(BaseModel):
    """What analysing stores as its job's output.

    Attributes:
        made_by: ``openai:MODEL`` or ``local:LIBRARY``.
        entities: how many of those found are mentioned in the text; the others are dropped.
        changed: whether anything was written; not when this version was analysed before.
    """

    made_by: str
    summary: str = ""
    key_terms: list[str] = []
    entities: int = 0
    changed: bool


async def analyse(services: Services, payload: AnalyzeDocument) -> AnalyseResult:
    """Summarise a document, and find its entities and where they are mentioned.

    Raises:
        Discard: the document is not the user's, or not parsed.
        AnalysisError: the model gave no usable answer.
    """
    async with services.pool.connection() as connection:
        document = await parsed_document(connection, payload)
        chunks = await chunks_of(connection, document.id)
    if document.analysed_at is not None:
        return AnalyseResult(made_by=services.analyser.made_by, changed=False)
    analysis = await services.analyser.analyse(document.title or "", [chunk.text for chunk in chunks])
    mentions = find_mentions(analysis.entities, {chunk.id: chunk.text for chunk in chunks})
    async with services.pool.connection() as connection, connection.transaction():
        await still_same(connection, payload, document)
        await store_analysis(connection, document, analysis, mentions)
        await send_on_when_complete(services, connection, payload)
    return AnalyseResult(
        made_by=analysis.made_by,
        summary=analysis.summary,
        key_terms=analysis.key_terms,
        entities=len(mentions),
        changed=True,
    )
