"""``pgboss queues stats``: what a queue held and did over time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from pgboss.cli.ages import duration, moment
from pgboss.cli.connection import open_boss
from pgboss.cli.exits import CommandError
from pgboss.cli.invocation import connected
from pgboss.cli.options import AsJson, given, read_time
from pgboss.cli.output import Column, print_json, print_table, remark

if TYPE_CHECKING:
    from pgboss.core.queue_stats import QueueStats

__all__ = ["register"]


def register(commands: typer.Typer) -> None:
    """Add the command to the group of commands about queues."""
    commands.command("stats")(connected(stats))


def stats(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="The queue's name.", show_default=False)],
    *,
    since: Annotated[
        str | None, typer.Option("--from", metavar="TIME", help="Only what was counted since, like 2026-01-31T12:00Z.")
    ] = None,
    until: Annotated[str | None, typer.Option("--to", metavar="TIME", help="Only what was counted until then.")] = None,
    limit: Annotated[int, typer.Option(metavar="N", help="At most so many lines.")] = 20,
    bucket_seconds: Annotated[int | None, typer.Option(metavar="SECONDS", help="A line for each so many.")] = None,
    max_data_points: Annotated[
        int | None, typer.Option(metavar="N", help="So many lines, whatever time that makes each of them.")
    ] = None,
    aggregate: Annotated[
        str | None, typer.Option(metavar="HOW", help="The counts of a bucket: max (the default), min or avg.")
    ] = None,
    percentile: Annotated[
        list[float] | None, typer.Option(metavar="P", help="Times within which so many percent were; repeatable.")
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Count anew, where nothing is recorded.", show_default=False)
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show what a queue held and did over time, newest first.

    Instances with persist_queue_stats record it; without any there is one line, of the last count.
    """
    wanted: dict[str, Any] = given(
        from_=None if since is None else read_time(since),
        to=None if until is None else read_time(until),
        limit=limit,
        bucket_seconds=bucket_seconds,
        max_data_points=max_data_points,
        aggregate=aggregate,
        percentiles=percentile or None,
        force=force or None,
    )
    with open_boss(context) as boss:
        if boss.get_queue(name) is None:
            raise CommandError(f"There is no queue {name!r}. See `pgboss queues list`.")
        found = boss.get_queue_stats(name, **wanted)
    if as_json:
        print_json(found)
    elif found:
        print_table(_columns(found), found)
    else:
        remark("Nothing was recorded in that time.")


def _columns(found: list[QueueStats]) -> list[Column[QueueStats]]:
    asked = found[0].percentiles
    return [
        Column("CAPTURED", lambda stats: moment(stats.captured_on)),
        *(_count(title) for title in ("ready", "deferred", "active", "failed", "total")),
        Column("CREATED", lambda stats: _known(stats.created_delta), right=True),
        Column("COMPLETED", lambda stats: _known(stats.completed_delta), right=True),
        Column("SECONDS", lambda stats: _known(stats.delta_seconds), right=True),
        *(_time(f"WAIT P{shown.p:g}", index, "wait_seconds") for index, shown in enumerate(asked)),
        *(_time(f"RUN P{shown.p:g}", index, "run_seconds") for index, shown in enumerate(asked)),
    ]


def _count(title: str) -> Column[QueueStats]:
    return Column(title.upper(), lambda stats: str(getattr(stats, f"{title}_count")), right=True)


def _known(count: int | None) -> str:
    return "" if count is None else str(count)


def _time(title: str, index: int, field: str) -> Column[QueueStats]:
    from datetime import timedelta

    def show(stats: QueueStats) -> str:
        seconds = getattr(stats.percentiles[index], field)
        return "" if seconds is None else duration(timedelta(seconds=seconds))

    return Column(title, show, right=True)
