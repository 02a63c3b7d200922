-- current_time
SELECT "pgboss".job_now()

-- page_of_jobs: as little as possible
SELECT j.id, j.name, j.data::text, j.priority, j.retry_count, j.retry_limit, j.expire_seconds, j.heartbeat_seconds, j.group_id, j.group_tier, j.singleton_key, j.created_on, j.started_on, j.state::text, j.output::text, LEAST(GREATEST(j.start_after, '0001-01-02T00:00:00Z'::timestamptz), '9999-12-31T00:00:00Z'::timestamptz), j.completed_on, LEAST(GREATEST(j.keep_until, '0001-01-02T00:00:00Z'::timestamptz), '9999-12-31T00:00:00Z'::timestamptz), j.heartbeat_on, j.retry_delay, j.retry_backoff, j.retry_delay_max, j.deletion_seconds, j.policy, j.dead_letter, j.singleton_on, j.blocked, j.blocking, j.pending_dependencies, j.source_name, j.source_id, j.source_created_on, j.source_retry_count, j.source_output::text, j.source_root_id
  FROM "pgboss"."job" j
 WHERE j.name = $1::text
   AND j.state IN ('mail')

   AND ($2::text IS NULL OR j.singleton_key = $2::text)
   AND ($3::jsonb IS NULL OR j.data @> $3::jsonb)
   AND ($4::uuid IS NULL OR (j.created_on, j.id) > (
       SELECT p.created_on, p.id FROM "pgboss"."job" p WHERE p.name = $1::text AND p.id = $4::uuid))
 ORDER BY j.created_on ASC, j.id ASC
 LIMIT $5::int

-- page_of_jobs: with everything
SELECT j.id, j.name, j.data::text, j.priority, j.retry_count, j.retry_limit, j.expire_seconds, j.heartbeat_seconds, j.group_id, j.group_tier, j.singleton_key, j.created_on, j.started_on, j.state::text, j.output::text, LEAST(GREATEST(j.start_after, '0001-01-02T00:00:00Z'::timestamptz), '9999-12-31T00:00:00Z'::timestamptz), j.completed_on, LEAST(GREATEST(j.keep_until, '0001-01-02T00:00:00Z'::timestamptz), '9999-12-31T00:00:00Z'::timestamptz), j.heartbeat_on, j.retry_delay, j.retry_backoff, j.retry_delay_max, j.deletion_seconds, j.policy, j.dead_letter, j.singleton_on, j.blocked, j.blocking, j.pending_dependencies, j.source_name, j.source_id, j.source_created_on, j.source_retry_count, j.source_output::text, j.source_root_id
  FROM "pgboss"."job" j
 WHERE j.name = $1::text
   AND j.state IN ('mail')
   AND j.state < 'active'
   AND ($2::text IS NULL OR j.singleton_key = $2::text)
   AND ($3::jsonb IS NULL OR j.data @> $3::jsonb)
   AND ($4::uuid IS NULL OR (j.created_on, j.id) < (
       SELECT p.created_on, p.id FROM "pgboss"."job" p WHERE p.name = $1::text AND p.id = $4::uuid))
 ORDER BY j.created_on DESC, j.id DESC
 LIMIT $5::int
