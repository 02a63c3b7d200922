"""``pgboss jobs retry|cancel|resume|delete``: change jobs by their ids."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated, TypeAlias
from uuid import UUID

import typer

from pgboss.cli.connection import open_boss
from pgboss.cli.exits import FAILED
from pgboss.cli.invocation import connected
from pgboss.cli.options import AsJson, read_id
from pgboss.cli.output import print_json, remark

if TYPE_CHECKING:
    from pgboss.cli.reader import Reader
    from pgboss.core.job import Settled

    Change: TypeAlias = Callable[[Reader, str, list[UUID]], Settled]

__all__ = ["no_such_job", "register"]

Ids = Annotated[list[str], typer.Argument(metavar="ID...", help="The jobs' ids.", show_default=False)]
QueueOption = Annotated[
    str | None,
    typer.Option(
        "--queue",
        metavar="NAME",
        help="The queue of all of them; without it each is looked for in every queue.",
    ),
]


def register(commands: typer.Typer) -> None:
    """Add these commands to a group."""
    for command in (retry, cancel, resume, delete):
        commands.command()(connected(command))


def retry(context: typer.Context, ids: Ids, *, queue: QueueOption = None, as_json: AsJson = False) -> None:
    """Give failed jobs one more attempt, due now."""
    _change(context, ids, queue, "Retried", lambda boss, name, jobs: boss.retry(name, jobs), as_json)


def cancel(context: typer.Context, ids: Ids, *, queue: QueueOption = None, as_json: AsJson = False) -> None:
    """Cancel jobs that have not ended.

    Whatever comes of one that runs is dropped.
    """
    _change(context, ids, queue, "Cancelled", lambda boss, name, jobs: boss.cancel(name, jobs), as_json)


def resume(context: typer.Context, ids: Ids, *, queue: QueueOption = None, as_json: AsJson = False) -> None:
    """Let cancelled jobs wait for their turn again."""
    _change(context, ids, queue, "Resumed", lambda boss, name, jobs: boss.resume(name, jobs), as_json)


def delete(context: typer.Context, ids: Ids, *, queue: QueueOption = None, as_json: AsJson = False) -> None:
    """Delete jobs, whatever their state."""
    _change(context, ids, queue, "Deleted", lambda boss, name, jobs: boss.delete_job(name, jobs), as_json)


def _change(
    context: typer.Context, texts: Sequence[str], queue: str | None, done: str, change: Change, as_json: bool
) -> None:
    ids = list(dict.fromkeys(read_id(text) for text in texts))
    with open_boss(context) as boss:
        settled: set[UUID] = set()
        for name, members in _by_queue(boss, ids, queue).items():
            settled.update(change(boss, name, members).settled)
        passed_over = {id: _state(boss, id, queue) for id in ids if id not in settled}
    if as_json:
        print_json(
            {
                "requested": ids,
                "settled": [id for id in ids if id in settled],
                "passed_over": [{"id": id, "state": state} for id, state in passed_over.items()],
            }
        )
    else:
        _report(done, len(settled), passed_over, queue)
    if passed_over:
        raise typer.Exit(FAILED)


def _by_queue(boss: Reader, ids: Sequence[UUID], queue: str | None) -> dict[str, list[UUID]]:
    """The jobs by their queues; those that are nowhere are left out."""
    if queue is not None:
        return {queue: list(ids)}
    found: dict[str, list[UUID]] = defaultdict(list)
    for id in ids:
        job = boss.get_job(id)
        if job is not None:
            found[job.name].append(id)
    return found


def _state(boss: Reader, id: UUID, queue: str | None) -> str | None:
    job = boss.get_job(id, queue=queue)
    return None if job is None else job.state


def no_such_job(id: UUID, queue: str | None) -> str:
    """What to say of a job that is not there, or not in the queue named."""
    return f"There is no job {id}{f' in queue {queue!r}' if queue else ''}."


def _report(done: str, count: int, passed_over: dict[UUID, str | None], queue: str | None) -> None:
    if count or not passed_over:
        typer.echo(f"{done} {count} {'job' if count == 1 else 'jobs'}.")
    for id, state in passed_over.items():
        remark(f"Job {id} was left as it is: it is {state}." if state else no_such_job(id, queue))
