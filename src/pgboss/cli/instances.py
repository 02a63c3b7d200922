"""``pgboss instances``: which processes share the schema."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from pgboss.cli.ages import age
from pgboss.cli.connection import open_boss
from pgboss.cli.invocation import command_group, connected
from pgboss.cli.options import AsJson
from pgboss.cli.output import Column, members, print_json, print_table, remark

if TYPE_CHECKING:
    from uuid import UUID

    from pgboss.core.instance import Instance
    from pgboss.sync import SyncPgBoss

__all__ = ["commands"]

commands = command_group("See which processes, of Python's and of Node's, share the schema.")


@commands.command("list")
@connected
def list_instances(
    context: typer.Context,
    *,
    everyone: Annotated[
        bool, typer.Option("--all", "-a", help="Also those that were stopped or went quiet.", show_default=False)
    ] = False,
    as_json: AsJson = False,
) -> None:
    """List the instances that are live: what they work, and how they are."""
    with open_boss(context) as boss:
        found = [instance for page in _pages(boss) for instance in page]
    shown = [instance for instance in found if everyone or instance.live]
    if as_json:
        print_json([members(instance) for instance in shown])
    elif shown:
        columns: list[Column[Instance]] = [
            Column("ID", lambda instance: str(instance.id)),
            Column("NAME", lambda instance: instance.name or ""),
            Column("HOST", lambda instance: instance.host, shrinks=True),
            Column("PID", lambda instance: str(instance.pid), right=True),
            Column("RUNS", lambda instance: f"{instance.version} ({instance.node_version})"),
            Column("STATE", _state),
            Column("UP", _up, right=True),
            Column("CRASHES", lambda instance: str(instance.crash_restarts or ""), right=True),
            Column("WORKS", _works, shrinks=True),
        ]
        print_table(columns, shown)
    else:
        remark("No instance is live." if found else "No instance has registered here yet.")


Id = Annotated[str, typer.Argument(help="The instance's id: see `pgboss instances list`.", show_default=False)]


@commands.command("pause")
@connected
def pause_instance(context: typer.Context, id: Id) -> None:
    """Have one process of Python's claim nothing more, within two seconds; what runs may finish."""
    with open_boss(context) as boss:
        boss.pause_instance(id)
    typer.echo(f"Paused instance {id}. Go on with: pgboss instances resume {id}")


@commands.command("resume")
@connected
def resume_instance(context: typer.Context, id: Id) -> None:
    """Let a process claim jobs again."""
    with open_boss(context) as boss:
        was_paused = boss.resume_instance(id)
    if was_paused:
        typer.echo(f"Resumed instance {id}.")
    else:
        remark(f"Instance {id} was not paused.")


def _pages(boss: SyncPgBoss) -> Iterator[list[Instance]]:
    after: UUID | None = None
    while page := boss.get_instances(after=after):
        yield page
        after = page[-1].id


def _state(instance: Instance) -> str:
    if instance.live:
        return "live"
    return "quiet" if instance.stopped_on is None else "stopped"


def _up(instance: Instance) -> str:
    """Of one that is live until now, which is up to a minute after its last heartbeat."""
    until = datetime.now(UTC) if instance.live else instance.stopped_on or instance.heartbeat_on
    return age(until - instance.started_on)


def _works(instance: Instance) -> str:
    return ", ".join(f"{worker['queue']} ({worker['active']})" for worker in instance.workers)
