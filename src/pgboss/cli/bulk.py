"""``pgboss queues redrive|purge``: move or delete many jobs of a queue."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from pgboss.cli.asking import ask
from pgboss.cli.connection import open_boss
from pgboss.cli.exits import CommandError
from pgboss.cli.invocation import connected
from pgboss.cli.options import AsJson, read_id, read_json, read_time
from pgboss.cli.output import Column, members, print_json, print_table, remark

__all__ = ["register"]

Name = Annotated[str, typer.Argument(help="The queue's name.", show_default=False)]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.", show_default=False)]


def register(commands: typer.Typer) -> None:
    """Add these commands to a group."""
    for command in (redrive, purge):
        commands.command()(connected(command))


def redrive(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="The dead letter queue's name.", show_default=False)],
    *,
    destination: Annotated[
        str | None, typer.Option("--to", metavar="QUEUE", help="Move them here, instead of to where they came from.")
    ] = None,
    source_name: Annotated[
        str | None, typer.Option("--from", metavar="QUEUE", help="Only jobs that failed in this queue.")
    ] = None,
    data: Annotated[
        str | None, typer.Option(metavar="JSON", help="Only jobs whose data contains this JSON object.")
    ] = None,
    created_before: Annotated[
        str | None, typer.Option(metavar="TIME", help="Only jobs from before this time, such as 2026-01-31T12:00Z.")
    ] = None,
    ids: Annotated[list[str] | None, typer.Option("--id", metavar="ID", help="Only this job; may be repeated.")] = None,
    limit: Annotated[int, typer.Option(metavar="N", help="Move at most so many, the oldest first.")] = 1000,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would move, and where to.", show_default=False)
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Bring waiting jobs of a dead letter queue back to work.

    Each becomes a new job of the queue it came from. A job whose slot there is taken fails where it is.
    """
    wanted: dict[str, Any] = {
        "destination": destination,
        "source_name": source_name,
        "created_before": None if created_before is None else read_time(created_before),
        "ids": [read_id(id) for id in ids] if ids else None,
        "limit": limit,
    }
    if data is not None:
        wanted["data"] = read_json(data, "data filter")
    if dry_run:
        _preview(context, name, wanted, as_json)
        return
    with open_boss(context) as boss:
        moved = boss.redrive(name, **wanted)
    if as_json:
        print_json({"moved": moved})
    else:
        typer.echo(f"Moved {_jobs(moved)}.")


def purge(
    context: typer.Context,
    name: Name,
    *,
    queued: Annotated[bool, typer.Option("--queued", help="Only jobs that wait.", show_default=False)] = False,
    stored: Annotated[bool, typer.Option("--stored", help="Only jobs that have ended.", show_default=False)] = False,
    yes: Yes = False,
) -> None:
    """Delete a queue's jobs, all of them or by their state; the queue itself stays."""
    if queued and stored:
        raise CommandError("Give --queued or --stored, not both. Without either, all jobs are deleted.")
    what = "waiting jobs" if queued else "ended jobs" if stored else "jobs, whatever their state"
    with open_boss(context) as boss:
        if not yes:
            ask(f"Delete all {what}, of queue {name}?")
        delete = boss.delete_queued_jobs if queued else boss.delete_stored_jobs if stored else boss.delete_all_jobs
        deleted = delete(name)
    typer.echo(f"Emptied queue {name}." if deleted is None else f"Deleted {_jobs(deleted)} of queue {name}.")


def _preview(context: typer.Context, name: str, wanted: dict[str, Any], as_json: bool) -> None:
    with open_boss(context) as boss:
        preview = boss.preview_redrive(name, **wanted)
    if as_json:
        print_json(members(preview))
        return
    if preview.destinations:
        columns: list[Column[tuple[str, int]]] = [
            Column("TO", lambda entry: entry[0]),
            Column("JOBS", lambda entry: str(entry[1]), right=True),
        ]
        print_table(columns, list(preview.destinations.items()))
    else:
        remark("No jobs would move.")
    if preview.unroutable:
        remark(f"{_jobs(preview.unroutable)} would stay: where they came from is unknown or gone. Give --to.")


def _jobs(count: int) -> str:
    return f"{count} {'job' if count == 1 else 'jobs'}"
