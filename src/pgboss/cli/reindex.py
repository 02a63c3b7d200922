"""``pgboss reindex``: bloated indexes of job tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from pgboss.cli.connection import open_boss
from pgboss.cli.exits import FAILED
from pgboss.cli.output import remark

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pgboss.cli.reader import Reader
    from pgboss.core.job_index import JobIndex

__all__ = ["reindex"]

MEGABYTE = 1024 * 1024


def reindex(
    context: typer.Context,
    *,
    force: Annotated[
        bool, typer.Option("--force", help="Every index of the job tables, bloated or not.", show_default=False)
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only print the commands, for whoever may run them.", show_default=False)
    ] = False,
) -> None:
    """Rebuild the bloated indexes of job tables, without locking anybody out.

    Instances do this by themselves once a day, up to 2 GB an index. The exit code is 1 when an index could not be
    rebuilt, or is not ours to rebuild.
    """
    from pgboss.core.instance_options import ReindexOptions
    from pgboss.operations import indexes

    with open_boss(context) as boss:
        found = boss.read(
            indexes.find_all(boss.schema) if force else indexes.find_bloated(boss.schema, ReindexOptions())
        )
        if not found:
            remark("There are no indexes of job tables." if force else "No index of a job table is bloated.")
        elif dry_run:
            _print_commands(boss, found)
        elif _rebuild(boss, found):
            raise typer.Exit(FAILED)


def _print_commands(boss: Reader, found: Sequence[JobIndex]) -> None:
    from pgboss.operations import indexes

    for command in boss.read(indexes.commands_for(boss.schema, [index.name for index in found], any_owner=True)):
        typer.echo(f"{command};")
    for index in found:
        if not index.owned:
            remark(f"{_described(index)} needs a role that owns it.")


def _rebuild(boss: Reader, found: Sequence[JobIndex]) -> int:
    """Rebuild those that are ours, and return how many were not rebuilt."""
    from pgboss.errors import DatabaseError, DatabaseUnavailableError
    from pgboss.operations import indexes

    foreign = [index for index in found if not index.owned]
    for index in foreign:
        remark(f"{_described(index)} was not rebuilt: our role does not own it.")
    failures = len(foreign)
    names = [index.name for index in found if index.owned]
    for command in boss.read(indexes.commands_for(boss.schema, names, any_owner=False)):
        try:
            boss.read(indexes.run_command(command))
        except DatabaseUnavailableError:
            raise
        except DatabaseError as error:
            failures += 1
            remark(f"{command}: {error}")
        else:
            typer.echo(f"{command};")
    return failures


def _described(index: JobIndex) -> str:
    size = f"{index.pages} pages, {round(index.bytes / MEGABYTE)} MB, about {index.entries} entries"
    return f"The index {index.name} of {index.table} ({size})"
