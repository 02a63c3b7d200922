"""The example's services on the test's database, with a graph of their own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from document_pipeline.register import register
from document_pipeline.services import Services, open_services
from document_pipeline.settings import EXAMPLES, PipelineSettings
from pgboss import PgBoss
from support.boss import BossFactory
from support.documents import Files
from support.openai_server import OpenAIServer


@pytest.fixture
def documents() -> Path:
    """The folder of real documents."""
    return EXAMPLES / "documents"


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PipelineSettings:
    """Everything local, whatever the environment of whoever runs the tests says."""
    monkeypatch.chdir(tmp_path)  # no .env there
    for field in PipelineSettings.model_fields:
        monkeypatch.delenv(field.upper(), raising=False)
    return PipelineSettings(graph_path=tmp_path / "graph.lbug")


@pytest.fixture
def openai_server() -> Iterator[OpenAIServer]:
    with OpenAIServer() as server:
        yield server


@pytest.fixture
async def services(settings: PipelineSettings, database_url: str) -> AsyncIterator[Services]:
    async with open_services(settings, database_url) as opened:
        yield opened


@pytest.fixture
async def queues(services: Services, make_boss: BossFactory) -> PgBoss:
    """An instance that has made the platform's queues, and works none of them."""
    return await make_boss(jobs=register(services), work=False)


@pytest.fixture
def files(services: Services) -> Files:
    return Files(services, deal_id=uuid4(), user_id=uuid4())
