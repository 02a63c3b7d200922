"""The platform's tables, in a schema of their own beside the queue's: documents and what was made of them.

Functions take the caller's connection and leave transactions to it, as handlers write their rows and send the next
job together. Ids are derived from what they name, so that writing the same thing twice makes one row.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeAlias
from uuid import UUID, uuid5

import psycopg
from pgvector.psycopg import register_vector_async
from psycopg import AsyncConnection
from psycopg.rows import class_row
from psycopg_pool import AsyncConnectionPool

from document_pipeline.entities import Entity
from document_pipeline.jobs import FileType
from document_pipeline.passages import ParsedDocument

if TYPE_CHECKING:
    # Programs that only record documents should not load what analyses and embeds them.
    from document_pipeline.analysis import Analysis
    from document_pipeline.embedding import Vectors

Connection: TypeAlias = AsyncConnection[Any]
Pool: TypeAlias = AsyncConnectionPool[Connection]

INSTALL_LOCK = 0x646F63  # "doc": any number that nobody else's advisory lock has

# Vectors of all models share one column without a declared length, as each model has its own. Searches are exact and
# within one deal; with 100,000s of passages a deal, add an HNSW index per model:
#   CREATE INDEX ... USING hnsw ((embedding::vector(256)) vector_cosine_ops) WHERE model = 'l2_supercat_256'
TABLES = """
CREATE EXTENSION IF NOT EXISTS vector;
CREATE SCHEMA IF NOT EXISTS pipeline;
CREATE TABLE IF NOT EXISTS pipeline.documents (
    id           uuid PRIMARY KEY,
    deal_id      uuid NOT NULL,
    user_id      uuid NOT NULL,
    file_path    text NOT NULL,
    file_type    text NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    sha256       text,
    title        text,
    characters   integer,
    parsed_at    timestamptz,
    embedded_at  timestamptz,
    embedded_by  text,
    analysed_at  timestamptz,
    graph_sent   boolean NOT NULL DEFAULT false,
    graphed_at   timestamptz,
    problem      text
);
CREATE INDEX IF NOT EXISTS documents_deal ON pipeline.documents (deal_id);
CREATE TABLE IF NOT EXISTS pipeline.chunks (
    id           uuid PRIMARY KEY,
    document_id  uuid NOT NULL REFERENCES pipeline.documents ON DELETE CASCADE,
    position     integer NOT NULL,
    headings     text[] NOT NULL,
    page         integer,
    text         text NOT NULL,
    context_text text NOT NULL,
    UNIQUE (document_id, position)
);
CREATE TABLE IF NOT EXISTS pipeline.embeddings (
    chunk_id     uuid NOT NULL REFERENCES pipeline.chunks ON DELETE CASCADE,
    model        text NOT NULL,
    embedding    vector NOT NULL,
    PRIMARY KEY (chunk_id, model)
);
CREATE TABLE IF NOT EXISTS pipeline.analyses (
    document_id  uuid PRIMARY KEY REFERENCES pipeline.documents ON DELETE CASCADE,
    made_by      text NOT NULL,
    summary      text NOT NULL,
    key_terms    text[] NOT NULL
);
CREATE TABLE IF NOT EXISTS pipeline.entities (
    id           uuid PRIMARY KEY,
    deal_id      uuid NOT NULL,
    name         text NOT NULL,
    kind         text NOT NULL
);
CREATE TABLE IF NOT EXISTS pipeline.mentions (
    entity_id    uuid NOT NULL REFERENCES pipeline.entities,
    chunk_id     uuid NOT NULL REFERENCES pipeline.chunks ON DELETE CASCADE,
    document_id  uuid NOT NULL REFERENCES pipeline.documents ON DELETE CASCADE,
    count        integer NOT NULL,
    PRIMARY KEY (entity_id, chunk_id)
);
CREATE INDEX IF NOT EXISTS mentions_document ON pipeline.mentions (document_id);
"""


class StorageError(Exception):
    """The database cannot hold the platform's tables; the message says what it lacks."""


@dataclass(frozen=True, slots=True)
class Document:
    """A document as far as it has come."""

    id: UUID
    deal_id: UUID
    user_id: UUID
    file_path: str
    file_type: FileType
    sha256: str | None = None
    title: str | None = None
    characters: int | None = None
    parsed_at: datetime | None = None
    embedded_at: datetime | None = None
    embedded_by: str | None = None
    analysed_at: datetime | None = None
    graph_sent: bool = False
    graphed_at: datetime | None = None
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class DealCounts:
    """How much there is of a deal."""

    documents: int
    chunks: int
    vectors: int
    entities: int
    mentions: int


DOCUMENT_COLUMNS = ", ".join(Document.__dataclass_fields__)


@dataclass(frozen=True, slots=True)
class Chunk:
    """A stored passage."""

    id: UUID
    text: str
    context_text: str


@dataclass(frozen=True, slots=True)
class Mention:
    """How often a document names an entity."""

    id: UUID
    name: str
    kind: str
    count: int


@asynccontextmanager
async def open_pool(dsn: str, size: int = 10) -> AsyncIterator[Pool]:
    """Install the tables where they are missing, and open a pool whose connections know vectors.

    Raises:
        StorageError: the database cannot be reached, has no pgvector, or lets the role not create what is missing.
    """
    try:
        connection = await AsyncConnection.connect(dsn)
    except psycopg.OperationalError as error:
        raise StorageError(f"The database cannot be reached: {error}") from error
    async with connection:
        await _install(connection)
    pool: Pool = AsyncConnectionPool(dsn, min_size=1, max_size=size, configure=register_vector_async, open=False)
    async with pool:
        yield pool


async def _install(connection: Connection) -> None:
    try:
        # "IF NOT EXISTS" alone is no protection against two programs that start at the same moment.
        await connection.execute("SELECT pg_advisory_xact_lock(%s)", (INSTALL_LOCK,))
        await connection.execute(TABLES)
    except psycopg.errors.FeatureNotSupported as error:
        raise StorageError("This PostgreSQL has no pgvector: install the extension, or unset DATABASE_URL.") from error
    except psycopg.errors.InsufficientPrivilege as error:
        raise StorageError(
            f"{error.diag.message_primary}: the platform makes the schema 'pipeline' and the extension 'vector'; "
            "let its role do so, or run the statements of document_pipeline/storage.py as another."
        ) from error


async def add_document(connection: Connection, document: Document) -> None:
    """Record a new document and its owner; one that is there stays as it is."""
    await connection.execute(
        """
        INSERT INTO pipeline.documents (id, deal_id, user_id, file_path, file_type)
        VALUES (%s, %s, %s, %s, %s) ON CONFLICT DO NOTHING
        """,
        (document.id, document.deal_id, document.user_id, document.file_path, document.file_type),
    )


async def forget_documents(connection: Connection, user_id: UUID) -> None:
    """Remove all documents of a user, and the entities of their deals that nothing mentions any more."""
    cursor = await connection.execute("DELETE FROM pipeline.documents WHERE user_id = %s RETURNING deal_id", (user_id,))
    deals = {row[0] for row in await cursor.fetchall()}
    await connection.execute(
        """
        DELETE FROM pipeline.entities e
         WHERE deal_id = ANY(%s) AND NOT EXISTS (SELECT FROM pipeline.mentions WHERE entity_id = e.id)
        """,
        (list(deals),),
    )


async def find_document(connection: Connection, id: UUID, *, lock: bool = False) -> Document | None:
    """Read a document; with ``lock`` nobody else changes it until the transaction ends."""
    async with connection.cursor(row_factory=class_row(Document)) as cursor:
        await cursor.execute(
            f"SELECT {DOCUMENT_COLUMNS} FROM pipeline.documents WHERE id = %s {'FOR UPDATE' if lock else ''}", (id,)
        )
        return await cursor.fetchone()


async def set_problem(connection: Connection, id: UUID, problem: str) -> None:
    """Record why a document cannot be processed, for people who look at it."""
    await connection.execute("UPDATE pipeline.documents SET problem = %s WHERE id = %s", (problem, id))


async def replace_chunks(connection: Connection, id: UUID, sha256: str, parsed: ParsedDocument) -> None:
    """Store what a file says; all that was made of an earlier version of it goes."""
    await connection.execute("DELETE FROM pipeline.chunks WHERE document_id = %s", (id,))
    await connection.execute("DELETE FROM pipeline.analyses WHERE document_id = %s", (id,))
    async with connection.cursor() as cursor:
        await cursor.executemany(
            """
            INSERT INTO pipeline.chunks (id, document_id, position, headings, page, text, context_text)
            VALUES (%s, %s, %s, %s, %s, %s, %s)
            """,
            [
                (
                    uuid5(id, f"{sha256}/{position}"),
                    id,
                    position,
                    list(passage.headings),
                    passage.page,
                    passage.text,
                    passage.context_text,
                )
                for position, passage in enumerate(parsed.passages)
            ],
        )
    await connection.execute(
        """
        UPDATE pipeline.documents
           SET sha256 = %s, title = %s, characters = %s, parsed_at = now(), problem = NULL,
               embedded_at = NULL, embedded_by = NULL, analysed_at = NULL, graph_sent = false, graphed_at = NULL
         WHERE id = %s
        """,
        (sha256, parsed.title, parsed.characters, id),
    )


async def chunks_of(connection: Connection, id: UUID) -> list[Chunk]:
    """A document's passages, in order."""
    async with connection.cursor(row_factory=class_row(Chunk)) as cursor:
        await cursor.execute(
            "SELECT id, text, context_text FROM pipeline.chunks WHERE document_id = %s ORDER BY position", (id,)
        )
        return await cursor.fetchall()


async def store_embeddings(
    connection: Connection, id: UUID, chunks: Sequence[Chunk], vectors: Vectors, model: str
) -> None:
    """Store a vector for each passage; those of other models stay."""
    async with connection.cursor() as cursor:
        await cursor.executemany(
            """
            INSERT INTO pipeline.embeddings (chunk_id, model, embedding) VALUES (%s, %s, %s)
            ON CONFLICT (chunk_id, model) DO UPDATE SET embedding = excluded.embedding
            """,
            [(chunk.id, model, vector) for chunk, vector in zip(chunks, vectors, strict=True)],
        )
    await connection.execute(
        "UPDATE pipeline.documents SET embedded_at = now(), embedded_by = %s WHERE id = %s", (model, id)
    )


async def store_analysis(
    connection: Connection, document: Document, analysis: Analysis, mentions: dict[Entity, dict[UUID, int]]
) -> None:
    """Store a summary and the entities, with how often each passage mentions them."""
    await connection.execute(
        """
        INSERT INTO pipeline.analyses (document_id, made_by, summary, key_terms) VALUES (%s, %s, %s, %s)
        ON CONFLICT (document_id) DO UPDATE
           SET made_by = excluded.made_by, summary = excluded.summary, key_terms = excluded.key_terms
        """,
        (document.id, analysis.made_by, analysis.summary, list(analysis.key_terms)),
    )
    await connection.execute("DELETE FROM pipeline.mentions WHERE document_id = %s", (document.id,))
    named = {entity: entity.id_in(document.deal_id) for entity in mentions}
    async with connection.cursor() as cursor:
        # Sorted, so that two documents which share entities lock them in the same order and cannot deadlock.
        await cursor.executemany(
            """
            INSERT INTO pipeline.entities (id, deal_id, name, kind) VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING
            """,
            sorted((id, document.deal_id, entity.name, entity.kind) for entity, id in named.items()),
        )
        await cursor.executemany(
            "INSERT INTO pipeline.mentions (entity_id, chunk_id, document_id, count) VALUES (%s, %s, %s, %s)",
            [
                (named[entity], chunk_id, document.id, count)
                for entity, by_chunk in mentions.items()
                for chunk_id, count in by_chunk.items()
            ],
        )
    await connection.execute("UPDATE pipeline.documents SET analysed_at = now() WHERE id = %s", (document.id,))


async def mentions_of(connection: Connection, id: UUID) -> list[Mention]:
    """The entities that a document mentions, most often mentioned first."""
    async with connection.cursor(row_factory=class_row(Mention)) as cursor:
        await cursor.execute(
            """
            SELECT e.id, e.name, e.kind, sum(m.count)::int AS count
              FROM pipeline.mentions m JOIN pipeline.entities e ON e.id = m.entity_id
             WHERE m.document_id = %s GROUP BY e.id ORDER BY count DESC, e.name
            """,
            (id,),
        )
        return await cursor.fetchall()


async def mark_graph_sent(connection: Connection, id: UUID) -> None:
    """Record that the graph's job of this version was sent."""
    await connection.execute("UPDATE pipeline.documents SET graph_sent = true WHERE id = %s", (id,))


async def mark_graphed(connection: Connection, id: UUID) -> None:
    """Record that the graph knows this version."""
    await connection.execute("UPDATE pipeline.documents SET graphed_at = now() WHERE id = %s", (id,))


async def latest_deal(connection: Connection, user_id: UUID) -> UUID | None:
    """The deal of a user's newest document."""
    cursor = await connection.execute(
        "SELECT deal_id FROM pipeline.documents WHERE user_id = %s ORDER BY created_at DESC LIMIT 1", (user_id,)
    )
    row = await cursor.fetchone()
    return None if row is None else row[0]


async def count_deal(connection: Connection, deal_id: UUID) -> DealCounts:
    """Count what is stored about a deal's documents."""
    async with connection.cursor(row_factory=class_row(DealCounts)) as cursor:
        await cursor.execute(
            """
            WITH mine AS (SELECT id FROM pipeline.documents WHERE deal_id = %(deal)s),
                 pieces AS (SELECT id FROM pipeline.chunks WHERE document_id IN (TABLE mine))
            SELECT (SELECT count(*) FROM mine) AS documents,
                   (SELECT count(*) FROM pieces) AS chunks,
                   (SELECT count(*) FROM pipeline.embeddings WHERE chunk_id IN (TABLE pieces)) AS vectors,
                   (SELECT count(DISTINCT entity_id) FROM pipeline.mentions
                     WHERE document_id IN (TABLE mine)) AS entities,
                   (SELECT coalesce(sum(count), 0)::int FROM pipeline.mentions
                     WHERE document_id IN (TABLE mine)) AS mentions
            """,
            {"deal": deal_id},
        )
        counts = await cursor.fetchone()
    assert counts is not None, "a SELECT without FROM has one row"
    return counts
