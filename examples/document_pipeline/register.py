"""The one place that says which handler works which job type, how many at once, and what happens to failures."""

from __future__ import annotations

from document_pipeline import jobs as names
from document_pipeline.handlers.analyse import AnalyseResult, analyse
from document_pipeline.handlers.embed import EmbedResult, embed
from document_pipeline.handlers.graph import GraphResult, update_graph
from document_pipeline.handlers.parse import ParseResult, parse
from document_pipeline.handlers.test_job import TestJobResult, run_test_job
from document_pipeline.jobs import AnalyzeDocument, DocumentParse, GenerateEmbeddings, TestJob, UpdateGraph
from document_pipeline.services import Services
from pgboss import Jobs

PARSING_AT_ONCE = 2  # computes: about as many as there are cores
EMBEDDING_AT_ONCE = 2
ANALYSES_AT_ONCE = 2
GRAPH_UPDATES_AT_ONCE = 4
# ladybug admits one process that writes, and that one writes one thing after another. So the type runs one job at a
# time, in one worker process: the services of a second one do not open, and say why.
EMBEDDED_GRAPH_UPDATES_AT_ONCE = 1

PARSE_EXPIRES_SECONDS = 15 * 60
STAGE_EXPIRES_SECONDS = 10 * 60
RETRIES = 3


def register(services: Services) -> Jobs:
    """All job types of the platform, with their handlers bound to these services."""
    jobs = Jobs()

    @jobs.job(
        names.DOCUMENT_PARSE,
        concurrency=PARSING_AT_ONCE,
        retry_limit=RETRIES,
        expire_in_seconds=PARSE_EXPIRES_SECONDS,
        dead_letter=names.DEAD_LETTERS,
    )
    async def document_parse(payload: DocumentParse) -> ParseResult:
        return await parse(services, payload)

    @jobs.job(
        names.GENERATE_EMBEDDINGS,
        concurrency=EMBEDDING_AT_ONCE,
        retry_limit=RETRIES,
        expire_in_seconds=STAGE_EXPIRES_SECONDS,
        dead_letter=names.DEAD_LETTERS,
    )
    async def generate_embeddings(payload: GenerateEmbeddings) -> EmbedResult:
        return await embed(services, payload)

    @jobs.job(
        names.ANALYZE_DOCUMENT,
        concurrency=ANALYSES_AT_ONCE,
        retry_limit=RETRIES,
        expire_in_seconds=STAGE_EXPIRES_SECONDS,
        dead_letter=names.DEAD_LETTERS,
    )
    async def analyze_document(payload: AnalyzeDocument) -> AnalyseResult:
        return await analyse(services, payload)

    @jobs.job(
        names.UPDATE_GRAPH,
        concurrency=EMBEDDED_GRAPH_UPDATES_AT_ONCE if services.graph.one_writer else GRAPH_UPDATES_AT_ONCE,
        retry_limit=RETRIES,
        expire_in_seconds=STAGE_EXPIRES_SECONDS,
        dead_letter=names.DEAD_LETTERS,
    )
    async def graph(payload: UpdateGraph) -> GraphResult:
        return await update_graph(services, payload)

    @jobs.job(names.TEST_JOB, retry_limit=RETRIES, dead_letter=names.DEAD_LETTERS)
    async def test_job(payload: TestJob) -> TestJobResult:
        return await run_test_job(payload)

    return jobs
