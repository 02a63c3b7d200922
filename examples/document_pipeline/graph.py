"""The knowledge graph: documents, entities, and which mentions which.

The same Cypher runs on Neo4j and on ladybug, an embedded database in one file; only opening them differs. Every
statement merges, so an update that was cut short is completed by its repetition.

Everything here blocks: call it in a thread.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID

import ladybug

from document_pipeline.settings import PipelineSettings
from document_pipeline.storage import Document, Mention

BUFFER_BYTES = 256 * 1024 * 1024
"""ladybug would take most of the machine's memory."""

MERGE_DOCUMENT = """
MERGE (d:Document {id: $id})
SET d.title = $title, d.file = $file, d.deal_id = $deal_id, d.user_id = $user_id
"""
# One statement, so that no other update can find an entity that nothing mentions yet, and remove it.
MERGE_MENTIONS = """
UNWIND $mentions AS m
MATCH (d:Document {id: $id})
MERGE (e:Entity {id: m.id})
SET e.name = m.name, e.kind = m.kind, e.deal_id = $deal_id
MERGE (d)-[r:MENTIONS]->(e)
SET r.count = m.count
"""
DELETE_STALE_MENTIONS = "MATCH (d:Document {id: $id})-[r:MENTIONS]->(e:Entity) WHERE NOT e.id IN $kept DELETE r"
DELETE_DOCUMENTS = "MATCH (d:Document {user_id: $user_id}) DETACH DELETE d"
DELETE_ORPHANS = "MATCH (e:Entity) WHERE NOT EXISTS { MATCH (:Document)-[:MENTIONS]->(e) } DELETE e"
COUNT_NODES = """
MATCH (d:Document {deal_id: $deal_id})-[r:MENTIONS]->(e:Entity)
RETURN count(DISTINCT d) AS documents, count(DISTINCT e) AS entities, count(r) AS mentions
"""
SHARED_ENTITIES = """
MATCH (d:Document {deal_id: $deal_id})-[r:MENTIONS]->(e:Entity)
RETURN e.name AS name, count(d) AS documents, sum(r.count) AS mentions
ORDER BY documents DESC, mentions DESC, name LIMIT $limit
"""


class GraphError(Exception):
    """The graph cannot be used; the message says why."""


class GraphBusyError(GraphError):
    """Another process has the embedded graph open, and ladybug admits one that writes."""


class Cypher(Protocol):
    """A database that understands Cypher.

    Attributes:
        name: for people.
        one_writer: whether one process, and one statement at a time, may write.
    """

    name: str
    one_writer: bool

    def run(self, statement: str, parameters: dict[str, Any]) -> list[dict[str, Any]]:
        """Run one statement, committed by itself, and return its rows."""

    def close(self) -> None:
        """Let go of the database."""


class KnowledgeGraph:
    """What the platform asks of a graph. Safe to share between threads."""

    def __init__(self, database: Cypher) -> None:
        self._database = database
        self._turn = threading.Lock() if database.one_writer else nullcontext()

    @property
    def name(self) -> str:
        """Which database, and what it asks of us."""
        return f"{self._database.name}{', one writer at a time' if self.one_writer else ''}"

    @property
    def one_writer(self) -> bool:
        """Whether one process, and one job of it at a time, may write."""
        return self._database.one_writer

    def update(self, document: Document, mentions: Sequence[Mention]) -> None:
        """Make the graph say of this document exactly what is given."""
        id, deal_id = str(document.id), str(document.deal_id)
        properties = {"title": document.title, "file": document.file_path, "user_id": str(document.user_id)}
        rows = [{"id": str(each.id), "name": each.name, "kind": each.kind, "count": each.count} for each in mentions]
        with self._turn:
            self._database.run(MERGE_DOCUMENT, {"id": id, "deal_id": deal_id, **properties})
            if rows:  # ladybug cannot tell the type of an empty list's items
                self._database.run(MERGE_MENTIONS, {"id": id, "deal_id": deal_id, "mentions": rows})
            # An id that does not exist keeps the list from being empty.
            self._database.run(DELETE_STALE_MENTIONS, {"id": id, "kept": ["", *(row["id"] for row in rows)]})
            self._database.run(DELETE_ORPHANS, {})

    def forget(self, user_id: UUID) -> None:
        """Remove a user's documents, and entities that nothing mentions any more."""
        with self._turn:
            self._database.run(DELETE_DOCUMENTS, {"user_id": str(user_id)})
            self._database.run(DELETE_ORPHANS, {})

    def counts(self, deal_id: UUID) -> dict[str, int]:
        """How many ``documents``, ``entities`` and ``mentions`` a deal has."""
        with self._turn:
            return self._database.run(COUNT_NODES, {"deal_id": str(deal_id)})[0]

    def shared_entities(self, deal_id: UUID, limit: int = 5) -> list[dict[str, Any]]:
        """The entities that connect most documents: ``name``, ``documents``, ``mentions``."""
        with self._turn:
            return self._database.run(SHARED_ENTITIES, {"deal_id": str(deal_id), "limit": limit})

    def close(self) -> None:
        with self._turn:
            self._database.close()


class LadybugCypher:
    """ladybug: a graph database in this process, and a file."""

    one_writer = True
    TABLES = (
        "CREATE NODE TABLE IF NOT EXISTS Document"
        "(id STRING PRIMARY KEY, title STRING, file STRING, deal_id STRING, user_id STRING)",
        "CREATE NODE TABLE IF NOT EXISTS Entity(id STRING PRIMARY KEY, name STRING, kind STRING, deal_id STRING)",
        "CREATE REL TABLE IF NOT EXISTS MENTIONS(FROM Document TO Entity, count INT64)",
    )

    def __init__(self, path: Path) -> None:
        """Open the file, made when missing.

        Raises:
            GraphBusyError: another process has it open.
        """
        self.name = f"ladybug ({path})"
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._database = ladybug.Database(path, buffer_pool_size=BUFFER_BYTES)
        except RuntimeError as error:
            if "lock" not in str(error).casefold():
                raise
            raise GraphBusyError(
                f"Another process has the graph {path} open, and ladybug admits one that writes: "
                "run update-graph in one process, or set NEO4J_URI."
            ) from error
        self._connection = ladybug.Connection(self._database)
        for statement in self.TABLES:
            self.run(statement, {})

    def run(self, statement: str, parameters: dict[str, Any]) -> list[dict[str, Any]]:
        result = self._connection.execute(statement, parameters)
        if isinstance(result, list):
            raise TypeError("One statement at a time, please.")
        with result:
            return [dict(row) for row in result.rows_as_dict()]

    def close(self) -> None:
        self._connection.close()
        self._database.close()


def open_graph(settings: PipelineSettings) -> KnowledgeGraph:
    """Open the graph that the settings ask for: Neo4j, or ladybug.

    Raises:
        GraphError: it cannot be used.
    """
    if settings.neo4j_uri is None:
        return KnowledgeGraph(LadybugCypher(settings.graph_path.absolute()))
    # Its driver takes a second to import, and most people try the example without Neo4j.
    from document_pipeline.neo4j_graph import Neo4jCypher

    return KnowledgeGraph(
        Neo4jCypher(
            settings.neo4j_uri,
            settings.neo4j_user,
            settings.neo4j_password.get_secret_value(),
            settings.neo4j_database,
        )
    )
