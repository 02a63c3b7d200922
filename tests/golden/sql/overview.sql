-- changes
SELECT COALESCE(sum(pg_stat_get_tuples_inserted(t.oid) + pg_stat_get_tuples_updated(t.oid)
                    + pg_stat_get_tuples_deleted(t.oid)), 0)::bigint AS changes
  FROM (SELECT to_regclass($1::text)::oid AS oid
         UNION ALL
        SELECT inhrelid FROM pg_inherits WHERE inhparent = to_regclass($1::text)) t

-- counted_up_to
SELECT 'created' AS state, count(*) AS jobs
  FROM (SELECT FROM "pgboss"."job_common" WHERE name = $1::text AND state = 'created'
         ORDER BY blocked, start_after LIMIT $2::int) found UNION ALL 
SELECT 'retry' AS state, count(*) AS jobs
  FROM (SELECT FROM "pgboss"."job_common" WHERE name = $1::text AND state = 'retry'
         ORDER BY blocked, start_after LIMIT $2::int) found UNION ALL 
SELECT 'active' AS state, count(*) AS jobs
  FROM (SELECT FROM "pgboss"."job_common" WHERE name = $1::text AND state = 'active'
         ORDER BY blocked, start_after LIMIT $2::int) found UNION ALL 
SELECT 'failed' AS state, count(*) AS jobs
  FROM (SELECT FROM "pgboss"."job_common" WHERE name = $1::text AND state = 'failed'
         ORDER BY blocked, start_after LIMIT $2::int) found

-- counts
SELECT name, ready_count, active_count, queued_count, deferred_count, failed_count, total_count
  FROM "pgboss"."queue"
 ORDER BY name
 LIMIT $1::int

-- queue_count
SELECT count(*)::int FROM "pgboss"."queue"

-- search
SELECT q.name, q.policy, q.retry_limit, q.retry_delay, q.retry_backoff, q.retry_delay_max, q.expire_seconds, q.retention_seconds, q.deletion_seconds, q.heartbeat_seconds, q.dead_letter, q.partition, q.notify, q.table_name, q.warning_queued, q.deferred_count, q.blocked_count, q.queued_count, q.ready_count, q.active_count, q.failed_count, q.total_count, q.created_delta, q.completed_delta, q.failed_delta, q.delta_seconds, q.delta_on, q.wait_bins, q.run_bins, q.ready_oldest_seconds, q.singletons_active, q.monitor_on, q.created_on, q.updated_on
  FROM "pgboss"."queue" q
 WHERE ($1::text IS NULL OR position(lower($1::text) IN lower(q.name)) > 0)
   AND ($2::text IS NULL OR q.name > $2::text)
 ORDER BY q.name
 LIMIT $3::int

-- totals_over_time
WITH recorded AS (
    SELECT q.name, s.*
      FROM (SELECT name FROM "pgboss"."queue" ORDER BY name LIMIT $3::int) q
     CROSS JOIN LATERAL (
           SELECT to_timestamp(floor(extract(epoch FROM s.captured_on)::float8 / $2::int) * $2::int) AS bucket,
                  max(s.ready_count) AS ready, max(s.active_count) AS active,
                  max(s.queued_count) AS queued, sum(s.created_delta) AS created,
                  sum(s.completed_delta) AS completed, sum(s.failed_delta) AS failed
             FROM "pgboss"."queue_stats" s
            WHERE s.name = q.name
              AND s.captured_on >= "pgboss".job_now() - $1::int * interval '1 second'
            GROUP BY 1
           ) s
)
SELECT bucket AS at, sum(ready)::bigint AS ready, sum(active)::bigint AS active, sum(queued)::bigint AS queued,
       COALESCE(sum(created), 0)::bigint AS created, COALESCE(sum(completed), 0)::bigint AS completed,
       COALESCE(sum(failed), 0)::bigint AS failed
  FROM recorded
 GROUP BY bucket
 ORDER BY bucket
