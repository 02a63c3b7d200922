"""The knowledge graph in ladybug. The same Cypher is meant for Neo4j, which no test can run."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from document_pipeline.graph import GraphError, KnowledgeGraph, LadybugCypher, open_graph
from document_pipeline.settings import EXAMPLES, PipelineSettings
from document_pipeline.storage import Document, Mention

DEAL, USER = uuid4(), uuid4()
WAL = Mention(uuid4(), "WAL", "name", 3)
VACUUM = Mention(uuid4(), "vacuum", "term", 1)


@pytest.fixture
def graph_path(tmp_path: Path) -> Path:
    return tmp_path / "graph.lbug"


@pytest.fixture
def graph(graph_path: Path) -> Iterator[KnowledgeGraph]:
    opened = KnowledgeGraph(LadybugCypher(graph_path))
    yield opened
    opened.close()


def document(title: str, *, user_id: UUID = USER, deal_id: UUID = DEAL) -> Document:
    return Document(uuid4(), deal_id, user_id, f"{title}.md", "md", title=title)


def test_a_document_its_entities_and_mentions_are_kept(graph: KnowledgeGraph) -> None:
    graph.update(document("one"), [WAL, VACUUM])
    graph.update(document("two"), [WAL])

    assert graph.counts(DEAL) == {"documents": 2, "entities": 2, "mentions": 3}
    assert graph.shared_entities(DEAL) == [
        {"name": "WAL", "documents": 2, "mentions": 6},
        {"name": "vacuum", "documents": 1, "mentions": 1},
    ]


def test_the_same_update_again_changes_nothing(graph: KnowledgeGraph) -> None:
    one = document("one")
    for _ in range(3):
        graph.update(one, [WAL, VACUUM])

    assert graph.counts(DEAL) == {"documents": 1, "entities": 2, "mentions": 2}
    assert [row["mentions"] for row in graph.shared_entities(DEAL)] == [3, 1]


def test_an_update_forgets_what_is_no_longer_mentioned(graph: KnowledgeGraph) -> None:
    one = document("one")
    graph.update(one, [WAL, VACUUM])
    graph.update(replace(one, title="one, revised"), [replace(WAL, count=5)])

    assert graph.counts(DEAL) == {"documents": 1, "entities": 1, "mentions": 1}
    assert graph.shared_entities(DEAL) == [{"name": "WAL", "documents": 1, "mentions": 5}]


def test_a_document_that_mentions_nothing_has_no_entities(graph: KnowledgeGraph) -> None:
    one = document("one")
    graph.update(one, [WAL])
    graph.update(one, [])

    assert graph.shared_entities(DEAL) == []


def test_deals_are_apart(graph: KnowledgeGraph) -> None:
    other = uuid4()
    graph.update(document("one"), [WAL])
    graph.update(document("two", deal_id=other), [VACUUM])

    assert graph.counts(DEAL) == {"documents": 1, "entities": 1, "mentions": 1}
    assert [row["name"] for row in graph.shared_entities(other)] == ["vacuum"]


def test_forgetting_a_user_leaves_the_others(graph: KnowledgeGraph) -> None:
    graph.update(document("mine"), [WAL, VACUUM])
    graph.update(document("theirs", user_id=uuid4()), [WAL])

    graph.forget(USER)

    assert graph.counts(DEAL) == {"documents": 1, "entities": 1, "mentions": 1}


async def test_threads_take_turns(graph: KnowledgeGraph) -> None:
    documents = [document(str(number)) for number in range(8)]

    await asyncio.gather(*(asyncio.to_thread(graph.update, each, [WAL, VACUUM]) for each in documents))

    assert graph.counts(DEAL) == {"documents": 8, "entities": 2, "mentions": 16}


def test_what_is_written_stays(graph_path: Path) -> None:
    for title in ("one", "two"):
        opened = KnowledgeGraph(LadybugCypher(graph_path))
        opened.update(document(title), [WAL])
        opened.close()

    reopened = KnowledgeGraph(LadybugCypher(graph_path))
    assert reopened.counts(DEAL) == {"documents": 2, "entities": 1, "mentions": 2}
    reopened.close()


def test_a_second_process_is_told_that_the_graph_is_taken(graph: KnowledgeGraph, graph_path: Path) -> None:
    program = f"""
from pathlib import Path
from document_pipeline.graph import GraphBusyError, LadybugCypher
try:
    LadybugCypher(Path({str(graph_path)!r}))
except GraphBusyError as error:
    print(error)
"""
    ran = subprocess.run(
        [sys.executable, "-c", program], env={"PYTHONPATH": str(EXAMPLES)}, capture_output=True, text=True, check=True
    )

    assert "Another process has the graph" in ran.stdout
    assert "set NEO4J_URI" in ran.stdout


def test_an_address_chooses_neo4j(settings: PipelineSettings) -> None:
    nowhere = settings.model_copy(update={"neo4j_uri": "bolt://127.0.0.1:1"})

    with pytest.raises(GraphError, match=r"Neo4j at bolt://127\.0\.0\.1:1 cannot be used: "):
        open_graph(nowhere)


def test_no_address_chooses_ladybug(settings: PipelineSettings) -> None:
    opened = open_graph(settings)

    assert opened.name == f"ladybug ({settings.graph_path}), one writer at a time"
    assert opened.one_writer
    opened.close()
