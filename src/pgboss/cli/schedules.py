"""``pgboss schedules``: list, show, create, delete and preview schedules."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pgboss.cli.ages import moment
from pgboss.cli.asking import ask
from pgboss.cli.connection import open_boss
from pgboss.cli.exits import CommandError
from pgboss.cli.invocation import command_group, connected, unconnected
from pgboss.cli.options import (
    AsJson,
    DeadLetter,
    ExpireInSeconds,
    RetentionSeconds,
    RetryBackoff,
    RetryDelay,
    RetryLimit,
    given,
    read_json_or_stdin,
)
from pgboss.cli.output import Column, members, one_line, print_facts, print_json, print_table, remark
from pgboss.errors import ValidationError

if TYPE_CHECKING:
    from pgboss.core.schedule import ScheduleDetails

__all__ = ["commands"]

commands = command_group("List, show, create, delete and preview schedules.")

SHOWN_NEXT = 3

Queue = Annotated[str, typer.Argument(help="The queue that gets the jobs.", show_default=False)]
Key = Annotated[
    str, typer.Option(metavar="KEY", help="Which of the queue's schedules, if it has several.", show_default=False)
]
Expression = Annotated[
    str,
    typer.Argument(
        help="A cron expression such as '0 6 * * 1-5', or a recurrence rule such as 'FREQ=MONTHLY;BYDAY=-1FR'.",
        show_default=False,
    ),
]
TimeZone = Annotated[
    str | None, typer.Option("--tz", metavar="ZONE", help="Its time zone, such as Europe/Zurich; UTC if not given.")
]


@commands.command("list")
@connected
def list_schedules(
    context: typer.Context,
    queue: Annotated[str | None, typer.Argument(help="Only those of this queue.", show_default=False)] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """List the schedules, each with its next occurrence."""
    with open_boss(context) as boss:
        schedules = boss.get_schedules(queue)
    if as_json:
        print_json([_for_programs(schedule) for schedule in schedules])
    elif schedules:
        _print_schedules(schedules)
    else:
        remark("There are no schedules. Create one: pgboss schedules create QUEUE EXPRESSION")


@commands.command("show")
@connected
def show_schedule(context: typer.Context, queue: Queue, *, key: Key = "", as_json: AsJson = False) -> None:
    """Show a schedule, with its next occurrences."""
    with open_boss(context) as boss:
        schedule = boss.get_schedule(queue, key)
    if schedule is None:
        raise _missing(queue, key)
    if as_json:
        print_json(_for_programs(schedule))
    else:
        print_facts(_facts(schedule))


@commands.command("create")
@connected
def create_schedule(
    context: typer.Context,
    queue: Queue,
    expression: Expression,
    data: Annotated[str, typer.Argument(metavar="[JSON]", help="The jobs' data; - reads it from stdin.")] = "null",
    *,
    key: Key = "",
    tz: TimeZone = None,
    missed: Annotated[
        str | None,
        typer.Option(
            metavar="WHAT", help="What to do about occurrences that nobody was there to see: skip (usual) or once."
        ),
    ] = None,
    priority: Annotated[int | None, typer.Option(metavar="N", help="Higher ones are worked first; 0 is usual.")] = None,
    singleton_key: Annotated[
        str | None, typer.Option(metavar="KEY", help="The key that the queue's policy goes by.")
    ] = None,
    retry_limit: RetryLimit = None,
    retry_delay: RetryDelay = None,
    retry_backoff: RetryBackoff = None,
    expire_in_seconds: ExpireInSeconds = None,
    retention_seconds: RetentionSeconds = None,
    dead_letter: DeadLetter = None,
) -> None:
    """Let a queue get a job again and again; the schedule with this queue and key is replaced."""
    payload = read_json_or_stdin(data)
    options: dict[str, Any] = given(
        priority=priority,
        singleton_key=singleton_key,
        retry_limit=retry_limit,
        retry_delay=retry_delay,
        retry_backoff=retry_backoff,
        expire_in_seconds=expire_in_seconds,
        retention_seconds=retention_seconds,
        dead_letter=dead_letter,
        missed=missed,
    )
    with open_boss(context) as boss:
        boss.schedule(queue, expression, payload, key=key, tz=tz, **options)
        schedule = boss.get_schedule(queue, key)
    upcoming = "" if schedule is None else _next_of(schedule)
    typer.echo(f"Scheduled {_named(queue, key)}; next at {upcoming}.")


@commands.command("delete")
@connected
def delete_schedule(
    context: typer.Context,
    queue: Queue,
    *,
    key: Key = "",
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.", show_default=False)] = False,
) -> None:
    """Delete a schedule; jobs that it has made stay."""
    with open_boss(context) as boss:
        schedule = boss.get_schedule(queue, key)
        if schedule is None:
            raise _missing(queue, key)
        if not yes:
            ask(f"Delete the schedule {schedule.expression!r} of {_named(queue, key)}?")
        boss.unschedule(queue, key)
    typer.echo(f"Deleted the schedule of {_named(queue, key)}.")


@commands.command("preview")
@unconnected
def preview(
    expression: Expression,
    *,
    tz: TimeZone = None,
    after: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Only later than this time (ISO; UTC if no zone); now if not given."),
    ] = None,
    count: Annotated[int, typer.Option(metavar="N", help="How many.")] = 5,
    as_json: AsJson = False,
) -> None:
    """List the next occurrences of an expression, in its time zone; no database is needed."""
    occurrences = _upcoming(expression, tz, _read_time(after), count)
    if as_json:
        print_json(occurrences)
    elif occurrences:
        for occurrence in occurrences:
            typer.echo(_local(occurrence, tz))
    else:
        remark("It has no occurrence left.")


def _upcoming(expression: str, tz: str | None, after: datetime, count: int) -> list[datetime]:
    from pgboss.client.scheduling import PREVIEW_SECONDS
    from pgboss.operations.schedules import upcoming
    from pgboss.runtime.budget import budget

    return upcoming(expression, tz, after, count, budget(PREVIEW_SECONDS))


def _read_time(text: str | None) -> datetime:
    if text is None:
        return datetime.now(UTC)
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise ValidationError(f"--after must be a time such as 2026-03-29T02:30, not {text!r}.") from None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _next_occurrences(schedule: ScheduleDetails, count: int) -> list[datetime] | None:
    """The next ones; ``None`` when the schedule cannot be evaluated."""
    try:
        return _upcoming(schedule.expression, schedule.timezone, datetime.now(UTC), count)
    except ValidationError:
        return None


def _next_of(schedule: ScheduleDetails) -> str:
    found = _next_occurrences(schedule, 1)
    if found is None:
        return "?"
    return _local(found[0], schedule.timezone) if found else "never"


def _local(occurrence: datetime, tz: str | None) -> str:
    """A time as clocks in the schedule's zone show it."""
    from datetime import timedelta, timezone

    from pgboss.core.zones import zone_named

    offset = zone_named(tz or "UTC").offset_at(int(occurrence.timestamp()))
    return occurrence.astimezone(timezone(timedelta(seconds=offset))).isoformat(sep=" ", timespec="seconds")


def _for_programs(schedule: ScheduleDetails) -> dict[str, object]:
    return members(schedule) | {"next": _next_occurrences(schedule, SHOWN_NEXT)}


def _print_schedules(schedules: list[ScheduleDetails]) -> None:
    some_keys = any(schedule.key for schedule in schedules)
    columns: list[Column[ScheduleDetails]] = [
        Column("QUEUE", lambda schedule: schedule.name),
        *([Column("KEY", _key)] if some_keys else []),
        Column("EXPRESSION", lambda schedule: schedule.expression, shrinks=True),
        Column("ZONE", lambda schedule: schedule.timezone or ""),
        Column("MISSED", lambda schedule: schedule.missed),
        Column("NEXT", _next_of),
    ]
    print_table(columns, schedules)


def _key(schedule: ScheduleDetails) -> str:
    return schedule.key


def _facts(schedule: ScheduleDetails) -> Iterator[tuple[str, str]]:
    yield "Queue", schedule.name
    if schedule.key:
        yield "Key", schedule.key
    yield "Expression", schedule.expression
    yield "Kind", schedule.kind
    yield "Time zone", schedule.timezone or "none, so UTC"
    yield "Missed", schedule.missed
    yield "Data", one_line(schedule.data) or "none"
    yield "Options", one_line(schedule.options or {})
    found = _next_occurrences(schedule, SHOWN_NEXT)
    if found is None:
        yield "Next", "it cannot be evaluated: see `pgboss schedules preview`"
    else:
        yield "Next", "\n".join(_local(occurrence, schedule.timezone) for occurrence in found) or "never"
    yield "Last job", "none yet" if schedule.last_job_id is None else str(schedule.last_job_id)
    yield "Created", moment(schedule.created_on)
    yield "Changed", moment(schedule.updated_on)


def _named(queue: str, key: str) -> str:
    return f"queue {queue}, key {key}" if key else f"queue {queue}"


def _missing(queue: str, key: str) -> CommandError:
    return CommandError(f"There is no schedule of {_named(queue, key)}. See `pgboss schedules list`.")
