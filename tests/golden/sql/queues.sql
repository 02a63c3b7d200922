-- create
SELECT "pgboss"."create_queue"($1::text, $2::jsonb)

-- dead_letter_users
SELECT (SELECT q.name FROM "pgboss"."queue" q WHERE q.dead_letter = $1::text LIMIT 1) AS queue,
       (SELECT j.name FROM "pgboss"."job" j
         WHERE j.dead_letter = $1::text AND j.name <> $1::text LIMIT 1) AS job_queue

-- delete
SELECT "pgboss"."delete_queue"($1::text)

-- find
SELECT q.name, q.policy, q.retry_limit, q.retry_delay, q.retry_backoff, q.retry_delay_max, q.expire_seconds, q.retention_seconds, q.deletion_seconds, q.heartbeat_seconds, q.dead_letter, q.partition, q.notify, q.table_name, q.warning_queued, q.deferred_count, q.blocked_count, q.queued_count, q.ready_count, q.active_count, q.failed_count, q.total_count, q.created_delta, q.completed_delta, q.failed_delta, q.delta_seconds, q.delta_on, q.wait_bins, q.run_bins, q.ready_oldest_seconds, q.singletons_active, q.monitor_on, q.created_on, q.updated_on
  FROM "pgboss"."queue" q
 WHERE ($1::text[] IS NULL OR q.name = ANY($1::text[]))
   AND ($2::text IS NULL OR q.name > $2::text)
 ORDER BY q.name
 LIMIT $3::int

-- find_reference
SELECT table_name, policy, notify
  FROM "pgboss"."queue"
 WHERE name = $1::text

-- forget_index_builds
DELETE FROM "pgboss"."bam" WHERE table_name = $1::text AND status <> 'completed'

-- live_counts
SELECT name, state::text AS state, count(*)::int AS jobs
  FROM "pgboss"."job"
 WHERE $1::text[] IS NULL OR name = ANY($1::text[])
 GROUP BY name, state

-- lock_to_drop
LOCK TABLE "pgboss"."queue", "pgboss"."job_common", "pgboss"."mail", "pgboss"."job" IN ACCESS EXCLUSIVE MODE

-- pause
SELECT pg_sleep($1::float8)

-- update
UPDATE "pgboss"."queue"
   SET retry_limit = $2::int, notify = $3::bool, updated_on = "pgboss".job_now()
 WHERE name = $1::text
RETURNING name
