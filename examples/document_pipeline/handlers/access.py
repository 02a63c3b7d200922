"""The check that comes before everything else: whose document is this?"""

from __future__ import annotations

from document_pipeline.jobs import DocumentPayload
from document_pipeline.storage import Connection, Document, find_document
from pgboss import Discard


class DocumentChangedError(Exception):
    """The file was parsed anew while its earlier version was being processed; a retry sees the new one."""


async def owned_document(connection: Connection, payload: DocumentPayload, *, lock: bool = False) -> Document:
    """The document of a job, if it belongs to the job's user and deal.

    Args:
        connection: where to read it.
        payload: what the job asks for.
        lock: whether to keep others from changing it until the transaction ends.

    Raises:
        Discard: it does not, or there is none; the message does not tell which of the two a stranger hit.
    """
    document = await find_document(connection, payload.document_id, lock=lock)
    if document is None or (document.user_id, document.deal_id) != (payload.user_id, payload.deal_id):
        raise Discard(f"User {payload.user_id} has no document {payload.document_id} in deal {payload.deal_id}.")
    return document


async def parsed_document(connection: Connection, payload: DocumentPayload) -> Document:
    """Like :func:`owned_document`, for the stages that follow parsing.

    Raises:
        Discard: see :func:`owned_document`, or the document was never parsed.
    """
    document = await owned_document(connection, payload)
    if document.parsed_at is None:
        raise Discard(f"Document {payload.document_id} is not parsed yet; parsing sends this job itself.")
    return document


async def still_same(connection: Connection, payload: DocumentPayload, seen: Document) -> Document:
    """Lock the document for writing what was made of the version that was seen.

    Raises:
        Discard: it was removed meanwhile.
        DocumentChangedError: it was parsed anew meanwhile.
    """
    document = await owned_document(connection, payload, lock=True)
    if (document.sha256, document.parsed_at) != (seen.sha256, seen.parsed_at):
        raise DocumentChangedError(f"{document.file_path} was parsed anew meanwhile.")
    return document
