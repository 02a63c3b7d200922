"""``python -m document_pipeline.worker``: work the platform's jobs until SIGTERM or Ctrl-C."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from document_pipeline.register import register
from document_pipeline.services import Services, open_services
from document_pipeline.settings import PipelineSettings
from pgboss import PgBoss


@asynccontextmanager
async def platform(settings: PipelineSettings, dsn: str) -> AsyncIterator[tuple[PgBoss, Services]]:
    """Everything open and all jobs worked; in the end running jobs finish, and everything is closed."""
    async with open_services(settings, dsn) as services, PgBoss(dsn, jobs=register(services)) as boss:
        yield boss, services


async def work(settings: PipelineSettings, dsn: str) -> None:
    """Work until the process is told to stop."""
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)
    async with platform(settings, dsn) as (_, services):
        print(f"Working. Analyses: {services.analyser.made_by}, graph: {services.graph.name}. Ctrl-C stops.")
        await told.wait()


def main() -> None:
    settings = PipelineSettings()
    if settings.database_url is None:
        sys.exit("Set DATABASE_URL to the PostgreSQL that holds the queue.")
    asyncio.run(work(settings, settings.database_url))


if __name__ == "__main__":
    main()
