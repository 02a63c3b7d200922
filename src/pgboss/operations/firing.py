"""Firing schedules: a pass that finds what is due, and the delivery of what it found.

Both are made so that an instance may die anywhere. A pass takes its turn and files its occurrences in one statement; a
delivery claims, sends and completes in one transaction. So nothing is ever taken and not done, or done twice.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from pgboss.core.due import Due, ScheduleRow
from pgboss.core.job import Job
from pgboss.core.names import SEND_IT_QUEUE, SchemaName, check_queue_name
from pgboss.core.options import FetchOptions
from pgboss.core.query import Steps, atomic
from pgboss.core.queue import QueueCatalog
from pgboss.core.schedule import send_options_of, slot_of
from pgboss.errors import DatabaseUnavailableError, PgBossError, ValidationError
from pgboss.operations.fetch import fetch
from pgboss.operations.queues import queue_not_found
from pgboss.operations.send import create, incoming
from pgboss.operations.work import complete_each
from pgboss.sql import schedules as sql

__all__ = ["BATCH", "Delivered", "Turn", "deliver", "fire", "look", "relabel", "time"]

BATCH = 50
# What was accepted as the data of a schedule is not judged again.
ANY_SIZE = 2**62


@dataclass(frozen=True, slots=True)
class Turn:
    """What there is to know before a pass; times of the database in milliseconds.

    Attributes:
        cron_on: when the last pass was, as it is stored.
        elapsed: how long that is ago, in seconds.
    """

    cron_on: datetime | None
    elapsed: float | None
    last_pass: int | None
    now: int


@dataclass(slots=True)
class Delivered:
    """What a delivery did.

    Attributes:
        taken: how many occurrences it took.
        failures: what could not be sent, by queue, and why.
    """

    taken: int = 0
    failures: list[tuple[str | None, Exception]] = field(default_factory=list)


def time(schema: SchemaName) -> Steps[int]:
    """The database's time, in milliseconds since 1970."""
    return int((yield sql.time(schema)).scalar())


def look(schema: SchemaName, interval_seconds: float) -> Steps[tuple[Turn, list[ScheduleRow]]]:
    """Read when the last pass was and, when it is time for another, all schedules."""
    row = (yield sql.due_again(schema)).first() or {}
    turn = Turn(row["cron_on"], row["elapsed"], row["last_pass"], row["now"])
    if turn.elapsed is not None and turn.elapsed < interval_seconds:
        return turn, []
    return turn, [ScheduleRow(*values) for values in (yield sql.rows(schema)).values]


def fire(schema: SchemaName, interval_seconds: float, turn: Turn, due: Due) -> Steps[int | None]:
    """Take the turn and file what is due; returns how many are new, ``None`` when another instance has the turn.

    Raises:
        QueueNotFoundError: the queue for deliveries was deleted.
    """
    row = (yield sql.fire(schema, interval_seconds, turn.cron_on, due.occurrences)).first() or {}
    if not row["queues"]:
        raise queue_not_found(SEND_IT_QUEUE)
    return int(row["created"]) if row["claimed"] else None


def relabel(schema: SchemaName, due: Due) -> Steps[None]:
    """Let rows say what their expression is written in."""
    if due.relabelled:
        yield sql.set_kinds(schema, due.relabelled)


@atomic
def deliver(catalog: QueueCatalog) -> Steps[Delivered]:
    """Send the jobs of a batch of occurrences, note them in their schedules, and complete the occurrences.

    One that cannot be sent is completed as well: there is nothing that another attempt would change.
    """
    jobs = yield from fetch(catalog, SEND_IT_QUEUE, FetchOptions(batch_size=BATCH))
    delivered = Delivered(len(jobs))
    if not jobs:
        return delivered
    fired: dict[tuple[str, str], tuple[str, UUID]] = {}
    # In one order on all instances, so that two of them cannot wait for one another.
    for job in sorted(jobs, key=_order):
        data = job.data if isinstance(job.data, dict) else {}
        name, key = data.get("name"), data.get("key")
        try:
            id = yield from _send(catalog.schema, data)
        except DatabaseUnavailableError:
            raise
        except PgBossError as error:
            delivered.failures.append((name if isinstance(name, str) else None, error))
            continue
        if id is not None and isinstance(name, str) and isinstance(key, str):
            slot = str(data.get("slot") or slot_of(int(job.created_on.timestamp() * 1000)))
            if fired.get((name, key), ("", id))[0] <= slot:
                fired[name, key] = slot, id
    if fired:
        yield sql.set_last_jobs(catalog.schema, [(name, key, id) for (name, key), (_, id) in sorted(fired.items())])
    yield from complete_each(catalog, SEND_IT_QUEUE, jobs, [None] * len(jobs))
    return delivered


def _order(job: Job) -> str:
    return f"{job.singleton_key} {job.data.get('slot') if isinstance(job.data, dict) else ''}"


def _send(schema: SchemaName, data: dict[str, Any]) -> Steps[UUID | None]:
    """Create the job of an occurrence; ``None`` when its slot in the queue's policy is taken."""
    name = data.get("name")
    if not isinstance(name, str):
        raise ValidationError(f"An occurrence in {SEND_IT_QUEUE} names no queue: {data!r:.200}.")
    options = send_options_of(data.get("options"))
    payload = incoming(data.get("data"), options, past_is_now=True)
    # Guarded, because what fails must not take the whole batch with it.
    next_slot = options.singleton_next_slot is True
    return (yield from create(schema, check_queue_name(name), payload, ANY_SIZE, next_slot=next_slot))
