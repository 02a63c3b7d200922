"""Embedding and analysing, offline and with a server that speaks OpenAI's API."""

from __future__ import annotations

from collections.abc import AsyncIterator
from uuid import uuid4

import numpy as np
import pytest
from openai import AsyncOpenAI

from document_pipeline.analysis import AnalysisError, LocalAnalyser, OpenAIAnalyser, sentences_of
from document_pipeline.embedding import EmbeddingError, OpenAIEmbedder, WordLlamaEmbedder
from document_pipeline.entities import Entity, distinct, find_mentions, names_in
from document_pipeline.services import open_models
from document_pipeline.settings import PipelineSettings
from support.documents import needs_wordllama
from support.openai_server import OpenAIServer

TEXT = [
    "The autovacuum daemon removes dead rows. PostgreSQL starts the autovacuum daemon on its own, "
    "and most users of PostgreSQL never notice the autovacuum daemon at work.",
    "Colours of the walls were discussed at length. Nobody had an opinion that mattered to anybody else.",
    "When the autovacuum daemon is switched off, dead rows pile up and tables grow. See Table 1.",
]


@pytest.fixture
async def client(openai_server: OpenAIServer) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(api_key="secret", base_url=openai_server.base_url, max_retries=0) as opened:
        yield opened


@needs_wordllama
async def test_offline_vectors_are_near_when_texts_are() -> None:
    question, near, far = await WordLlamaEmbedder().embed(
        ["How do I restore a backup?", "Restoring a database from its backups", "Colours of a painted wall"]
    )

    assert question.shape == (256,)
    assert question.dtype == np.float32
    assert np.linalg.norm(question) == pytest.approx(1)
    assert question @ near > question @ far + 0.2


@needs_wordllama
async def test_offline_vectors_are_always_the_same() -> None:
    embedder = WordLlamaEmbedder()

    assert np.array_equal(await embedder.embed(["one text"]), await embedder.embed(["one text"]))


async def test_openai_vectors_keep_the_order_of_the_texts(client: AsyncOpenAI, openai_server: OpenAIServer) -> None:
    vectors = await OpenAIEmbedder(client, "small").embed(["a", "bbb", "cc"])

    assert vectors[:, 0].tolist() == [1, 3, 2]
    [(path, body)] = openai_server.requests
    assert (path, body["model"], body["encoding_format"]) == ("/v1/embeddings", "small", "float")
    assert "dimensions" not in body
    assert openai_server.keys == {"Bearer secret"}


async def test_openai_is_asked_for_so_many_at_once(client: AsyncOpenAI, openai_server: OpenAIServer) -> None:
    texts = ["x" * (length + 1) for length in range(300)]

    vectors = await OpenAIEmbedder(client, "small").embed(texts)

    assert vectors[:, 0].tolist() == [len(text) for text in texts]
    assert [len(body["input"]) for _, body in openai_server.requests] == [128, 128, 44]


async def test_chosen_dimensions_are_asked_for_and_named(client: AsyncOpenAI, openai_server: OpenAIServer) -> None:
    embedder = OpenAIEmbedder(client, "small", dimensions=3)

    await embedder.embed(["a"])

    assert embedder.model == "small@3"
    assert (openai_server.requests[0][1]["model"], openai_server.requests[0][1]["dimensions"]) == ("small", 3)


async def test_missing_vectors_are_noticed(client: AsyncOpenAI, openai_server: OpenAIServer) -> None:
    openai_server.most_vectors = 1

    with pytest.raises(EmbeddingError, match="was asked for 2 vectors and answered 1"):
        await OpenAIEmbedder(client, "small").embed(["a", "b"])


async def test_the_local_summary_is_made_of_sentences_about_the_terms() -> None:
    analysis = await LocalAnalyser().analyse("Vacuuming", TEXT)

    assert analysis.made_by == "local:yake"
    assert "autovacuum daemon" in analysis.summary
    assert "Colours" not in analysis.summary
    assert all(sentence in " ".join(TEXT) for sentence in sentences_of(analysis.summary))
    assert "autovacuum daemon" in [term.casefold() for term in analysis.key_terms]
    assert Entity(name="PostgreSQL", kind="name") in analysis.entities


async def test_tables_alone_can_be_analysed() -> None:
    analysis = await LocalAnalyser().analyse("Codes", ["| Code | Name |\n| - | - |\n| 40P01 | deadlock_detected |"])

    assert analysis.summary == ""
    assert analysis.key_terms


async def test_a_chat_model_is_asked_for_findings(client: AsyncOpenAI, openai_server: OpenAIServer) -> None:
    openai_server.chat = {
        "summary": "Vacuuming matters.",
        "key_terms": ["autovacuum"],
        "entities": [{"name": "PostgreSQL", "kind": "name"}],
    }

    analysis = await OpenAIAnalyser(client, "chatty").analyse("Vacuuming", TEXT)

    assert analysis.made_by == "openai:chatty"
    assert (analysis.summary, analysis.key_terms) == ("Vacuuming matters.", ["autovacuum"])
    assert analysis.entities == [Entity(name="PostgreSQL", kind="name")]
    assert not analysis.truncated
    [(_, body)] = openai_server.requests
    assert body["response_format"]["type"] == "json_schema"
    assert TEXT[0] in body["messages"][1]["content"]


async def test_a_long_document_is_cut_and_says_so(client: AsyncOpenAI, openai_server: OpenAIServer) -> None:
    openai_server.chat = {"summary": "Long.", "key_terms": [], "entities": []}

    analysis = await OpenAIAnalyser(client, "chatty").analyse("Long", ["word " * 20_000])

    assert analysis.truncated
    assert len(openai_server.requests[0][1]["messages"][1]["content"]) < 50_000


async def test_a_refusal_is_an_error_that_says_so(client: AsyncOpenAI, openai_server: OpenAIServer) -> None:
    openai_server.refusal = "I would rather not."

    with pytest.raises(AnalysisError, match="chatty gave no analysis: I would rather not"):
        await OpenAIAnalyser(client, "chatty").analyse("Vacuuming", TEXT)


async def test_an_answer_of_another_form_is_an_error(client: AsyncOpenAI, openai_server: OpenAIServer) -> None:
    openai_server.chat = {"summary": 5}

    with pytest.raises(AnalysisError, match=r"(?s)gave no analysis: .*summary"):
        await OpenAIAnalyser(client, "chatty").analyse("Vacuuming", TEXT)


async def test_an_error_of_the_server_says_where_and_what(client: AsyncOpenAI) -> None:
    elsewhere = client.with_options(base_url=f"{client.base_url}nowhere")

    with pytest.raises(EmbeddingError, match=r"nowhere/ did not embed: .*no /v1/nowhere/embeddings here"):
        await OpenAIEmbedder(elsewhere, "small").embed(["a"])
    with pytest.raises(AnalysisError, match=r"no /v1/nowhere/chat/completions here"):
        await OpenAIAnalyser(elsewhere, "chatty").analyse("Vacuuming", TEXT)


async def test_a_key_and_an_address_choose_the_server(
    openai_server: OpenAIServer, settings: PipelineSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    monkeypatch.setenv("OPENAI_BASE_URL", openai_server.base_url)
    monkeypatch.setenv("OPENAI_MODEL", "chatty")
    monkeypatch.setenv("OPENAI_EMBEDDING_MODEL", "tiny")

    async with open_models(PipelineSettings()) as models:
        await models.embedder.embed(["a"])
        assert (models.embedder.model, models.analyser.made_by) == ("tiny", "openai:chatty")

    assert len(openai_server.requests) == 1
    assert "secret" not in repr(PipelineSettings())


async def test_an_empty_key_is_none(settings: PipelineSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "")

    async with open_models(PipelineSettings()) as models:
        assert (models.embedder.model, models.analyser.made_by) == ("l2_supercat_256", "local:yake")


def test_names_are_found_by_their_capitals() -> None:
    text = (
        "The pgBackRest tool reads WAL. With pgBackRest, the WAL is safe. Old files are kept by the Write Ahead Log; "
        "so the Write Ahead Log matters. The Beginning of a sentence is no name. The Beginning again. JSON once."
    )

    assert {entity.name for entity in names_in(text, 10)} == {"pgBackRest", "WAL", "Write Ahead Log"}


def test_entities_differ_by_more_than_capitals() -> None:
    first, second = Entity(name="Vacuum", kind="term"), Entity(name="VACUUM", kind="name")

    assert distinct([first, second, Entity(name="lock", kind="term")], 5) == [first, Entity(name="lock", kind="term")]


def test_an_entity_is_one_in_a_deal_and_another_in_the_next() -> None:
    deal, other = uuid4(), uuid4()
    vacuum = Entity(name="Vacuum", kind="term")

    assert vacuum.id_in(deal) == Entity(name="VACUUM", kind="name").id_in(deal)
    assert vacuum.id_in(deal) != vacuum.id_in(other)


def test_mentions_are_whole_words_whatever_their_capitals() -> None:
    lock, cpp, unheard = (Entity(name=name, kind="term") for name in ("lock", "C++", "unheard of"))

    found = find_mentions([lock, cpp, unheard], {1: "Lock, lock; deadlock, locks.", 2: "C++ has a lock"})

    assert found == {lock: {1: 2, 2: 1}, cpp: {2: 1}}
