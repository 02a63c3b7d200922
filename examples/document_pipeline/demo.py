"""The whole platform over a folder of real documents, on a PostgreSQL of its own: ``make demo``."""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast, get_args
from uuid import NAMESPACE_URL, UUID, uuid4, uuid5

from rich.console import Console
from rich.logging import RichHandler
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from document_pipeline.embedding import EmbeddingError
from document_pipeline.enqueue import enqueue_document_parse
from document_pipeline.graph import GraphError
from document_pipeline.jobs import STAGES, DocumentParse, FileType
from document_pipeline.progress import StageProgress, failures, look
from document_pipeline.report import Outcome, say_hits, say_how_to_look_further, say_outcome
from document_pipeline.search import search
from document_pipeline.services import open_models
from document_pipeline.settings import PipelineSettings
from document_pipeline.storage import (
    Document,
    StorageError,
    add_document,
    count_deal,
    forget_documents,
    latest_deal,
    open_pool,
)
from pgboss import PgBoss, PgBossError, embedded
from pgboss.web import show

if TYPE_CHECKING:
    from document_pipeline.services import Services

USER = uuid5(NAMESPACE_URL, "document-pipeline/demo-user")
QUESTION = "Can I lose committed transactions when the primary fails?"
EXPECTED_TO_FAIL = "broken-"
NOT_DOCUMENTS = {"SOURCES.md"}
LOOK_EVERY_SECONDS = 0.1
GIVE_UP_SECONDS = 300
INTERRUPTED = 130


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says."""

    documents: Path
    search: str | None
    keep: bool


def main() -> None:
    settings = PipelineSettings()
    options = read_options(settings)
    settings = settings.model_copy(update={"documents_root": options.documents})
    console = Console()
    log_briefly(console)
    try:
        with database(settings) as dsn:
            sys.exit(asyncio.run(run(console, settings, options, dsn)))
    except KeyboardInterrupt:
        console.print("\nStopped. Jobs that had not ended will run when the next worker starts.")
        sys.exit(INTERRUPTED)
    except (PgBossError, StorageError, GraphError, EmbeddingError) as error:
        console.print(str(error), style="red", markup=False)
        sys.exit(1)


def read_options(settings: PipelineSettings) -> Options:
    parser = argparse.ArgumentParser(prog="document_pipeline", description=__doc__)
    parser.add_argument(
        "--documents",
        type=Path,
        default=settings.documents_root,
        metavar="FOLDER",
        help=f"other documents; those named {EXPECTED_TO_FAIL}* are expected to fail",
    )
    parser.add_argument("--search", metavar="QUESTION", help="only ask the documents of the last run")
    parser.add_argument("--keep", action="store_true", help="leave the database running until Ctrl-C, to look around")
    given = parser.parse_args()
    if not given.documents.is_dir():
        parser.error(f"{given.documents} is not a folder")
    return Options(given.documents, given.search, given.keep)


def log_briefly(console: Console) -> None:
    """Let warnings appear above the progress bars, without the traceback of the document that is broken on purpose."""
    handler = RichHandler(console=console, show_time=False, show_path=False)
    handler.setFormatter(WithoutTraceback())
    logging.basicConfig(level=logging.WARNING, handlers=[handler])


class WithoutTraceback(logging.Formatter):
    """Says what happened; why is stored with the job."""

    def format(self, record: logging.LogRecord) -> str:
        return record.getMessage()


@contextmanager
def database(settings: PipelineSettings) -> Iterator[str]:
    """The address of the database: the one that is configured, or one of our own that keeps its data."""
    if settings.database_url is not None:
        yield settings.database_url
        return
    with embedded.start("demo") as server:
        yield server.dsn


async def run(console: Console, settings: PipelineSettings, options: Options, dsn: str) -> int:
    """Do what the options say, and return the exit code."""
    if options.search is not None:
        return await search_last_run(console, settings, options.search, dsn)
    async with dashboard(dsn) as address:
        console.print(f"Dashboard: {address}/", highlight=False, soft_wrap=True)
        outcome = await run_pipeline(console, settings, dsn)
        if options.keep:
            from document_pipeline.worker import told_to_stop

            with told_to_stop() as told:
                say_how_to_look_further(console, settings, kept_dsn=dsn)
                await told.wait()
        else:
            say_how_to_look_further(console, settings, kept_dsn=None)
    return 0 if outcome.as_expected else 1


@asynccontextmanager
async def dashboard(dsn: str) -> AsyncIterator[str]:
    """Show the jobs to this machine's browser, by an instance that runs none of them; yields the address."""
    looking = PgBoss(dsn, work=False, supervise=False, schedule=False, register_instance=False)
    async with looking, show(looking) as address:
        yield address


async def run_pipeline(console: Console, settings: PipelineSettings, dsn: str) -> Outcome:
    """Send every document through all stages, and say what became of them."""
    documents = find_documents(settings.documents_root, deal_id=uuid4())
    with console.status("Loading the libraries"):
        # They take seconds, which a search needs none of.
        from document_pipeline.worker import platform
    async with platform(settings, dsn) as (boss, services):
        await forget_earlier_runs(services)
        await send(boss, services, documents)
        progress = await follow(console, boss, documents)
        outcome = await describe(boss, services, documents, progress)
        say_outcome(console, outcome)
        async with services.pool.connection() as connection:
            deal_id = documents[0].deal_id
            hits = await search(connection, services.embedder, QUESTION, deal_id=deal_id, user_id=USER)
        say_hits(console, QUESTION, hits)
    return outcome


async def search_last_run(console: Console, settings: PipelineSettings, question: str, dsn: str) -> int:
    """Answer a question from what is stored, and return the exit code."""
    async with open_pool(dsn, size=1) as pool, open_models(settings) as models, pool.connection() as connection:
        deal_id = await latest_deal(connection, USER)
        if deal_id is None:
            console.print("There are no documents yet: run the demo first.")
            return 1
        hits = await search(connection, models.embedder, question, deal_id=deal_id, user_id=USER)
    say_hits(console, question, hits)
    return 0 if hits else 1


async def forget_earlier_runs(services: Services) -> None:
    async with services.pool.connection() as connection:
        await forget_documents(connection, USER)
    await asyncio.to_thread(services.graph.forget, USER)


def find_documents(folder: Path, deal_id: UUID) -> list[Document]:
    """A document for every file of a known type.

    Raises:
        StorageError: there is none.
    """
    found = [
        Document(
            id=uuid5(deal_id, path.name),
            deal_id=deal_id,
            user_id=USER,
            file_path=path.name,
            file_type=cast("FileType", path.suffix[1:]),
        )
        for path in sorted(folder.iterdir())
        if path.suffix[1:] in get_args(FileType) and path.name not in NOT_DOCUMENTS
    ]
    if not found:
        raise StorageError(f"{folder} holds no document of a known type: {', '.join(get_args(FileType))}.")
    return found


async def send(boss: PgBoss, services: Services, documents: list[Document]) -> None:
    """Record each document and enqueue its first job, both or neither."""
    async with services.pool.connection() as connection:
        for document in documents:
            payload = DocumentParse(
                document_id=document.id,
                deal_id=document.deal_id,
                user_id=document.user_id,
                file_path=document.file_path,
                file_type=document.file_type,
            )
            async with connection.transaction():
                await add_document(connection, document)
                await enqueue_document_parse(boss, payload, connection=connection)


async def follow(console: Console, boss: PgBoss, documents: list[Document]) -> StageProgress:
    """Show progress until every document is through or has failed, or nothing happens for too long."""
    columns = TextColumn("{task.description:22}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    give_up = asyncio.get_running_loop().time() + GIVE_UP_SECONDS
    with Progress(*columns, console=console) as bars:
        tasks = {stage: bars.add_task(stage, total=len(documents)) for stage in STAGES}
        while True:
            progress = await look(boss, documents[0].deal_id, expected=len(documents))
            for stage, task in tasks.items():
                bars.update(task, completed=progress.completed(stage), total=progress.attainable(stage))
            if progress.is_over or asyncio.get_running_loop().time() > give_up:
                return progress
            await asyncio.sleep(LOOK_EVERY_SECONDS)


async def describe(boss: PgBoss, services: Services, documents: list[Document], progress: StageProgress) -> Outcome:
    """Gather what is to be said about a run."""
    deal_id = documents[0].deal_id
    async with services.pool.connection() as connection:
        counts = await count_deal(connection, deal_id)
    file_of = {document.id: document.file_path for document in documents}
    return Outcome(
        counts=counts,
        graph_counts=await asyncio.to_thread(services.graph.counts, deal_id),
        shared_entities=await asyncio.to_thread(services.graph.shared_entities, deal_id),
        times=progress.times(),
        failed={file_of[failure.document_id]: failure for failure in await failures(boss, deal_id)},
        expected_to_fail={file for file in file_of.values() if file.startswith(EXPECTED_TO_FAIL)},
        unfinished=progress.unfinished,
        makers={
            "embeddings": services.embedder.model,
            "analyses": services.analyser.made_by,
            "graph": services.graph.name,
        },
    )


if __name__ == "__main__":
    main()
