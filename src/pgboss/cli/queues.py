"""``pgboss queues``: list, show, create and delete queues; :mod:`pgboss.cli.bulk` adds what moves or deletes jobs,
:mod:`pgboss.cli.stats` what happened over time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pgboss.cli import bulk, stats
from pgboss.cli.ages import moment, seconds
from pgboss.cli.asking import ask
from pgboss.cli.connection import open_boss
from pgboss.cli.exits import CommandError
from pgboss.cli.invocation import command_group, connected
from pgboss.cli.options import (
    AsJson,
    DeadLetter,
    DeleteAfterSeconds,
    ExpireInSeconds,
    HeartbeatSeconds,
    NoHeartbeat,
    RetentionSeconds,
    RetryBackoff,
    RetryDelay,
    RetryDelayMax,
    RetryLimit,
    given,
)
from pgboss.cli.output import Column, members, print_facts, print_json, print_table, remark

if TYPE_CHECKING:
    from pgboss.core.job import JobState
    from pgboss.core.queue import Queue
    from pgboss.insights import QueueOverview

__all__ = ["commands"]

commands = command_group("List, show, create, empty and delete queues; bring dead letters back.")

Name = Annotated[str, typer.Argument(help="The queue's name.", show_default=False)]


@commands.command("list")
@connected
def list_queues(context: typer.Context, *, as_json: AsJson = False) -> None:
    """List the queues, with their jobs counted right now."""
    from pgboss.insights import queue_overviews

    with open_boss(context) as boss:
        overviews = boss.read(queue_overviews(boss.schema))
    if as_json:
        print_json([_for_programs(overview) for overview in overviews])
    elif overviews:
        _print_overviews(overviews)
    else:
        remark("There are no queues yet. Create one: pgboss queues create NAME")


@commands.command("show")
@connected
def show_queue(context: typer.Context, name: Name, *, as_json: AsJson = False) -> None:
    """Show a queue's settings, and its jobs counted right now."""
    from pgboss.insights import queue_overviews

    with open_boss(context) as boss:
        overviews = boss.read(queue_overviews(boss.schema, [name]))
    if not overviews:
        raise _missing(name)
    if as_json:
        print_json(_for_programs(overviews[0]))
    else:
        print_facts(_facts(overviews[0]))


@commands.command("create")
@connected
def create_queue(
    context: typer.Context,
    name: Name,
    *,
    policy: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="standard (the default), short, singleton, stately, exclusive or key_strict_fifo."
        ),
    ] = None,
    retry_limit: RetryLimit = None,
    retry_delay: RetryDelay = None,
    retry_backoff: RetryBackoff = None,
    retry_delay_max: RetryDelayMax = None,
    expire_in_seconds: ExpireInSeconds = None,
    retention_seconds: RetentionSeconds = None,
    delete_after_seconds: DeleteAfterSeconds = None,
    heartbeat_seconds: HeartbeatSeconds = None,
    no_heartbeat: NoHeartbeat = False,
    dead_letter: DeadLetter = None,
    warning_queue_size: Annotated[
        int | None, typer.Option(metavar="N", help="Warn when more jobs than this wait.")
    ] = None,
    partition: Annotated[
        bool | None,
        typer.Option("--partition/--no-partition", help="Whether its jobs get a table of their own."),
    ] = None,
    notify: Annotated[
        bool | None, typer.Option("--notify/--no-notify", help="Whether workers are told of new jobs at once.")
    ] = None,
) -> None:
    """Create a queue; one that exists is left as it is.

    What is not given comes from the defaults of this package: 3 retries with growing pauses, a day to run, a
    heartbeat of 60 seconds, notifications.
    """
    options: dict[str, Any] = given(
        policy=policy,
        retry_limit=retry_limit,
        retry_delay=retry_delay,
        retry_backoff=retry_backoff,
        retry_delay_max=retry_delay_max,
        expire_in_seconds=expire_in_seconds,
        retention_seconds=retention_seconds,
        delete_after_seconds=delete_after_seconds,
        heartbeat_seconds=heartbeat_seconds,
        no_heartbeat=no_heartbeat,
        dead_letter=dead_letter,
        warning_queue_size=warning_queue_size,
        partition=partition,
        notify=notify,
    )
    with open_boss(context) as boss:
        before = boss.get_queue(name)
        boss.create_queue(name, **options)
    if before is None:
        typer.echo(f"Created queue {name}.")
    else:
        remark(f"Queue {name} exists already and was left as it is.")


@commands.command("delete")
@connected
def delete_queue(
    context: typer.Context,
    name: Name,
    *,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.", show_default=False)] = False,
) -> None:
    """Delete a queue with all its jobs, schedules and subscriptions."""
    from pgboss.insights import queue_overviews

    with open_boss(context) as boss:
        overviews = boss.read(queue_overviews(boss.schema, [name]))
        if not overviews:
            raise _missing(name)
        if not yes:
            ask(f"Delete queue {name} with its {sum(overviews[0].jobs.values())} jobs?")
        boss.delete_queue(name)
    typer.echo(f"Deleted queue {name}.")


@commands.command("pause")
@connected
def pause_queue(context: typer.Context, name: Name) -> None:
    """Have all Python workers claim nothing of a queue, within two seconds; what runs may finish."""
    with open_boss(context) as boss:
        boss.pause_queue(name)
    typer.echo(f"Paused queue {name}. Go on with: pgboss queues resume {name}")


@commands.command("resume")
@connected
def resume_queue(context: typer.Context, name: Name) -> None:
    """Let workers claim jobs of a queue again."""
    with open_boss(context) as boss:
        was_paused = boss.resume_queue(name)
    if was_paused:
        typer.echo(f"Resumed queue {name}.")
    else:
        remark(f"Queue {name} was not paused.")


def _missing(name: str) -> CommandError:
    return CommandError(f"There is no queue {name!r}. See `pgboss queues list`.")


def _for_programs(overview: QueueOverview) -> dict[str, object]:
    return members(overview.queue) | {"jobs": overview.jobs}


def _print_overviews(overviews: list[QueueOverview]) -> None:
    some_dead_letters = any(overview.queue.dead_letter for overview in overviews)
    columns: list[Column[QueueOverview]] = [
        Column("NAME", lambda overview: overview.queue.name),
        *(Column(state.upper(), _counting(state), right=True) for state in overviews[0].jobs),
        Column("POLICY", lambda overview: overview.queue.policy),
        *([Column("DEAD LETTER", _dead_letter)] if some_dead_letters else []),
    ]
    print_table(columns, overviews)


def _counting(state: JobState) -> Callable[[QueueOverview], str]:
    return lambda overview: str(overview.jobs[state])


def _dead_letter(overview: QueueOverview) -> str:
    return overview.queue.dead_letter or ""


def _facts(overview: QueueOverview) -> Iterator[tuple[str, str]]:
    queue = overview.queue
    yield "Queue", queue.name
    yield "Jobs", ", ".join(f"{count} {state}" for state, count in overview.jobs.items() if count) or "none"
    yield "Counted", _counted(queue)
    if queue.delta_seconds:
        yield "Throughput", _throughput(queue)
    yield "Policy", queue.policy
    yield "Retries", _retries(queue)
    yield "Expires in", seconds(queue.expire_in_seconds)
    yield "Heartbeat", seconds(queue.heartbeat_seconds)
    yield "Kept waiting", seconds(queue.retention_seconds)
    yield "Kept when ended", seconds(queue.delete_after_seconds) if queue.delete_after_seconds else "for ever"
    yield "Dead letter", queue.dead_letter or "none"
    yield "Notifies", "yes" if queue.notify else "no"
    yield "Table", f"{queue.table_name}{', its own' if queue.partition else ''}"
    yield "Created", moment(queue.created_on)
    yield "Changed", moment(queue.updated_on)


def _counted(queue: Queue) -> str:
    """What the last monitor pass found, which is what alarms and dashboards see."""
    if queue.monitor_on is None:
        return "never"
    waiting = f"{queue.ready_count} ready, {queue.deferred_count} deferred, {queue.blocked_count} blocked"
    return f"{waiting} at {moment(queue.monitor_on)}"


def _throughput(queue: Queue) -> str:
    counts = f"{queue.created_delta} created, {queue.completed_delta} completed, {queue.failed_delta} failed"
    return f"{counts} in the {queue.delta_seconds} s up to {moment(queue.delta_on)}"


def _retries(queue: Queue) -> str:
    if not queue.retry_limit:
        return "none"
    growing = ", twice as long each time" if queue.retry_backoff else ""
    capped = f", {queue.retry_delay_max} s at most" if queue.retry_backoff and queue.retry_delay_max else ""
    return f"{queue.retry_limit}, after {queue.retry_delay} s{growing}{capped}"


bulk.register(commands)
stats.register(commands)
