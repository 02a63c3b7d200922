"""The program: its global options, its commands, and how its errors come out."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from pgboss.cli import bam, instances, jobs, queues, schedules, schema
from pgboss.cli.dev import dev
from pgboss.cli.exits import EXIT_CODES, explained
from pgboss.cli.invocation import (
    DebugOption,
    DsnOption,
    SchemaOption,
    command_group,
    connected,
    invocation,
    unconnected,
)
from pgboss.cli.metrics import metrics
from pgboss.cli.reindex import reindex
from pgboss.cli.send import send
from pgboss.cli.serve import serve
from pgboss.cli.worker import worker

__all__ = ["app"]


class Program(TyperGroup):
    """The outermost group: whatever error of ours a command ends with becomes a line and an exit code here."""

    def invoke(self, ctx: Any) -> Any:
        with explained(ctx):
            return super().invoke(ctx)

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        with formatter.section("Exit codes"):
            formatter.write_dl([(str(code), meaning) for code, meaning in EXIT_CODES.items()])


app = command_group("Background jobs on PostgreSQL: the Python side of pg-boss.")


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        from pgboss.schema.version import SCHEMA_VERSION

        typer.echo(f"pgboss {version('pgboss')} (pg-boss schema {SCHEMA_VERSION})")
        raise typer.Exit


@app.callback(cls=Program)
def program(
    context: typer.Context,
    *,
    dsn: DsnOption = None,
    schema: SchemaOption = None,
    debug: DebugOption = False,
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version and exit.", is_eager=True, callback=_print_version, show_default=False
        ),
    ] = False,
) -> None:
    """Background jobs on PostgreSQL: the Python side of pg-boss.

    --dsn, --schema and --debug may stand behind a command as well.
    """
    run = invocation(context)
    run.dsn, run.schema, run.debug = dsn, schema, debug


app.command()(connected(worker))
app.command()(unconnected(dev))
app.command()(connected(serve))
app.command()(connected(metrics))
app.command()(connected(send))
app.add_typer(jobs.commands, name="jobs")
app.add_typer(queues.commands, name="queues")
app.add_typer(instances.commands, name="instances")
app.add_typer(schedules.commands, name="schedules")
app.add_typer(bam.commands, name="bam")
app.command()(connected(reindex))
schema.register(app)
