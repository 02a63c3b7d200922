"""``pgboss send``: one job from a shell."""

from __future__ import annotations

import math
from typing import Annotated

import typer

from pgboss.cli.connection import open_boss
from pgboss.cli.exits import CommandError
from pgboss.cli.options import (
    DeadLetter,
    DeleteAfterSeconds,
    ExpireInSeconds,
    HeartbeatSeconds,
    RetentionSeconds,
    RetryBackoff,
    RetryDelay,
    RetryDelayMax,
    RetryLimit,
    given,
    read_id,
    read_json_or_stdin,
)

__all__ = ["send"]


def send(
    context: typer.Context,
    queue: Annotated[str, typer.Argument(help="The queue.", show_default=False)],
    data: Annotated[str, typer.Argument(metavar="[JSON]", help="The job's data; - reads it from stdin.")] = "null",
    *,
    priority: Annotated[int | None, typer.Option(metavar="N", help="Higher ones are worked first; 0 is usual.")] = None,
    start_after: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="Not before: seconds from now, an interval ('5 minutes'), or a time (ISO; UTC if no zone).",
        ),
    ] = None,
    singleton_key: Annotated[
        str | None, typer.Option(metavar="KEY", help="The key that the queue's policy goes by.")
    ] = None,
    singleton_seconds: Annotated[
        int | None, typer.Option(metavar="SECONDS", help="Send at most one job in a slot of so many seconds.")
    ] = None,
    singleton_next_slot: Annotated[
        bool,
        typer.Option(
            "--singleton-next-slot",
            help="If the slot is taken, send it for the next one; needs --singleton-seconds.",
            show_default=False,
        ),
    ] = False,
    id: Annotated[str | None, typer.Option(metavar="UUID", help="The job's id, chosen by you.")] = None,
    group_id: Annotated[str | None, typer.Option(help="The group the job belongs to.")] = None,
    group_tier: Annotated[str | None, typer.Option(help="The tier of its group; needs --group-id.")] = None,
    retry_limit: RetryLimit = None,
    retry_delay: RetryDelay = None,
    retry_backoff: RetryBackoff = None,
    retry_delay_max: RetryDelayMax = None,
    expire_in_seconds: ExpireInSeconds = None,
    retention_seconds: RetentionSeconds = None,
    delete_after_seconds: DeleteAfterSeconds = None,
    heartbeat_seconds: HeartbeatSeconds = None,
    dead_letter: DeadLetter = None,
    create_queue: Annotated[
        bool, typer.Option("--create-queue", help="Create the queue first when it is missing.", show_default=False)
    ] = False,
) -> None:
    """Send a job, and print its id.

    Options that are not given come from the queue.
    """
    payload = read_json_or_stdin(data)
    options = given(
        priority=priority,
        start_after=None if start_after is None else _read_start(start_after),
        singleton_key=singleton_key,
        singleton_seconds=singleton_seconds,
        singleton_next_slot=singleton_next_slot or None,
        id=None if id is None else read_id(id),
        group_id=group_id,
        group_tier=group_tier,
        retry_limit=retry_limit,
        retry_delay=retry_delay,
        retry_backoff=retry_backoff,
        retry_delay_max=retry_delay_max,
        expire_in_seconds=expire_in_seconds,
        retention_seconds=retention_seconds,
        delete_after_seconds=delete_after_seconds,
        heartbeat_seconds=heartbeat_seconds,
        dead_letter=dead_letter,
    )
    with open_boss(context) as boss:
        if create_queue:
            boss.create_queue(queue)
        sent = boss.send(queue, payload, **options)
    if sent is None:
        raise CommandError(f"No job was sent: its id, or its slot in queue {queue!r}, is taken.")
    typer.echo(sent)


def _read_start(text: str) -> float | str:
    """Seconds where it is a number; anything else is left for the database to read."""
    try:
        seconds = float(text)
    except ValueError:
        return text
    return seconds if math.isfinite(seconds) else text
