"""What the handlers share: connections, models and the graph, opened once a process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from openai import AsyncOpenAI

from document_pipeline.analysis import Analyser, make_analyser
from document_pipeline.embedding import Embedder, make_embedder
from document_pipeline.enqueue import Sender
from document_pipeline.graph import KnowledgeGraph, open_graph
from document_pipeline.settings import PipelineSettings
from document_pipeline.storage import Pool, open_pool
from pgboss import PgBoss

OPENAI_TIMEOUT_SECONDS = 120


@dataclass(frozen=True, slots=True)
class Models:
    """What embeds and what analyses."""

    embedder: Embedder
    analyser: Analyser


@dataclass(frozen=True, slots=True)
class Services:
    """Everything a handler needs besides its payload.

    Attributes:
        sender: creates the jobs of the next stages.
    """

    settings: PipelineSettings
    pool: Pool
    sender: Sender
    embedder: Embedder
    analyser: Analyser
    graph: KnowledgeGraph


@asynccontextmanager
async def open_services(settings: PipelineSettings, dsn: str) -> AsyncIterator[Services]:
    """Connect to everything, and close it in the end.

    Raises:
        StorageError: the database cannot hold the platform's tables.
        GraphError: the graph cannot be used, because another process has it open for example.
    """
    async with AsyncExitStack() as stack:
        pool = await stack.enter_async_context(open_pool(dsn))
        # Handlers send on their own connections, so this client needs hardly any.
        sender = PgBoss(dsn, work=False, supervise=False, listen=False, pool_size=1)
        await stack.enter_async_context(sender)
        models = await stack.enter_async_context(open_models(settings))
        graph = await asyncio.to_thread(open_graph, settings)
        stack.push_async_callback(asyncio.to_thread, graph.close)
        yield Services(
            settings=settings,
            pool=pool,
            sender=sender,
            embedder=models.embedder,
            analyser=models.analyser,
            graph=graph,
        )


@asynccontextmanager
async def open_models(settings: PipelineSettings) -> AsyncIterator[Models]:
    """The models that the settings ask for: of an OpenAI-compatible server when there is a key, else local ones."""
    if settings.openai_api_key is None:
        yield Models(make_embedder(settings, None), make_analyser(settings, None))
        return
    async with AsyncOpenAI(
        api_key=settings.openai_api_key.get_secret_value(),
        base_url=settings.openai_base_url,
        timeout=OPENAI_TIMEOUT_SECONDS,
    ) as client:
        yield Models(make_embedder(settings, client), make_analyser(settings, client))
