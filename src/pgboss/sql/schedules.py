"""Statements about schedules: their rows, the turn of a pass, and what is delivered."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from pgboss.core.due import Occurrence, ScheduleRow
from pgboss.core.names import SEND_IT_QUEUE, SchemaName
from pgboss.core.query import Query
from pgboss.core.schedule import schedule_columns
from pgboss.core.wire import dumps

__all__ = ["due_again", "find", "fire", "rows", "schedule", "set_kinds", "set_last_jobs", "time", "unschedule"]


def time(schema: SchemaName) -> Query:
    """The database's time, in milliseconds since 1970."""
    return Query(f"SELECT round(extract(epoch FROM {schema.now}) * 1000)::bigint AS now")


def find(
    schema: SchemaName,
    name: str | None,
    key: str | None,
    *,
    after: tuple[str, str] | None = None,
    limit: int | None = None,
) -> Query:
    """Schedules, in the order of queue and key; ``after`` continues behind that row."""
    conditions = {
        "s.name = ${}::text": (name,) if name is not None else None,
        "s.key = ${}::text": (key,) if key is not None else None,
        "(s.name, s.key) > (${}::text, ${}::text)": after,
    }
    given, parameters = [], list[str | int | None]()
    for condition, values in conditions.items():
        if values is not None:
            positions = range(len(parameters) + 1, len(parameters) + 1 + len(values))
            given.append(condition.format(*positions))
            parameters += values
    where = f"WHERE {' AND '.join(given)}" if given else ""
    return Query(
        f"""
        SELECT {schedule_columns("s")}
          FROM {schema.table("schedule")} s
         {where}
         ORDER BY s.name, s.key
         LIMIT ${len(parameters) + 1}::int
        """,
        (*parameters, limit),
    )


def schedule(
    schema: SchemaName, name: str, key: str, kind: str, expression: str, timezone: str, data: str, options: str
) -> Query:
    """Create a schedule, or change the one that has this queue and key; data and options are JSON."""
    return Query(
        f"""
        INSERT INTO {schema.table("schedule")} AS s
               (name, key, kind, cron, timezone, data, options, created_on, updated_on)
        VALUES ($1::text, $2::text, $3::text, $4::text, $5::text, NULLIF($6::jsonb, 'null'), $7::jsonb,
                {schema.now}, {schema.now})
            ON CONFLICT (name, key) DO UPDATE
           SET kind = EXCLUDED.kind, cron = EXCLUDED.cron, timezone = EXCLUDED.timezone, data = EXCLUDED.data,
               options = EXCLUDED.options, updated_on = {schema.now}
        """,
        (name, key, kind, expression, timezone, data, options),
        guarded=True,
    )


def unschedule(schema: SchemaName, name: str, key: str) -> Query:
    """Delete a schedule; returns its queue's name when there was one."""
    return Query(
        f"DELETE FROM {schema.table('schedule')} WHERE name = $1::text AND key = $2::text RETURNING name", (name, key)
    )


def due_again(schema: SchemaName) -> Query:
    """When the last pass of any instance was, how long ago that is in seconds, and the time now in milliseconds."""
    return Query(
        f"""
        SELECT cron_on, extract(epoch FROM {schema.now} - cron_on)::float8 AS elapsed,
               round(extract(epoch FROM cron_on) * 1000)::bigint AS last_pass,
               round(extract(epoch FROM {schema.now}) * 1000)::bigint AS now
          FROM {schema.table("version")}
        """
    )


def rows(schema: SchemaName) -> Query:
    """What a pass reads of every schedule, in the order of ``ScheduleRow``."""
    return Query(
        f"""
        SELECT name, key, kind, cron, timezone, options ->> 'missed' AS missed,
               floor(extract(epoch FROM created_on) * 1000)::bigint AS created
          FROM {schema.table("schedule")}
         ORDER BY name, key
        """
    )


def fire(
    schema: SchemaName, interval_seconds: float, last_pass: datetime | None, occurrences: Sequence[Occurrence]
) -> Query:
    """Take the turn of a pass and insert what it found, both or neither.

    One statement, so that an instance that dies cannot take a turn and leave its occurrences to nobody. It takes the
    turn only if the last pass is still the one that the findings begin with. What is sent is read from the schedule
    itself, and one that was deleted or changed in between sends nothing.

    Returns one row: ``claimed``, ``queues`` (0 when the queue for deliveries is missing; then nothing was claimed) and
    ``created``.
    """
    now, queue = schema.now, schema.table("queue")
    found = [
        {"name": one.name, "key": one.key, "cron": one.cron, "singleton_key": one.singleton_key, "slot": one.slot}
        for one in occurrences
    ]
    return Query(
        f"""
        WITH queue AS MATERIALIZED (
            SELECT * FROM {queue} WHERE name = '{SEND_IT_QUEUE}'
        ), turn AS (
            UPDATE {schema.table("version")}
               SET cron_on = {now}
             WHERE extract(epoch FROM {now} - COALESCE(cron_on, {now} - interval '1 week')) >= $1::float8
               AND cron_on IS NOT DISTINCT FROM $2::timestamptz
               AND EXISTS (SELECT FROM queue)
            RETURNING true
        ), created AS (
            INSERT INTO {schema.table("job")} (
                id, name, data, priority, start_after, created_on, singleton_key, singleton_on, retry_limit,
                retry_delay, retry_backoff, retry_delay_max, expire_seconds, deletion_seconds, keep_until,
                heartbeat_seconds, dead_letter, policy)
            SELECT gen_random_uuid(), q.name,
                   jsonb_build_object(
                       'name', s.name, 'key', s.key, 'data', s.data, 'options', s.options, 'slot', o.slot),
                   0, {now}, {now}, o.singleton_key, o.slot::timestamp, q.retry_limit,
                   q.retry_delay, q.retry_backoff, q.retry_delay_max, q.expire_seconds, q.deletion_seconds,
                   {now} + q.retention_seconds * interval '1 second',
                   q.heartbeat_seconds, q.dead_letter, q.policy
              FROM json_to_recordset($3::json) AS o(name text, key text, cron text, singleton_key text, slot text)
              JOIN {schema.table("schedule")} s ON s.name = o.name AND s.key = o.key AND s.cron = o.cron
             CROSS JOIN queue q
             WHERE EXISTS (SELECT FROM turn)
                ON CONFLICT DO NOTHING
            RETURNING 1
        )
        SELECT EXISTS (SELECT FROM turn) AS claimed,
               (SELECT count(*) FROM queue)::int AS queues,
               (SELECT count(*) FROM created)::int AS created
        """,
        (interval_seconds, last_pass, dumps(found)),
    )


def set_kinds(schema: SchemaName, kinds: Sequence[tuple[ScheduleRow, str]]) -> Query:
    """Say of schedules what they are written in, unless their expression has been changed."""
    return Query(
        f"""
        UPDATE {schema.table("schedule")} s
           SET kind = k.kind
          FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) AS k(name, key, cron, kind)
         WHERE s.name = k.name AND s.key = k.key AND s.cron = k.cron
        """,
        (
            [row.name for row, _ in kinds],
            [row.key for row, _ in kinds],
            [row.cron for row, _ in kinds],
            [kind for _, kind in kinds],
        ),
    )


def set_last_jobs(schema: SchemaName, last: Sequence[tuple[str, str, UUID]]) -> Query:
    """Note which job each schedule, by queue and key, has made last."""
    return Query(
        f"""
        UPDATE {schema.table("schedule")} s
           SET last_job_id = l.job_id
          FROM unnest($1::text[], $2::text[], $3::uuid[]) AS l(name, key, job_id)
         WHERE s.name = l.name AND s.key = l.key
        """,
        ([name for name, _, _ in last], [key for _, key, _ in last], [id for _, _, id in last]),
    )
