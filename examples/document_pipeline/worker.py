"""``python -m document_pipeline.worker``: work the platform's jobs until SIGTERM or Ctrl-C."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from document_pipeline.graph import GraphError
from document_pipeline.register import register
from document_pipeline.services import Services, open_services
from document_pipeline.settings import PipelineSettings
from document_pipeline.storage import StorageError
from pgboss import PgBoss, PgBossError


@asynccontextmanager
async def platform(settings: PipelineSettings, dsn: str) -> AsyncIterator[tuple[PgBoss, Services]]:
    """Everything open and all jobs worked; in the end running jobs finish, and everything is closed."""
    async with open_services(settings, dsn) as services, PgBoss(dsn, jobs=register(services)) as boss:
        yield boss, services


@contextmanager
def told_to_stop() -> Iterator[asyncio.Event]:
    """An event that SIGTERM and Ctrl-C set, instead of breaking off whatever runs."""
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    signals = (signal.SIGTERM, signal.SIGINT)
    for number in signals:
        loop.add_signal_handler(number, told.set)
    try:
        yield told
    finally:
        for number in signals:
            loop.remove_signal_handler(number)


async def work(settings: PipelineSettings, dsn: str) -> None:
    """Work until the process is told to stop."""
    async with platform(settings, dsn) as (_, services):
        # Beyond this block a second Ctrl-C ends what is slow to stop.
        with told_to_stop() as told:
            makers = f"Embeddings: {services.embedder.model}, analyses: {services.analyser.made_by}"
            print(f"Working. {makers}, graph: {services.graph.name}. Ctrl-C stops.", flush=True)
            await told.wait()


def main() -> None:
    settings = PipelineSettings()
    if settings.database_url is None:
        sys.exit("Set DATABASE_URL to the PostgreSQL that holds the queue.")
    try:
        asyncio.run(work(settings, settings.database_url))
    except (PgBossError, StorageError, GraphError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
