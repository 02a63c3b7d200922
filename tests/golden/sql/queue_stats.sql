-- delete_old
WITH old AS MATERIALIZED (
    SELECT captured_on, id
      FROM "pgboss"."queue_stats"
     WHERE captured_on < "pgboss".job_now() - make_interval(days => $1::int)
       AND ($2::timestamptz IS NULL OR (captured_on, id) > ($2::timestamptz, $3::uuid))
     ORDER BY captured_on, id
     LIMIT $4::int
), removed AS (
    DELETE FROM "pgboss"."queue_stats" s USING old WHERE s.captured_on = old.captured_on AND s.id = old.id
)
SELECT captured_on, id FROM old ORDER BY captured_on, id OFFSET $4::int - 1

-- drop_day
DROP TABLE IF EXISTS "pgboss"."mail"

-- find_cached
SELECT q.name, q.deferred_count, q.queued_count, q.ready_count, q.active_count, q.failed_count, q.total_count,
       q.monitor_on AS captured_on, q.table_name, current_database()::text AS database,
       extract(epoch FROM "pgboss".job_now() - q.monitor_on)::float8 AS age_seconds, "pgboss".job_now() AS read_on,
       EXISTS (SELECT FROM "pgboss"."version" WHERE monitor_backoff_on > "pgboss".job_now()) AS is_held_off
  FROM "pgboss"."queue" q
 WHERE q.name = $1::text

-- has_history
SELECT EXISTS (SELECT FROM "pgboss"."queue_stats" WHERE name = $1::text)

-- history
SELECT name, deferred_count, queued_count, ready_count, active_count, failed_count, total_count, created_delta, completed_delta, failed_delta, delta_seconds, delta_on, wait_bins, run_bins, ready_oldest_seconds, captured_on
  FROM "pgboss"."queue_stats" s
 WHERE s.name = $1::text
   AND ($2::timestamptz IS NULL OR s.captured_on >= $2::timestamptz)
   AND ($3::timestamptz IS NULL OR s.captured_on <= $3::timestamptz)
 ORDER BY captured_on DESC
 LIMIT $4::int

-- is_partitioned
SELECT c.relkind = 'p'
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname = $1::text AND c.relname = 'queue_stats'

-- make_day
CREATE TABLE IF NOT EXISTS "pgboss"."queue_stats_20260131"
    PARTITION OF "pgboss"."queue_stats" FOR VALUES FROM ('2026-01-31 00:00:00+00') TO ('2026-01-31 00:00:00+00')

-- missing_days
SELECT d.day
  FROM (SELECT ("pgboss".job_now() AT TIME ZONE 'UTC')::date + n AS day FROM generate_series(0, 1) n) d
 WHERE NOT EXISTS (SELECT
                     FROM pg_catalog.pg_class c
                     JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
                    WHERE n.nspname = $1::text AND c.relname = to_char(d.day, '"queue_stats_"YYYYMMDD'))
 ORDER BY d.day

-- old_days
SELECT c.relname AS name
  FROM pg_catalog.pg_inherits i
  JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid
  JOIN pg_catalog.pg_class p ON p.oid = i.inhparent
  JOIN pg_catalog.pg_namespace n ON n.oid = p.relnamespace AND n.oid = c.relnamespace
 WHERE n.nspname = $1::text AND p.relname = 'queue_stats'
   AND c.relname ~ '^queue_stats_[0-9]{8}$'
   AND to_date(right(c.relname, 8), 'YYYYMMDD') < ("pgboss".job_now() AT TIME ZONE 'UTC')::date - $2::int
 ORDER BY c.relname

-- take_snapshots
INSERT INTO "pgboss"."queue_stats" (name, deferred_count, queued_count, ready_count, active_count, failed_count, total_count, created_delta, completed_delta, failed_delta, delta_seconds, delta_on, wait_bins, run_bins, ready_oldest_seconds, captured_on)
SELECT name, deferred_count, queued_count, ready_count, active_count, failed_count, total_count, created_delta, completed_delta, failed_delta, delta_seconds, delta_on, wait_bins, run_bins, ready_oldest_seconds, "pgboss".job_now()
  FROM "pgboss"."queue"
 WHERE name = ANY($1::text[])
