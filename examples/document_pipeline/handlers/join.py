"""Where two branches meet: the graph's job is sent by whichever of embedding and analysing ends last."""

from __future__ import annotations

from document_pipeline.enqueue import enqueue_update_graph
from document_pipeline.handlers.access import owned_document
from document_pipeline.jobs import DocumentPayload, UpdateGraph
from document_pipeline.services import Services
from document_pipeline.storage import Connection, mark_graph_sent


async def send_on_when_complete(services: Services, connection: Connection, payload: DocumentPayload) -> None:
    """Send the document to the graph once, in the caller's transaction, when both branches are done.

    The caller holds the document's lock, so of two branches that end at the same moment one sees the other's work.
    """
    document = await owned_document(connection, payload)
    if document.embedded_at is None or document.analysed_at is None or document.graph_sent:
        return
    about = payload.model_dump(include={"document_id", "deal_id", "user_id"})
    await enqueue_update_graph(services.sender, UpdateGraph(**about), connection=connection)
    await mark_graph_sent(connection, document.id)
