"""What the demo says in the end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from document_pipeline.progress import Failure, StageTimes
from document_pipeline.search import Hit
from document_pipeline.settings import PipelineSettings
from document_pipeline.storage import DealCounts

QUOTE_CHARACTERS = 300


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a run.

    Attributes:
        failed: by file, the failures in the dead letter queue.
        expected_to_fail: the files that are broken on purpose.
        unfinished: how many documents neither ended nor failed within the time.
        makers: which model or database made what.
    """

    counts: DealCounts
    graph_counts: dict[str, int]
    shared_entities: list[dict[str, Any]]
    times: list[StageTimes]
    failed: dict[str, Failure]
    expected_to_fail: set[str]
    unfinished: int
    makers: dict[str, str]

    @property
    def as_expected(self) -> bool:
        """Whether just the files failed that are broken on purpose, and all others are through."""
        return not self.unfinished and self.failed.keys() == self.expected_to_fail


def say_outcome(console: Console, outcome: Outcome) -> None:
    """Numbers, times and failures."""
    console.print()
    console.print(_numbers(outcome))
    console.print(_times(outcome.times))
    for thing, maker in outcome.makers.items():
        console.print(f"{thing:>12}: [bold]{escape(maker)}[/bold]")
    names = ", ".join(f"{escape(row['name'])} ({row['documents']})" for row in outcome.shared_entities)
    console.print(f"\nEntities that connect most documents: {names}")
    for file, failure in outcome.failed.items():
        note = "as it should" if file in outcome.expected_to_fail else "[red]unexpectedly[/red]"
        console.print(
            f"\n[bold]{escape(file)}[/bold] failed {note}, in {failure.stage}; its job is in the dead letter queue:"
        )
        console.print(f"  {failure.reason}", style="yellow", markup=False, highlight=False)
    for file in sorted(outcome.expected_to_fail - outcome.failed.keys()):
        console.print(f"\n[red]{escape(file)} should have failed and did not.[/red]")
    if outcome.unfinished:
        console.print(f"\n[red]{outcome.unfinished} documents did not finish in time.[/red]")


def say_hits(console: Console, question: str, hits: list[Hit]) -> None:
    """A question and the passages that answer it."""
    console.print(f"\n[bold]{escape(question)}[/bold]")
    for number, hit in enumerate(hits, start=1):
        where = " › ".join([hit.file_path, *hit.headings]) + (f", page {hit.page}" if hit.page else "")
        quote = " ".join(hit.text.split())
        shortened = quote[:QUOTE_CHARACTERS] + ("…" if len(quote) > QUOTE_CHARACTERS else "")
        console.print(f"{number}. {hit.similarity:.2f}  [cyan]{escape(where)}[/cyan]")
        console.print(f"   {shortened}", markup=False, highlight=False)
    if not hits:
        console.print("   nothing found")


def say_how_to_look_further(console: Console, settings: PipelineSettings, kept_dsn: str | None) -> None:
    """What to try next.

    Args:
        console: where to say it.
        settings: what is configured already.
        kept_dsn: the address of a database that stays, while this process does.
    """
    console.print("\n[bold]To look further[/bold]")
    console.print("""  make demo ARGS='--search "What does VACUUM do?"'""", markup=False, highlight=False)
    if kept_dsn is None:
        console.print("  make demo ARGS=--keep                 leaves the database and the dashboard running")
    else:
        console.print(f"  psql '{kept_dsn}' -c 'TABLE pipeline.analyses'", markup=False, soft_wrap=True)
        console.print(f"  DATABASE_URL='{kept_dsn}' pgboss jobs list document-failed", markup=False, soft_wrap=True)
        console.print("  Ctrl-C ends it all.")
    if settings.openai_api_key is None:
        console.print("  OPENAI_API_KEY=…                      embeddings and analyses by a model that understands")
    if settings.neo4j_uri is None:
        console.print("  NEO4J_URI=bolt://…                    the graph in Neo4j, to look at in its browser")


def _numbers(outcome: Outcome) -> Table:
    table = Table("documents", "chunks", "vectors", "entities", "mentions", "in the graph", title="What there is now")
    counts, graph = outcome.counts, outcome.graph_counts
    in_graph = f"{graph['documents']} documents, {graph['entities']} entities, {graph['mentions']} links"
    numbers = counts.documents, counts.chunks, counts.vectors, counts.entities, counts.mentions
    table.add_row(*map(str, numbers), in_graph)
    return table


def _times(times: list[StageTimes]) -> Table:
    table = Table(title="Time by stage, in seconds")
    table.add_column("stage")
    for name in ("jobs", "median", "longest", "all"):
        table.add_column(name, justify="right")
    for each in times:
        table.add_row(each.stage, str(each.completed), f"{each.middle:.2f}", f"{each.longest:.2f}", f"{each.total:.2f}")
    return table
