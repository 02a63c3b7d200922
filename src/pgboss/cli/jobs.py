"""``pgboss jobs``: look at jobs; how to change them is in ``settling``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from pgboss.cli import settling
from pgboss.cli.connection import open_boss
from pgboss.cli.exits import CommandError
from pgboss.cli.invocation import command_group, connected
from pgboss.cli.options import AsJson, read_id, read_json, read_time
from pgboss.cli.output import Column, members, one_line, print_json, print_table, remark

if TYPE_CHECKING:
    from pgboss.core.job import JobDetails
    from pgboss.insights import FoundJobs

__all__ = ["commands"]

commands = command_group("List, show, retry, cancel, resume and delete jobs.")


@commands.command("list")
@connected
def list_jobs(
    context: typer.Context,
    queue: Annotated[str, typer.Argument(help="The queue.", show_default=False)],
    *,
    state: Annotated[
        list[str] | None,
        typer.Option(
            metavar="STATE",
            help="Only in this state: created, retry, active, completed, cancelled or failed. May be repeated. "
            "Or expired: failed or to be retried because its time ran out.",
        ),
    ] = None,
    queued: Annotated[
        bool, typer.Option("--queued", help="Only those that wait: created or retry.", show_default=False)
    ] = False,
    key: Annotated[str | None, typer.Option(help="Only with this singleton key.")] = None,
    data: Annotated[
        str | None, typer.Option(metavar="JSON", help="Only where the data contains this, such as '{\"user\": 7}'.")
    ] = None,
    created_from: Annotated[
        str | None, typer.Option(metavar="TIME", help="Only those created then or later, such as 2026-01-31T12:00Z.")
    ] = None,
    created_before: Annotated[str | None, typer.Option(metavar="TIME", help="Only those created earlier.")] = None,
    finished_from: Annotated[
        str | None, typer.Option(metavar="TIME", help="Only those that ended then or later.")
    ] = None,
    finished_before: Annotated[str | None, typer.Option(metavar="TIME", help="Only those that ended earlier.")] = None,
    newest: Annotated[
        bool, typer.Option("--newest", help="Newest first, instead of oldest first.", show_default=False)
    ] = False,
    limit: Annotated[int, typer.Option(metavar="N", help="At most so many.")] = 50,
    after: Annotated[
        str | None, typer.Option(metavar="UUID", help="Continue behind this job: the last of the page before.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the jobs of a queue."""
    from pgboss.core.checks import UNSET
    from pgboss.core.job_filter import JobFilter
    from pgboss.insights import browse_on

    moments = {
        "created_from": created_from,
        "created_before": created_before,
        "finished_from": finished_from,
        "finished_before": finished_before,
    }
    wanted = JobFilter.of(
        state or (),  # type: ignore[arg-type]  # as typed: the filter refuses what is none
        is_queued=queued,
        key=key,
        data=UNSET if data is None else read_json(data, "data filter"),
        creation="newest_first" if newest else "oldest_first",
        **{name: None if text is None else read_time(text) for name, text in moments.items()},
    )
    behind = None if after is None else read_id(after)
    with open_boss(context) as boss:
        page = boss.read(browse_on(boss.catalog, queue, wanted, after=behind, limit=limit))
    if as_json:
        print_json([members(job) for job in page.jobs])
    else:
        _print_page(page)


@commands.command("show")
@connected
def show_job(
    context: typer.Context,
    id: Annotated[str, typer.Argument(metavar="ID", help="The job's id.", show_default=False)],
    *,
    queue: Annotated[
        str | None, typer.Option(metavar="NAME", help="Its queue; spares a look into every other.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show everything about a job."""
    from pgboss.cli.job_view import print_job

    wanted = read_id(id)
    with open_boss(context) as boss:
        job = boss.get_job(wanted, queue=queue)
    if job is None:
        raise CommandError(settling.no_such_job(wanted, queue))
    if as_json:
        print_json(members(job))
    else:
        print_job(job)


def _print_page(page: FoundJobs) -> None:
    from pgboss.cli.job_view import attempt, error_line, news

    if not page.jobs:
        remark("No such jobs.")
        return
    # Nearly every list has neither errors nor priorities, and room is scarce.
    some_errors, some_priorities = any(map(error_line, page.jobs)), any(job.priority for job in page.jobs)
    columns: list[Column[JobDetails]] = [
        Column("ID", lambda job: str(job.id)),
        Column("STATE", lambda job: job.state),
        Column("TRY", attempt, right=True),
        *([Column("PRIO", lambda job: str(job.priority), right=True)] if some_priorities else []),
        Column("NEWS", lambda job: news(job, page.read_on)),
        *([Column("ERROR", error_line, shrinks=True)] if some_errors else []),
        Column("DATA", lambda job: one_line(job.data), shrinks=True),
    ]
    print_table(columns, page.jobs)
    if page.next:
        remark(f"There may be more: --after {page.jobs[-1].id}, or a larger --limit.")


settling.register(commands)
