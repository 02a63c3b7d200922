"""The stages on a real database: what they write and send, a second time, for strangers, and when something breaks."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from document_pipeline import jobs as payloads
from document_pipeline.enqueue import enqueue_document_parse, enqueue_test_job
from document_pipeline.handlers import test_job
from document_pipeline.handlers.access import DocumentChangedError, still_same
from document_pipeline.handlers.analyse import analyse
from document_pipeline.handlers.embed import embed
from document_pipeline.handlers.graph import update_graph
from document_pipeline.handlers.parse import parse
from document_pipeline.jobs import (
    ANALYZE_DOCUMENT,
    DEAD_LETTERS,
    GENERATE_EMBEDDINGS,
    STAGES,
    TEST_JOB,
    UPDATE_GRAPH,
    AnalyzeDocument,
    DocumentParse,
    DocumentPayload,
    GenerateEmbeddings,
    UpdateGraph,
)
from document_pipeline.register import register
from document_pipeline.search import search
from document_pipeline.services import Services, open_services
from document_pipeline.settings import PipelineSettings
from document_pipeline.storage import count_deal, forget_documents, latest_deal, open_pool
from pgboss import Discard, PgBoss, QueueNotFoundError
from support.boss import BossFactory
from support.documents import Files, needs_wordllama
from support.eventually import eventually
from support.openai_server import OpenAIServer
from support.postgres import sql

README = "pgbouncer-readme.md"
BROKEN = "broken-truncated-upload.docx"
TABLES = ("documents", "chunks", "embeddings", "analyses", "entities", "mentions")


def about(payload: DocumentPayload) -> dict[str, UUID]:
    return payload.model_dump(include={"document_id", "deal_id", "user_id"})


def contents(database_url: str) -> dict[str, list[dict[str, Any]]]:
    """All rows of all tables."""
    return {table: sql(database_url, f"SELECT t::text FROM pipeline.{table} t ORDER BY 1") for table in TABLES}


async def sent(boss: PgBoss, queue: str) -> list[Any]:
    return [job.data for job in await boss.find_jobs(queue)]


async def run_all(services: Services, payload: DocumentParse) -> None:
    await parse(services, payload)
    await embed(services, GenerateEmbeddings(**about(payload)))
    await analyse(services, AnalyzeDocument(**about(payload)))
    await update_graph(services, UpdateGraph(**about(payload)))


async def test_parsing_stores_passages_and_sends_both_branches(
    services: Services, queues: PgBoss, files: Files
) -> None:
    payload = await files.add(README)

    result = await parse(services, payload)

    document = await files.read(payload)
    assert (result.changed, result.title) == (True, "PgBouncer")
    assert document.parsed_at is not None
    async with services.pool.connection() as connection:
        assert (await count_deal(connection, payload.deal_id)).chunks == result.chunks > 5
    expected = [GenerateEmbeddings(**about(payload)).model_dump(mode="json")]
    assert await sent(queues, GENERATE_EMBEDDINGS) == expected
    assert await sent(queues, ANALYZE_DOCUMENT) == expected
    assert await sent(queues, UPDATE_GRAPH) == []


@needs_wordllama
@pytest.mark.parametrize("analysis_first", [False, True])
async def test_the_last_of_both_branches_sends_the_graph(
    services: Services, queues: PgBoss, files: Files, analysis_first: bool
) -> None:
    payload = await files.add(README)
    await parse(services, payload)

    for wanted in (analysis_first, not analysis_first):
        assert await sent(queues, UPDATE_GRAPH) == []
        if wanted:
            await analyse(services, AnalyzeDocument(**about(payload)))
        else:
            await embed(services, GenerateEmbeddings(**about(payload)))

    assert await sent(queues, UPDATE_GRAPH) == [UpdateGraph(**about(payload)).model_dump(mode="json")]


@needs_wordllama
async def test_branches_that_end_together_send_the_graph_once(services: Services, queues: PgBoss, files: Files) -> None:
    payloads = [await files.add(README) for _ in range(4)]
    for payload in payloads:
        await parse(services, payload)

    await asyncio.gather(
        *(embed(services, GenerateEmbeddings(**about(payload))) for payload in payloads),
        *(analyse(services, AnalyzeDocument(**about(payload))) for payload in payloads),
    )

    assert len(await sent(queues, UPDATE_GRAPH)) == len(payloads)


@needs_wordllama
async def test_a_second_delivery_of_every_stage_changes_nothing(
    services: Services, queues: PgBoss, files: Files, database_url: str
) -> None:
    payload = await files.add(README)
    await run_all(services, payload)
    rows, graph = contents(database_url), services.graph.counts(payload.deal_id)
    jobs = {queue: await sent(queues, queue) for queue in STAGES}

    assert not (await parse(services, payload)).changed
    assert not (await embed(services, GenerateEmbeddings(**about(payload)))).changed
    assert not (await analyse(services, AnalyzeDocument(**about(payload)))).changed
    await update_graph(services, UpdateGraph(**about(payload)))

    after = contents(database_url)
    assert after.keys() == rows.keys()
    assert {name: after[name] for name in after if name != "documents"} == {
        name: rows[name] for name in rows if name != "documents"
    }
    assert {queue: await sent(queues, queue) for queue in STAGES} == jobs
    assert services.graph.counts(payload.deal_id) == graph


async def test_two_deliveries_at_once_make_one(services: Services, queues: PgBoss, files: Files) -> None:
    payload = await files.add(README)

    results = await asyncio.gather(*(parse(services, payload) for _ in range(3)))

    assert sorted(result.changed for result in results) == [False, False, True]
    assert len(await sent(queues, ANALYZE_DOCUMENT)) == 1


@needs_wordllama
async def test_a_changed_file_replaces_everything(
    settings: PipelineSettings, database_url: str, make_boss: BossFactory, tmp_path: Path
) -> None:
    (tmp_path / "notes.md").write_text("# Notes\n\nThe AlphaTool is old. The AlphaTool is slow.\n")
    async with open_services(settings.model_copy(update={"documents_root": tmp_path}), database_url) as services:
        queues = await make_boss(jobs=register(services), work=False)
        files = Files(services, uuid4(), uuid4())
        payload = await files.add("notes.md")
        await run_all(services, payload)
        (tmp_path / "notes.md").write_text("# Notes\n\nThe BetaTool is new. The BetaTool is fast.\n")
        await run_all(services, payload)

        names = [row["name"] for row in services.graph.shared_entities(payload.deal_id)]
        assert "BetaTool" in names
        assert "AlphaTool" not in names
        assert [row["text"] for row in sql(database_url, "SELECT text FROM pipeline.chunks")] == [
            "The BetaTool is new. The BetaTool is fast."
        ]
        assert len(await sent(queues, UPDATE_GRAPH)) == 2


async def test_work_on_an_earlier_version_is_not_stored(services: Services, queues: PgBoss, files: Files) -> None:
    payload = await files.add(README)
    await parse(services, payload)
    seen = await files.read(payload)
    async with services.pool.connection() as connection:
        await connection.execute("UPDATE pipeline.documents SET sha256 = 'another'")
        with pytest.raises(DocumentChangedError):
            await still_same(connection, payload, seen)


def stages_of(services: Services, payload: DocumentParse) -> list[Coroutine[Any, Any, Any]]:
    return [
        parse(services, payload),
        embed(services, GenerateEmbeddings(**about(payload))),
        analyse(services, AnalyzeDocument(**about(payload))),
        update_graph(services, UpdateGraph(**about(payload))),
    ]


@pytest.mark.parametrize("field", ["user_id", "deal_id", "document_id"])
async def test_strangers_get_nowhere(
    services: Services, queues: PgBoss, files: Files, database_url: str, field: str
) -> None:
    payload = await files.add(README)
    await parse(services, payload)
    rows = contents(database_url)

    for stage in stages_of(services, payload.model_copy(update={field: uuid4()})):
        with pytest.raises(Discard, match="has no document"):
            await stage

    assert contents(database_url) == rows
    assert await sent(queues, UPDATE_GRAPH) == []


async def test_stages_before_parsing_are_discarded(services: Services, queues: PgBoss, files: Files) -> None:
    payload = await files.add(README)
    _parse, *later = stages_of(services, payload)
    _parse.close()

    for stage in later:
        with pytest.raises(Discard, match="not parsed yet"):
            await stage


@pytest.mark.parametrize("path", ["../SOURCES.md", "/etc/passwd", "../document_pipeline/README.md"])
async def test_files_elsewhere_are_not_read(services: Services, queues: PgBoss, files: Files, path: str) -> None:
    payload = await files.add(path, "md")

    with pytest.raises(Discard, match="outside of the documents' folder"):
        await parse(services, payload)


async def test_links_do_not_lead_out(settings: PipelineSettings, database_url: str, tmp_path: Path) -> None:
    (tmp_path / "secret.md").write_text("secret")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "link.md").symlink_to(tmp_path / "secret.md")
    async with open_services(settings.model_copy(update={"documents_root": tmp_path / "in"}), database_url) as services:
        payload = await Files(services, uuid4(), uuid4()).add("link.md")

        with pytest.raises(Discard, match="outside"):
            await parse(services, payload)


async def test_a_missing_file_may_come_yet(services: Services, queues: PgBoss, files: Files) -> None:
    payload = await files.add("not-uploaded-yet.pdf")

    with pytest.raises(FileNotFoundError):
        await parse(services, payload)


async def test_a_broken_document_is_discarded_and_says_why(services: Services, queues: PgBoss, files: Files) -> None:
    payload = await files.add(BROKEN)

    with pytest.raises(Discard, match="cannot be read as docx: File is not a zip file"):
        await parse(services, payload)

    assert (await files.read(payload)).problem == f"{BROKEN} cannot be read as docx: File is not a zip file"


async def test_rows_and_next_jobs_come_together_or_not_at_all(
    services: Services, queues: PgBoss, files: Files, database_url: str
) -> None:
    payload = await files.add(README)
    await queues.delete_queue(ANALYZE_DOCUMENT)
    rows = contents(database_url)

    # The first branch's job and all rows are written by then.
    with pytest.raises(QueueNotFoundError):
        await parse(services, payload)

    assert contents(database_url) == rows
    assert await sent(queues, GENERATE_EMBEDDINGS) == []


async def test_a_job_can_be_enqueued_with_the_rows_it_is_about(
    services: Services, queues: PgBoss, files: Files
) -> None:
    payload = await files.add(README)
    async with services.pool.connection() as connection:
        id = await enqueue_document_parse(queues, payload, connection=connection, priority=7)
        assert await queues.get_job(str(id)) is None
    job = await queues.get_job(str(id))

    assert job is not None
    assert (job.priority, job.data) == (7, payload.model_dump(mode="json"))


async def test_every_registered_type_has_the_dead_letter_queue(services: Services) -> None:
    jobs = register(services)

    assert {definition.name: definition.concurrency for definition in jobs} == {
        "document-parse": 2,
        "generate-embeddings": 2,
        "analyze-document": 2,
        "update-graph": 1,
        "test-job": None,
    }
    assert {definition.queue_options.dead_letter for definition in jobs} == {DEAD_LETTERS}


async def test_the_test_job_does_as_told() -> None:
    assert (await test_job.run_test_job(payloads.TestJob(message="hello", delay_ms=1))).message == "hello"
    with pytest.raises(test_job.TestJobError, match="as told"):
        await test_job.run_test_job(payloads.TestJob(message="as told", should_fail=True))


@needs_wordllama
async def test_workers_take_a_document_from_its_file_to_an_answer(
    services: Services, files: Files, make_boss: BossFactory
) -> None:
    boss = await make_boss(jobs=register(services))
    payload, broken = await files.add(README), await files.add(BROKEN)
    await enqueue_document_parse(boss, payload)
    await enqueue_document_parse(boss, broken)
    await enqueue_test_job(boss, payloads.TestJob(message="hello"))

    async def done() -> bool:
        return (await files.read(payload)).graphed_at is not None and bool(await boss.find_jobs(DEAD_LETTERS))

    await eventually(done, within=20)
    async with services.pool.connection() as connection:
        hits = await search(
            connection,
            services.embedder,
            "which library does DNS lookups?",
            deal_id=files.deal_id,
            user_id=files.user_id,
        )
        strangers = await search(connection, services.embedder, "DNS", deal_id=files.deal_id, user_id=uuid4())
    assert hits[0].headings == ["PgBouncer", "DNS lookup support"]
    assert [hit.similarity for hit in hits] == sorted((hit.similarity for hit in hits), reverse=True)
    assert strangers == []
    [dead] = await boss.find_jobs(DEAD_LETTERS)
    assert dead.data == broken.model_dump(mode="json")
    assert "File is not a zip file" in dead.source_output["message"]

    async def answered() -> Any:
        return [job.output for job in await boss.find_jobs(TEST_JOB) if job.state == "completed"]

    assert await eventually(answered) == [{"message": "hello", "delay_ms": 0}]


@needs_wordllama
async def test_vectors_of_two_models_live_beside_one_another(
    settings: PipelineSettings,
    database_url: str,
    make_boss: BossFactory,
    openai_server: OpenAIServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with open_services(settings, database_url) as services:
        await make_boss(jobs=register(services), work=False)
        files = Files(services, uuid4(), uuid4())
        payload = await files.add(README)
        await parse(services, payload)
        await embed(services, GenerateEmbeddings(**about(payload)))
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    monkeypatch.setenv("OPENAI_BASE_URL", openai_server.base_url)
    online = PipelineSettings(graph_path=settings.graph_path)
    async with open_services(online, database_url) as services:
        assert (await embed(services, GenerateEmbeddings(**about(payload)))).changed
        async with services.pool.connection() as connection:
            hits = await search(
                connection, services.embedder, "a question", deal_id=payload.deal_id, user_id=payload.user_id
            )

    lengths = sql(
        database_url,
        "SELECT model, vector_dims(embedding) AS n, count(*) AS many FROM pipeline.embeddings GROUP BY 1, 2 ORDER BY 1",
    )
    assert [(row["model"], row["n"]) for row in lengths] == [("l2_supercat_256", 256), ("text-embedding-3-small", 3)]
    assert lengths[0]["many"] == lengths[1]["many"]
    assert len(hits) == 3


async def test_forgetting_a_user_removes_all_that_was_made(
    services: Services, queues: PgBoss, files: Files, database_url: str
) -> None:
    payload = await files.add(README)
    await parse(services, payload)
    await analyse(services, AnalyzeDocument(**about(payload)))

    async with services.pool.connection() as connection:
        assert await latest_deal(connection, files.user_id) == files.deal_id
        await forget_documents(connection, files.user_id)
        assert await latest_deal(connection, files.user_id) is None

    assert contents(database_url) == {table: [] for table in TABLES}


async def test_many_may_install_at_once(database_url: str) -> None:
    async def install() -> None:
        async with open_pool(database_url, size=1):
            pass

    await asyncio.gather(*(install() for _ in range(4)))
