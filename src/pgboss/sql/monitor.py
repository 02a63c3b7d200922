"""Statements of the monitor: claiming queues, counting what they hold, and holding off for vacuum's sake.

Counting must cost what a queue has in flight and what went through it lately, not what it keeps: every figure has an
index that holds little else, and is read queue by queue, so that the planner sees one name and one range at a time.
The figures of finished jobs are not counted anew but carried on from a watermark. docs/compatibility.md, "Statistics".
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from pgboss.core.latency import LATENCY_SLOTS, LOWEST_SECONDS
from pgboss.core.names import SchemaName
from pgboss.core.query import Query
from pgboss.sql.transactions import PINNED_SECONDS
from pgboss.sql.trueup import recounted
from pgboss.sql.walk import RETAINED

__all__ = ["COUNTING_LAG", "READY_SAMPLES", "back_off", "claim", "count", "hand_back", "recount_one"]

READY_SAMPLES = 60
COUNTING_LAG = "interval '10 seconds'"
"""How far windows end before now: whoever stamps a job with the beginning of his transaction has so long to commit.

It is fixed, and Node's: all instances go on from one another's windows.
"""

# The predicate of index 14, literally, or the planner would not see that it holds all of them.
LIVE = "state IN ('created', 'retry', 'active', 'failed')"
EMPTY_BINS = f"array_fill(NULL::int, ARRAY[{LATENCY_SLOTS}])"

# A pass may hold back vacuum for a tenth of the time between vacuums before it makes room.
PINNED_SHARE = 0.1
BACKOFF_BY_DURATION_SECONDS = 600
LONGEST_BACKOFF_SECONDS = 3600


def claim(schema: SchemaName, names: Sequence[str], interval_seconds: float) -> Query:
    """Claim the counting of the queues among these whose turn it is, unless others hold their rows.

    ``may_count`` is false while counting is held off for vacuum's sake, for all of them alike.
    """
    queue, now = schema.table("queue"), schema.now
    # Never FOR UPDATE: it would block the foreign keys of jobs being inserted.
    return Query(
        f"""
        WITH due AS (
            SELECT name
              FROM {queue}
             WHERE name = ANY($1::text[])
               AND extract(epoch FROM {now} - COALESCE(monitor_claim_on, monitor_on, {now} - interval '1 week'))
                   >= $2::float8
             ORDER BY name
               FOR NO KEY UPDATE SKIP LOCKED
        )
        UPDATE {queue} q
           SET monitor_claim_on = {now}
          FROM due
         WHERE q.name = due.name
        RETURNING q.name, q.monitor_claim_on AS claimed_on,
                  NOT EXISTS (SELECT FROM {schema.table("version")} WHERE monitor_backoff_on > {now}) AS may_count
        """,
        (list(names), interval_seconds),
    )


def hand_back(schema: SchemaName, names: Sequence[str]) -> Query:
    """Make claimed queues due again: from ``monitor_on``, which is when they were counted last."""
    queue = schema.table("queue")
    return Query(
        f"""
        UPDATE {queue} q
           SET monitor_claim_on = NULL
          FROM (SELECT name FROM {queue} WHERE name = ANY($1::text[]) ORDER BY name FOR NO KEY UPDATE) held
         WHERE q.name = held.name
        """,
        (list(names),),
    )


def count(schema: SchemaName, table_name: str, names: Sequence[str], gap_seconds: float | None) -> Query:
    """Count queues of one table and write the figures to their rows.

    With ``gap_seconds`` throughput is counted, too, from where the last pass ended; a gap longer than that is not made
    up for. ``pin_seconds`` is for how long the statement has held back vacuum.
    """
    queue = schema.table("queue")
    throughput = gap_seconds is not None
    late = "COALESCE(f.recount > f.settled, false)" if throughput else "false"
    # The count over the figures has them all read before the first row is locked.
    return Query(
        f"""
        WITH {_figures(schema, table_name, throughput=throughput)}
        UPDATE {queue} q
           SET {_counts(schema)},
               {_throughput(schema) if throughput else ""}
               ready_history = (array_prepend(f.ready_count, q.ready_history))[:{READY_SAMPLES}]
          FROM (SELECT name
                  FROM {queue}
                 WHERE name = ANY($1::text[]) AND (SELECT count(*) FROM figures) >= 0
                 ORDER BY name
                   FOR NO KEY UPDATE) held
          JOIN figures f ON f.name = held.name
         WHERE q.name = held.name
        RETURNING q.name, q.queued_count, q.warning_queued, {late} AS is_late,
                  {PINNED_SECONDS} AS pin_seconds
        """,
        (list(names), gap_seconds) if throughput else (list(names),),
    )


def recount_one(schema: SchemaName, table_name: str, name: str) -> Query:
    """Count one queue for somebody who asks, and write the figures to its row; throughput is the monitor's alone."""
    return Query(
        f"""
        WITH {_figures(schema, table_name, throughput=False)}
        UPDATE {schema.table("queue")} q
           SET {_counts(schema)}
          FROM figures f
         WHERE q.name = f.name
        RETURNING q.name, q.deferred_count, q.queued_count, q.ready_count, q.active_count, q.failed_count,
                  q.total_count, q.monitor_on AS captured_on
        """,
        ([name],),
    )


def back_off(schema: SchemaName, pinned_seconds: float) -> Query:
    """Have nobody count for a while, if counting held back vacuum for too long; then returns one row.

    Autovacuum looks around once every ``autovacuum_naptime``, and decides at that moment what it may remove. Two such
    times without a long snapshot, and as long a time as the counting took, leave it room.
    """
    now = schema.now
    return Query(
        f"""
        WITH server AS (
            SELECT extract(epoch FROM current_setting('autovacuum_naptime')::interval)::float8 AS naptime_seconds
        )
        UPDATE {schema.table("version")} v
           SET monitor_backoff_on = GREATEST(
                   v.monitor_backoff_on,
                   {now} + make_interval(secs => LEAST(
                       GREATEST(2 * s.naptime_seconds, LEAST($1::float8, {BACKOFF_BY_DURATION_SECONDS})),
                       {LONGEST_BACKOFF_SECONDS})))
          FROM server s
         WHERE $1::float8 > {PINNED_SHARE} * s.naptime_seconds
        RETURNING s.naptime_seconds, v.monitor_backoff_on AS backoff_until,
                  extract(epoch FROM v.monitor_backoff_on - {now})::float8 AS backoff_seconds
        """,
        (pinned_seconds,),
    )


def _figures(schema: SchemaName, table_name: str, *, throughput: bool) -> str:
    """A row of figures a queue, as a CTE: $1 the queues; with throughput, $2 the longest gap in seconds."""
    job, now = schema.table(table_name), schema.now
    window_end = f"({now} - {COUNTING_LAG})"
    parts = [_live(job, now), _retained(job, now, window_end), _singletons(job)]
    columns = ["live.*", "retained.*", "singletons.*"]
    if throughput:
        parts += [_window(window_end), _created(job), _finished(job), _oldest(job, now), recounted(schema, table_name)]
        columns += ["created.*", "finished.*", "oldest.*", "recounted.*"]
    laterals = "".join(f"\n              CROSS JOIN LATERAL ({part}) {name}" for name, part in parts)
    return f"""figures AS MATERIALIZED (
            SELECT q.name, {", ".join(columns)}
              FROM {schema.table("queue")} q{laterals}
             WHERE q.name = ANY($1::text[])
        )"""


def _live(job: str, now: str) -> tuple[str, str]:
    # Every queued job is exactly one of blocked, deferred and ready.
    waiting = "j.state < 'active'"
    return (
        "live",
        f"""
                SELECT count(*)::int AS live_count,
                       (count(*) FILTER (WHERE {waiting}))::int AS queued_count,
                       (count(*) FILTER (WHERE {waiting} AND j.blocked))::int AS blocked_count,
                       (count(*) FILTER (WHERE {waiting} AND NOT j.blocked AND j.start_after > {now}))::int
                           AS deferred_count,
                       (count(*) FILTER (WHERE {waiting} AND NOT j.blocked AND j.start_after <= {now}))::int
                           AS ready_count,
                       (count(*) FILTER (WHERE j.state = 'active'))::int AS active_count,
                       (count(*) FILTER (WHERE j.state = 'failed'))::int AS failed_count
                  FROM {job} j
                 WHERE j.name = q.name AND j.{LIVE}""",
    )


def _retained(job: str, now: str, window_end: str) -> tuple[str, str]:
    """What finished since the watermark: up to the window's end, to be kept; and since then, to be counted again."""

    def finished(after: str, until: str) -> str:
        return f"""(SELECT count(*)::int
                          FROM {job} j
                         WHERE j.name = q.name AND j.completed_on > {after} AND j.completed_on <= {until}
                           AND j.{RETAINED})"""

    return (
        "retained",
        f"""
                SELECT q.retained_on AS retained_from,
                       {finished("q.retained_on", window_end)} AS newly_retained,
                       {finished(f"GREATEST(q.retained_on, {window_end})", now)} AS just_finished""",
    )


def _singletons(job: str) -> tuple[str, str]:
    return (
        "singletons",
        f"""
                SELECT array_agg(j.singleton_key) AS singletons_active
                  FROM {job} j
                 WHERE j.name = q.name AND j.state = 'active' AND j.policy IN ('singleton', 'stately')""",
    )


def _window(window_end: str) -> tuple[str, str]:
    # Without a beginning, for a queue never counted or not for long, nothing is counted.
    return (
        "span",
        f"""
                SELECT CASE WHEN q.delta_on > {window_end} - $2::float8 * interval '1 second' THEN q.delta_on END
                           AS window_start,
                       {window_end} AS window_end""",
    )


def _created(job: str) -> tuple[str, str]:
    return (
        "created",
        f"""
                SELECT count(*)::int AS created_delta
                  FROM {job} j
                 WHERE j.name = q.name AND j.created_on >= span.window_start AND j.created_on < span.window_end""",
    )


def _finished(job: str) -> tuple[str, str]:
    """How many jobs ended in the window, and the histograms of their times, from one look at them."""
    waited = "date_part('epoch', j.started_on - GREATEST(j.created_on, j.start_after))"
    ran = "date_part('epoch', j.completed_on - j.started_on)"
    return (
        "finished",
        f"""
                WITH ended AS MATERIALIZED (
                    SELECT j.state, {_slot(waited)} AS wait_slot, {_slot(ran)} AS run_slot, count(*)::int AS jobs
                      FROM {job} j
                     WHERE j.name = q.name AND j.completed_on >= span.window_start
                       AND j.completed_on < span.window_end AND j.state IN ('completed', 'failed')
                     GROUP BY 1, 2, 3
                )
                SELECT COALESCE(sum(jobs) FILTER (WHERE state = 'completed'), 0)::int AS completed_delta,
                       COALESCE(sum(jobs) FILTER (WHERE state = 'failed'), 0)::int AS failed_delta,
                       {_histogram("wait_slot")} AS wait_bins,
                       {_histogram("run_slot")} AS run_bins
                  FROM ended""",
    )


def _slot(seconds: str) -> str:
    """The slot of a time; NULL for a job that never started."""
    exponent = f"(ln(GREATEST({seconds}, 0.001::float8)) - ({math.log(LOWEST_SECONDS)!r})::float8)"
    step = f"{math.log(2) / 2!r}::float8"
    return (
        f"CASE WHEN j.started_on IS NOT NULL "
        f"THEN LEAST(GREATEST(floor({exponent} / {step})::int + 1, 0), {LATENCY_SLOTS - 1}) END"
    )


def _histogram(slot: str) -> str:
    # An empty slot stays NULL, which takes a bit where zero would take four bytes.
    return f"""(SELECT array_agg(b.jobs ORDER BY s.slot)
                          FROM generate_series(0, {LATENCY_SLOTS - 1}) s(slot)
                          LEFT JOIN (SELECT {slot} AS slot, sum(jobs)::int AS jobs FROM ended GROUP BY 1) b
                            ON b.slot = s.slot)"""


def _oldest(job: str, now: str) -> tuple[str, str]:
    return (
        "oldest",
        f"""
                SELECT round(extract(epoch FROM {now} - min(GREATEST(j.created_on, j.start_after))))::int
                           AS ready_oldest_seconds
                  FROM {job} j
                 WHERE j.name = q.name AND j.state < 'active' AND NOT j.blocked AND j.start_after <= {now}""",
    )


def _counts(schema: SchemaName) -> str:
    """The assignments of the counts. What finished is added only to the watermark from which it was counted."""
    window_end = f"({schema.now} - {COUNTING_LAG})"
    same = "q.retained_on IS NOT DISTINCT FROM f.retained_from"
    return f"""deferred_count = f.deferred_count, blocked_count = f.blocked_count, queued_count = f.queued_count,
               ready_count = f.ready_count, active_count = f.active_count, failed_count = f.failed_count,
               retained_count = CASE WHEN {same} THEN q.retained_count + f.newly_retained ELSE q.retained_count END,
               retained_on = CASE WHEN {same} AND q.retained_on IS NOT NULL THEN GREATEST(q.retained_on, {window_end})
                                  ELSE q.retained_on END,
               total_count = CASE
                   WHEN q.retained_count IS NULL THEN GREATEST(q.total_count, f.live_count)
                   WHEN {same} THEN f.live_count + q.retained_count + f.newly_retained + f.just_finished
                   ELSE q.total_count END,
               singletons_active = f.singletons_active,
               monitor_on = {schema.now}"""


def _throughput(schema: SchemaName) -> str:
    """The assignments of a pass that counts throughput; its window goes on from the one before, and never back."""
    window_end = f"({schema.now} - {COUNTING_LAG})"
    start = f"CASE WHEN q.delta_on > {window_end} - $2::float8 * interval '1 second' THEN q.delta_on END"
    seconds = f"round(extract(epoch FROM {window_end} - ({start})))::int"
    return f"""created_delta = f.created_delta, completed_delta = f.completed_delta, failed_delta = f.failed_delta,
               delta_seconds = CASE WHEN {seconds} < 0 THEN 0 ELSE {seconds} END,
               delta_on = GREATEST(q.delta_on, {window_end}),
               wait_bins = COALESCE(f.wait_bins, {EMPTY_BINS}), run_bins = COALESCE(f.run_bins, {EMPTY_BINS}),
               ready_oldest_seconds = COALESCE(f.ready_oldest_seconds, 0),"""
