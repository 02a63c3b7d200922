"""``update-graph``: the graph learns what a document mentions."""

from __future__ import annotations

import asyncio

from pydantic import BaseModel

from document_pipeline.handlers.access import parsed_document, still_same
from document_pipeline.jobs import UpdateGraph
from document_pipeline.services import Services
from document_pipeline.storage import mark_graphed, mentions_of


class GraphResult(BaseModel):
    """What updating the graph stores as its job's output."""

    graph: str
    entities: int
    mentions: int


async def update_graph(services: Services, payload: UpdateGraph) -> GraphResult:
    """Make the graph say of a document what its analysis found.

    The graph is another database, so it comes first: should the mark be lost, the job runs again, and merging the
    same facts a second time changes nothing.

    Raises:
        Discard: the document is not the user's, or not parsed.
    """
    async with services.pool.connection() as connection:
        document = await parsed_document(connection, payload)
        mentions = await mentions_of(connection, document.id)
    await asyncio.to_thread(services.graph.update, document, mentions)
    async with services.pool.connection() as connection, connection.transaction():
        await still_same(connection, payload, document)
        await mark_graphed(connection, document.id)
    return GraphResult(
        graph=services.graph.name, entities=len(mentions), mentions=sum(mention.count for mention in mentions)
    )
