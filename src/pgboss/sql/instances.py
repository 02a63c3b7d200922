"""The table of instances: docs/compatibility.md, "The table of instances"."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from pgboss.core.instance import QUIET_BEATS, InstanceReport, instance_columns
from pgboss.core.names import SchemaName
from pgboss.core.query import Parameter, Query

RETENTION_DAYS = 7
DEAD_KEPT = 1000
DEAD_KEPT_A_NAME = 20

_COLUMNS = """id, name, host, pid, version, node_version, heartbeat_seconds, supervise, schedule, migrate,
               persist_queue_stats, persist_warnings, pool_max, pool_total, pool_idle, pool_waiting,
               workers, metrics, config, application_name, started_on, heartbeat_on"""
_VALUES = """$1::uuid, $2::text, $3::text, $4::int, $5::text, $6::text, $7::int, $8::bool, $9::bool, $10::bool,
               $11::bool, $12::bool, $13::int, $14::int, $15::int, $16::int,
               $17::text::jsonb, $18::text::jsonb, $19::text::jsonb, current_setting('application_name')"""
_BEAT = """pool_max = EXCLUDED.pool_max, pool_total = EXCLUDED.pool_total,
               pool_idle = EXCLUDED.pool_idle, pool_waiting = EXCLUDED.pool_waiting,
               workers = EXCLUDED.workers, metrics = EXCLUDED.metrics, heartbeat_on = EXCLUDED.heartbeat_on"""


def register(schema: SchemaName, report: InstanceReport) -> Query:
    """Write the row of an instance that starts, anew if it was there; returns when it started."""
    return Query(
        f"""
        INSERT INTO {schema.table("instance")} AS i ({_COLUMNS})
        VALUES ({_VALUES}, {schema.now}, {schema.now})
        ON CONFLICT (id) DO UPDATE
           SET name = EXCLUDED.name, host = EXCLUDED.host, pid = EXCLUDED.pid,
               version = EXCLUDED.version, node_version = EXCLUDED.node_version,
               heartbeat_seconds = EXCLUDED.heartbeat_seconds, supervise = EXCLUDED.supervise,
               schedule = EXCLUDED.schedule, migrate = EXCLUDED.migrate,
               persist_queue_stats = EXCLUDED.persist_queue_stats, persist_warnings = EXCLUDED.persist_warnings,
               application_name = EXCLUDED.application_name, config = EXCLUDED.config,
               started_on = EXCLUDED.started_on, stopped_on = NULL,
               crash_restarts = 0, crash_restarts_since = NULL,
               {_BEAT}
        RETURNING i.started_on
        """,
        _parameters(report),
    )


def beat(schema: SchemaName, report: InstanceReport, started_on: datetime) -> Query:
    """Write what changes; a row that was pruned meanwhile comes back as it was registered."""
    return Query(
        f"""
        INSERT INTO {schema.table("instance")} ({_COLUMNS})
        VALUES ({_VALUES}, $20::timestamptz, {schema.now})
        ON CONFLICT (id) DO UPDATE
           SET {_BEAT}
        """,
        (*_parameters(report), started_on),
    )


def stop(schema: SchemaName, id: UUID) -> Query:
    """Say that an instance was stopped and did not crash."""
    return Query(
        f"UPDATE {schema.table('instance')} SET stopped_on = {schema.now} WHERE id = $1::uuid",
        (id,),
    )


def count_crashes(schema: SchemaName, id: UUID, process_age_seconds: float) -> Query:
    """Count the lives right before this one that ended without a stop, for this instance and for those lives.

    They are counted on from the earliest that is still there, whose own count stands for those that were pruned.
    """
    return Query(
        f"""
        WITH {_lives_before(schema)},
        crashed AS (
            SELECT id,
                   row_number() OVER earliest AS nth,
                   count(*) OVER () AS crashes,
                   first_value(crash_restarts) OVER earliest AS base,
                   COALESCE(first_value(crash_restarts_since) OVER earliest,
                            first_value(heartbeat_on) OVER earliest) AS since
              FROM unstopped
             WHERE is_dead
            WINDOW earliest AS (ORDER BY started_on, id)
        ), counted AS (
            SELECT id, base + nth - 1 AS restarts, since
              FROM crashed
             WHERE nth > 1
             UNION ALL
            SELECT me.id, COALESCE(c.base + c.crashes, 0), c.since
              FROM me LEFT JOIN crashed c ON c.nth = 1
        )
        UPDATE {schema.table("instance")} i
           SET crash_restarts = counted.restarts::int, crash_restarts_since = counted.since
          FROM counted
         WHERE i.id = counted.id
        """,
        (id, process_age_seconds),
    )


def seconds_until_judged(schema: SchemaName, id: UUID, process_age_seconds: float) -> Query:
    """How long until the last of the lives before, of which nobody knows yet, has gone quiet; null if there is none."""
    return Query(
        f"""
        WITH {_lives_before(schema)}
        SELECT extract(epoch FROM max(heartbeat_on + heartbeat_seconds * {QUIET_BEATS} * interval '1 second')
                       - {schema.now})::float8
          FROM unstopped
         WHERE NOT is_dead
        """,
        (id, process_age_seconds),
    )


def _lives_before(schema: SchemaName) -> str:
    """Instances of the same name and host that ended before this one began, back to the last that was stopped.

    One with our pid that last wrote before our process began is gone, whatever the time; one with our pid that began
    later is another object in this process.
    """
    process_began = f"({schema.now} - $2::float8 * interval '1 second')"
    return f"""me AS (
            SELECT id, name, host, pid, started_on FROM {schema.table("instance")} WHERE id = $1::uuid
        ), before AS (
            SELECT i.*,
                   {_quiet(schema, "i")} OR (i.pid = me.pid AND i.heartbeat_on < {process_began}) AS is_dead
              FROM me
              JOIN {schema.table("instance")} i
                ON i.id <> me.id AND i.host = me.host AND i.name IS NOT DISTINCT FROM me.name
               AND i.started_on < me.started_on AND i.heartbeat_on <= me.started_on
             WHERE NOT (i.pid = me.pid AND i.started_on >= {process_began})
        ), unstopped AS (
            SELECT b.*
              FROM before b
             WHERE b.stopped_on IS NULL
               AND b.started_on > COALESCE(
                       (SELECT max(started_on) FROM before WHERE stopped_on IS NOT NULL), '-infinity')
        )"""


def prune_lives(schema: SchemaName, id: UUID) -> Query:
    """Delete the dead of this one's name, or of its host where it has none, beyond the newest twenty."""
    return _prune_dead(
        schema,
        f"""EXISTS (
                    SELECT FROM {schema.table("instance")} me
                     WHERE me.id = $1::uuid AND i.id <> me.id
                       AND CASE WHEN me.name IS NULL THEN i.name IS NULL AND i.host = me.host
                                ELSE i.name = me.name END)""",
        DEAD_KEPT_A_NAME,
        (id,),
    )


def prune_dead(schema: SchemaName) -> Query:
    """Delete the dead beyond the newest thousand."""
    return _prune_dead(schema, "true", DEAD_KEPT, ())


def _prune_dead(schema: SchemaName, condition: str, kept: int, parameters: tuple[Parameter, ...]) -> Query:
    # Locked rows are being pruned by somebody else.
    return Query(
        f"""
        DELETE FROM {schema.table("instance")}
         WHERE id IN (
            SELECT l.id
              FROM {schema.table("instance")} l
             WHERE l.id IN (
                SELECT i.id
                  FROM {schema.table("instance")} i
                 WHERE {_dead(schema, "i")} AND {condition}
                 ORDER BY i.started_on DESC, i.id DESC
                OFFSET {kept})
               FOR UPDATE SKIP LOCKED)
        """,
        parameters,
    )


def prune_old(schema: SchemaName) -> Query:
    """Delete those that have not been heard of for a week."""
    return Query(
        f"""
        DELETE FROM {schema.table("instance")}
         WHERE heartbeat_on < {schema.now} - interval '{RETENTION_DAYS} days'
        """
    )


def instances(schema: SchemaName, after: UUID | None, limit: int) -> Query:
    """Instances in the order in which they started, behind the one with this id."""
    live = f"NOT {_dead(schema, 'i')}"
    behind = f"""
         WHERE (i.started_on, i.id) > (
               (SELECT started_on FROM {schema.table("instance")} WHERE id = $2::uuid), $2::uuid)"""
    return Query(
        f"""
        SELECT {instance_columns("i", live)}
          FROM {schema.table("instance")} i{behind if after is not None else ""}
         ORDER BY i.started_on, i.id
         LIMIT $1::int
        """,
        (limit,) if after is None else (limit, after),
    )


def exists(schema: SchemaName, id: UUID) -> Query:
    return Query(f"SELECT 1 FROM {schema.table('instance')} WHERE id = $1::uuid", (id,))


def _quiet(schema: SchemaName, alias: str) -> str:
    return f"{alias}.heartbeat_on < {schema.now} - {alias}.heartbeat_seconds * {QUIET_BEATS} * interval '1 second'"


def _dead(schema: SchemaName, alias: str) -> str:
    return f"({alias}.stopped_on IS NOT NULL OR {_quiet(schema, alias)})"


def _parameters(report: InstanceReport) -> tuple[Parameter, ...]:
    pool = report.pool
    return (
        report.id,
        report.name,
        report.host,
        report.pid,
        report.version,
        report.node_version,
        report.heartbeat_seconds,
        report.supervise,
        report.schedule,
        report.migrate,
        report.persist_queue_stats,
        report.persist_warnings,
        *((None,) * 4 if pool is None else (pool.max, pool.total, pool.idle, pool.waiting)),
        report.workers,
        report.metrics,
        report.config,
    )
