-- back_off
WITH server AS (
    SELECT extract(epoch FROM current_setting('autovacuum_naptime')::interval)::float8 AS naptime_seconds
)
UPDATE "pgboss"."version" v
   SET monitor_backoff_on = GREATEST(
           v.monitor_backoff_on,
           "pgboss".job_now() + make_interval(secs => LEAST(
               GREATEST(2 * s.naptime_seconds, LEAST($1::float8, 600)),
               3600)))
  FROM server s
 WHERE $1::float8 > 0.1 * s.naptime_seconds
RETURNING s.naptime_seconds, v.monitor_backoff_on AS backoff_until,
          extract(epoch FROM v.monitor_backoff_on - "pgboss".job_now())::float8 AS backoff_seconds

-- claim
WITH due AS (
    SELECT name
      FROM "pgboss"."queue"
     WHERE name = ANY($1::text[])
       AND extract(epoch FROM "pgboss".job_now() - COALESCE(monitor_claim_on, monitor_on, "pgboss".job_now() - interval '1 week'))
           >= $2::float8
     ORDER BY name
       FOR NO KEY UPDATE SKIP LOCKED
)
UPDATE "pgboss"."queue" q
   SET monitor_claim_on = "pgboss".job_now()
  FROM due
 WHERE q.name = due.name
RETURNING q.name, q.monitor_claim_on AS claimed_on,
          NOT EXISTS (SELECT FROM "pgboss"."version" WHERE monitor_backoff_on > "pgboss".job_now()) AS may_count

-- count: as little as possible
WITH figures AS MATERIALIZED (
    SELECT q.name, live.*, retained.*, singletons.*
      FROM "pgboss"."queue" q
      CROSS JOIN LATERAL (
        SELECT count(*)::int AS live_count,
               (count(*) FILTER (WHERE j.state < 'active'))::int AS queued_count,
               (count(*) FILTER (WHERE j.state < 'active' AND j.blocked))::int AS blocked_count,
               (count(*) FILTER (WHERE j.state < 'active' AND NOT j.blocked AND j.start_after > "pgboss".job_now()))::int
                   AS deferred_count,
               (count(*) FILTER (WHERE j.state < 'active' AND NOT j.blocked AND j.start_after <= "pgboss".job_now()))::int
                   AS ready_count,
               (count(*) FILTER (WHERE j.state = 'active'))::int AS active_count,
               (count(*) FILTER (WHERE j.state = 'failed'))::int AS failed_count
          FROM "pgboss"."mail" j
         WHERE j.name = q.name AND j.state IN ('created', 'retry', 'active', 'failed')) live
      CROSS JOIN LATERAL (
        SELECT q.retained_on AS retained_from,
               (SELECT count(*)::int
                  FROM "pgboss"."mail" j
                 WHERE j.name = q.name AND j.completed_on > q.retained_on AND j.completed_on <= ("pgboss".job_now() - interval '10 seconds')
                   AND j.state IN ('completed', 'cancelled')) AS newly_retained,
               (SELECT count(*)::int
                  FROM "pgboss"."mail" j
                 WHERE j.name = q.name AND j.completed_on > GREATEST(q.retained_on, ("pgboss".job_now() - interval '10 seconds')) AND j.completed_on <= "pgboss".job_now()
                   AND j.state IN ('completed', 'cancelled')) AS just_finished) retained
      CROSS JOIN LATERAL (
        SELECT array_agg(j.singleton_key) AS singletons_active
          FROM "pgboss"."mail" j
         WHERE j.name = q.name AND j.state = 'active' AND j.policy IN ('singleton', 'stately')) singletons
     WHERE q.name = ANY($1::text[])
)
UPDATE "pgboss"."queue" q
   SET deferred_count = f.deferred_count, blocked_count = f.blocked_count, queued_count = f.queued_count,
       ready_count = f.ready_count, active_count = f.active_count, failed_count = f.failed_count,
       retained_count = CASE WHEN q.retained_on IS NOT DISTINCT FROM f.retained_from THEN q.retained_count + f.newly_retained ELSE q.retained_count END,
       retained_on = CASE WHEN q.retained_on IS NOT DISTINCT FROM f.retained_from AND q.retained_on IS NOT NULL THEN GREATEST(q.retained_on, ("pgboss".job_now() - interval '10 seconds'))
                          ELSE q.retained_on END,
       total_count = CASE
           WHEN q.retained_count IS NULL THEN GREATEST(q.total_count, f.live_count)
           WHEN q.retained_on IS NOT DISTINCT FROM f.retained_from THEN f.live_count + q.retained_count + f.newly_retained + f.just_finished
           ELSE q.total_count END,
       singletons_active = f.singletons_active,
       monitor_on = "pgboss".job_now(),

       ready_history = (array_prepend(f.ready_count, q.ready_history))[:60]
  FROM (SELECT name
          FROM "pgboss"."queue"
         WHERE name = ANY($1::text[]) AND (SELECT count(*) FROM figures) >= 0
         ORDER BY name
           FOR NO KEY UPDATE) held
  JOIN figures f ON f.name = held.name
 WHERE q.name = held.name
RETURNING q.name, q.queued_count, q.warning_queued, false AS is_late,
          extract(epoch FROM clock_timestamp() - statement_timestamp())::float8 AS pin_seconds

-- count: with everything
WITH figures AS MATERIALIZED (
    SELECT q.name, live.*, retained.*, singletons.*, created.*, finished.*, oldest.*, recounted.*
      FROM "pgboss"."queue" q
      CROSS JOIN LATERAL (
        SELECT count(*)::int AS live_count,
               (count(*) FILTER (WHERE j.state < 'active'))::int AS queued_count,
               (count(*) FILTER (WHERE j.state < 'active' AND j.blocked))::int AS blocked_count,
               (count(*) FILTER (WHERE j.state < 'active' AND NOT j.blocked AND j.start_after > "pgboss".job_now()))::int
                   AS deferred_count,
               (count(*) FILTER (WHERE j.state < 'active' AND NOT j.blocked AND j.start_after <= "pgboss".job_now()))::int
                   AS ready_count,
               (count(*) FILTER (WHERE j.state = 'active'))::int AS active_count,
               (count(*) FILTER (WHERE j.state = 'failed'))::int AS failed_count
          FROM "pgboss"."mail" j
         WHERE j.name = q.name AND j.state IN ('created', 'retry', 'active', 'failed')) live
      CROSS JOIN LATERAL (
        SELECT q.retained_on AS retained_from,
               (SELECT count(*)::int
                  FROM "pgboss"."mail" j
                 WHERE j.name = q.name AND j.completed_on > q.retained_on AND j.completed_on <= ("pgboss".job_now() - interval '10 seconds')
                   AND j.state IN ('completed', 'cancelled')) AS newly_retained,
               (SELECT count(*)::int
                  FROM "pgboss"."mail" j
                 WHERE j.name = q.name AND j.completed_on > GREATEST(q.retained_on, ("pgboss".job_now() - interval '10 seconds')) AND j.completed_on <= "pgboss".job_now()
                   AND j.state IN ('completed', 'cancelled')) AS just_finished) retained
      CROSS JOIN LATERAL (
        SELECT array_agg(j.singleton_key) AS singletons_active
          FROM "pgboss"."mail" j
         WHERE j.name = q.name AND j.state = 'active' AND j.policy IN ('singleton', 'stately')) singletons
      CROSS JOIN LATERAL (
        SELECT CASE WHEN q.delta_on > ("pgboss".job_now() - interval '10 seconds') - $2::float8 * interval '1 second' THEN q.delta_on END
                   AS window_start,
               ("pgboss".job_now() - interval '10 seconds') AS window_end) span
      CROSS JOIN LATERAL (
        SELECT count(*)::int AS created_delta
          FROM "pgboss"."mail" j
         WHERE j.name = q.name AND j.created_on >= span.window_start AND j.created_on < span.window_end) created
      CROSS JOIN LATERAL (
        WITH ended AS MATERIALIZED (
            SELECT j.state, CASE WHEN j.started_on IS NOT NULL THEN LEAST(GREATEST(floor((ln(GREATEST(date_part('epoch', j.started_on - GREATEST(j.created_on, j.start_after)), 0.001::float8)) - (-4.605170185988091)::float8) / 0.34657359027997264::float8)::int + 1, 0), 47) END AS wait_slot, CASE WHEN j.started_on IS NOT NULL THEN LEAST(GREATEST(floor((ln(GREATEST(date_part('epoch', j.completed_on - j.started_on), 0.001::float8)) - (-4.605170185988091)::float8) / 0.34657359027997264::float8)::int + 1, 0), 47) END AS run_slot, count(*)::int AS jobs
              FROM "pgboss"."mail" j
             WHERE j.name = q.name AND j.completed_on >= span.window_start
               AND j.completed_on < span.window_end AND j.state IN ('completed', 'failed')
             GROUP BY 1, 2, 3
        )
        SELECT COALESCE(sum(jobs) FILTER (WHERE state = 'completed'), 0)::int AS completed_delta,
               COALESCE(sum(jobs) FILTER (WHERE state = 'failed'), 0)::int AS failed_delta,
               (SELECT array_agg(b.jobs ORDER BY s.slot)
                  FROM generate_series(0, 47) s(slot)
                  LEFT JOIN (SELECT wait_slot AS slot, sum(jobs)::int AS jobs FROM ended GROUP BY 1) b
                    ON b.slot = s.slot) AS wait_bins,
               (SELECT array_agg(b.jobs ORDER BY s.slot)
                  FROM generate_series(0, 47) s(slot)
                  LEFT JOIN (SELECT run_slot AS slot, sum(jobs)::int AS jobs FROM ended GROUP BY 1) b
                    ON b.slot = s.slot) AS run_bins
          FROM ended) finished
      CROSS JOIN LATERAL (
        SELECT round(extract(epoch FROM "pgboss".job_now() - min(GREATEST(j.created_on, j.start_after))))::int
                   AS ready_oldest_seconds
          FROM "pgboss"."mail" j
         WHERE j.name = q.name AND j.state < 'active' AND NOT j.blocked AND j.start_after <= "pgboss".job_now()) oldest
      CROSS JOIN LATERAL (
        SELECT COALESCE(told.settled, 0) AS settled,
               (SELECT count(*) FROM "pgboss"."mail" j
                 WHERE j.name = q.name AND j.created_on >= b.beginning AND j.created_on < told.latest)
               + (SELECT count(*) FROM "pgboss"."mail" j
                   WHERE j.name = q.name AND j.completed_on >= b.beginning AND j.completed_on < told.latest
                     AND j.state IN ('completed', 'failed')) AS recount
          FROM (SELECT CASE WHEN r.undeleted IS NOT NULL THEN GREATEST(r.settled, r.undeleted) END AS beginning
                 FROM (SELECT COALESCE(
                                  max(s.delta_on)
                                      FILTER (WHERE s.delta_on <= "pgboss".job_now() - interval '1 hour' OR s.delta_seconds IS NULL),
                                  min(s.delta_on)) AS settled,
                              min(s.delta_on) FILTER (WHERE s.delta_on >= "pgboss".job_now() - LEAST(NULLIF(q.deletion_seconds, 0), q.retention_seconds) * interval '1 second') AS undeleted
                         FROM "pgboss"."queue_stats" s
                        WHERE s.name = q.name AND s.captured_on >= "pgboss".job_now() - 2 * interval '1 hour' AND s.delta_on IS NOT NULL) r) b
         CROSS JOIN LATERAL (
               SELECT max(s.delta_on) AS latest,
                      sum(s.created_delta + s.completed_delta + s.failed_delta) AS settled
                 FROM "pgboss"."queue_stats" s
                WHERE s.name = q.name AND s.captured_on >= "pgboss".job_now() - 2 * interval '1 hour' AND s.delta_on IS NOT NULL AND s.delta_on > b.beginning) told) recounted
     WHERE q.name = ANY($1::text[])
)
UPDATE "pgboss"."queue" q
   SET deferred_count = f.deferred_count, blocked_count = f.blocked_count, queued_count = f.queued_count,
       ready_count = f.ready_count, active_count = f.active_count, failed_count = f.failed_count,
       retained_count = CASE WHEN q.retained_on IS NOT DISTINCT FROM f.retained_from THEN q.retained_count + f.newly_retained ELSE q.retained_count END,
       retained_on = CASE WHEN q.retained_on IS NOT DISTINCT FROM f.retained_from AND q.retained_on IS NOT NULL THEN GREATEST(q.retained_on, ("pgboss".job_now() - interval '10 seconds'))
                          ELSE q.retained_on END,
       total_count = CASE
           WHEN q.retained_count IS NULL THEN GREATEST(q.total_count, f.live_count)
           WHEN q.retained_on IS NOT DISTINCT FROM f.retained_from THEN f.live_count + q.retained_count + f.newly_retained + f.just_finished
           ELSE q.total_count END,
       singletons_active = f.singletons_active,
       monitor_on = "pgboss".job_now(),
       created_delta = f.created_delta, completed_delta = f.completed_delta, failed_delta = f.failed_delta,
       delta_seconds = CASE WHEN round(extract(epoch FROM ("pgboss".job_now() - interval '10 seconds') - (CASE WHEN q.delta_on > ("pgboss".job_now() - interval '10 seconds') - $2::float8 * interval '1 second' THEN q.delta_on END)))::int < 0 THEN 0 ELSE round(extract(epoch FROM ("pgboss".job_now() - interval '10 seconds') - (CASE WHEN q.delta_on > ("pgboss".job_now() - interval '10 seconds') - $2::float8 * interval '1 second' THEN q.delta_on END)))::int END,
       delta_on = GREATEST(q.delta_on, ("pgboss".job_now() - interval '10 seconds')),
       wait_bins = COALESCE(f.wait_bins, array_fill(NULL::int, ARRAY[48])), run_bins = COALESCE(f.run_bins, array_fill(NULL::int, ARRAY[48])),
       ready_oldest_seconds = COALESCE(f.ready_oldest_seconds, 0),
       ready_history = (array_prepend(f.ready_count, q.ready_history))[:60]
  FROM (SELECT name
          FROM "pgboss"."queue"
         WHERE name = ANY($1::text[]) AND (SELECT count(*) FROM figures) >= 0
         ORDER BY name
           FOR NO KEY UPDATE) held
  JOIN figures f ON f.name = held.name
 WHERE q.name = held.name
RETURNING q.name, q.queued_count, q.warning_queued, COALESCE(f.recount > f.settled, false) AS is_late,
          extract(epoch FROM clock_timestamp() - statement_timestamp())::float8 AS pin_seconds

-- hand_back
UPDATE "pgboss"."queue" q
   SET monitor_claim_on = NULL
  FROM (SELECT name FROM "pgboss"."queue" WHERE name = ANY($1::text[]) ORDER BY name FOR NO KEY UPDATE) held
 WHERE q.name = held.name

-- recount_one
WITH figures AS MATERIALIZED (
    SELECT q.name, live.*, retained.*, singletons.*
      FROM "pgboss"."queue" q
      CROSS JOIN LATERAL (
        SELECT count(*)::int AS live_count,
               (count(*) FILTER (WHERE j.state < 'active'))::int AS queued_count,
               (count(*) FILTER (WHERE j.state < 'active' AND j.blocked))::int AS blocked_count,
               (count(*) FILTER (WHERE j.state < 'active' AND NOT j.blocked AND j.start_after > "pgboss".job_now()))::int
                   AS deferred_count,
               (count(*) FILTER (WHERE j.state < 'active' AND NOT j.blocked AND j.start_after <= "pgboss".job_now()))::int
                   AS ready_count,
               (count(*) FILTER (WHERE j.state = 'active'))::int AS active_count,
               (count(*) FILTER (WHERE j.state = 'failed'))::int AS failed_count
          FROM "pgboss"."mail" j
         WHERE j.name = q.name AND j.state IN ('created', 'retry', 'active', 'failed')) live
      CROSS JOIN LATERAL (
        SELECT q.retained_on AS retained_from,
               (SELECT count(*)::int
                  FROM "pgboss"."mail" j
                 WHERE j.name = q.name AND j.completed_on > q.retained_on AND j.completed_on <= ("pgboss".job_now() - interval '10 seconds')
                   AND j.state IN ('completed', 'cancelled')) AS newly_retained,
               (SELECT count(*)::int
                  FROM "pgboss"."mail" j
                 WHERE j.name = q.name AND j.completed_on > GREATEST(q.retained_on, ("pgboss".job_now() - interval '10 seconds')) AND j.completed_on <= "pgboss".job_now()
                   AND j.state IN ('completed', 'cancelled')) AS just_finished) retained
      CROSS JOIN LATERAL (
        SELECT array_agg(j.singleton_key) AS singletons_active
          FROM "pgboss"."mail" j
         WHERE j.name = q.name AND j.state = 'active' AND j.policy IN ('singleton', 'stately')) singletons
     WHERE q.name = ANY($1::text[])
)
UPDATE "pgboss"."queue" q
   SET deferred_count = f.deferred_count, blocked_count = f.blocked_count, queued_count = f.queued_count,
       ready_count = f.ready_count, active_count = f.active_count, failed_count = f.failed_count,
       retained_count = CASE WHEN q.retained_on IS NOT DISTINCT FROM f.retained_from THEN q.retained_count + f.newly_retained ELSE q.retained_count END,
       retained_on = CASE WHEN q.retained_on IS NOT DISTINCT FROM f.retained_from AND q.retained_on IS NOT NULL THEN GREATEST(q.retained_on, ("pgboss".job_now() - interval '10 seconds'))
                          ELSE q.retained_on END,
       total_count = CASE
           WHEN q.retained_count IS NULL THEN GREATEST(q.total_count, f.live_count)
           WHEN q.retained_on IS NOT DISTINCT FROM f.retained_from THEN f.live_count + q.retained_count + f.newly_retained + f.just_finished
           ELSE q.total_count END,
       singletons_active = f.singletons_active,
       monitor_on = "pgboss".job_now()
  FROM figures f
 WHERE q.name = f.name
RETURNING q.name, q.deferred_count, q.queued_count, q.ready_count, q.active_count, q.failed_count,
          q.total_count, q.monitor_on AS captured_on
