"""``pgboss bam``: the commands that migrations have put off, index builds mostly."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from pgboss.cli.ages import moment
from pgboss.cli.connection import open_boss
from pgboss.cli.exits import FAILED
from pgboss.cli.invocation import command_group, connected
from pgboss.cli.options import AsJson
from pgboss.cli.output import Column, members, print_json, print_table, remark

if TYPE_CHECKING:
    from pgboss.core.bam import BamEntry
    from pgboss.operations.bam import BamOutcome

__all__ = ["commands", "run_all"]

commands = command_group("List and run what migrations have put off: index builds in the background.")


@commands.command("list")
@connected
def list_entries(
    context: typer.Context,
    *,
    limit: Annotated[int, typer.Option(metavar="N", help="At most this many.")] = 1000,
    as_json: AsJson = False,
) -> None:
    """List the commands with their status, in the order in which they are run."""
    with open_boss(context) as boss:
        entries = boss.get_bam_entries(limit=limit)
    if as_json:
        print_json([members(entry) for entry in entries])
    elif entries:
        _print(entries)
    else:
        remark("No migration has put anything off.")


@commands.command("run")
@connected
def run_entries(context: typer.Context) -> None:
    """Run what waits, one after the other, and wait for it.

    Instances do this by themselves. One that failed is tried again, once. The exit code is 1 when a command fails.
    """
    from pgboss.operations.bam import run_next

    with open_boss(context) as boss:
        count = run_all(lambda pending_only: boss.read(run_next(boss.schema, pending_only=pending_only)))
    if not count:
        remark("There is nothing to run, or somebody is running it.")


def run_all(run_one: Callable[[bool], BamOutcome | None]) -> int:
    """Run one after the other, only the first of them one that has failed before, and say how each ended.

    Raises:
        typer.Exit: some have failed.
    """
    from pgboss.operations.bam import text_of

    count, failures = 0, 0
    while (outcome := run_one(count > 0)) is not None:
        count += 1
        what = f"{outcome.claim.name} on {outcome.claim.table}"
        if outcome.error is None:
            typer.echo(f"Completed {what}.")
        else:
            failures += 1
            remark(f"Failed {what}: {text_of(outcome.error)}")
    if failures:
        raise typer.Exit(FAILED)
    return count


def _print(entries: list[BamEntry]) -> None:
    columns: list[Column[BamEntry]] = [
        Column("VERSION", lambda entry: str(entry.version), right=True),
        Column("NAME", lambda entry: entry.name),
        Column("STATUS", lambda entry: entry.status),
        Column("TABLE", lambda entry: entry.table),
        Column("PUT OFF", lambda entry: moment(entry.created_on)),
        Column("ERROR", lambda entry: entry.error or "", shrinks=True),
    ]
    print_table(columns, entries)
