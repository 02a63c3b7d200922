-- find: as little as possible
SELECT j.id, j.name, j.data::text, j.priority, j.retry_count, j.retry_limit, j.expire_seconds, j.heartbeat_seconds, j.group_id, j.group_tier, j.singleton_key, j.created_on, j.started_on, j.state::text, j.output::text, LEAST(GREATEST(j.start_after, '0001-01-02T00:00:00Z'::timestamptz), '9999-12-31T00:00:00Z'::timestamptz), j.completed_on, LEAST(GREATEST(j.keep_until, '0001-01-02T00:00:00Z'::timestamptz), '9999-12-31T00:00:00Z'::timestamptz), j.heartbeat_on, j.retry_delay, j.retry_backoff, j.retry_delay_max, j.deletion_seconds, j.policy, j.dead_letter, j.singleton_on, j.blocked, j.blocking, j.pending_dependencies, j.source_name, j.source_id, j.source_created_on, j.source_retry_count, j.source_output::text, j.source_root_id
  FROM "pgboss"."job" j
 WHERE j.name = $1::text
   AND ($2::uuid IS NULL OR j.id = $2::uuid)
   AND ($3::text IS NULL OR j.singleton_key = $3::text)
   AND ($4::jsonb IS NULL OR j.data @> $4::jsonb)

   AND ($5::uuid IS NULL OR (j.created_on, j.id) > (
       SELECT p.created_on, p.id FROM "pgboss"."job" p WHERE p.name = $1::text AND p.id = $5::uuid))
 ORDER BY j.created_on, j.id
 LIMIT $6::int

-- find: with everything
SELECT j.id, j.name, j.data::text, j.priority, j.retry_count, j.retry_limit, j.expire_seconds, j.heartbeat_seconds, j.group_id, j.group_tier, j.singleton_key, j.created_on, j.started_on, j.state::text, j.output::text, LEAST(GREATEST(j.start_after, '0001-01-02T00:00:00Z'::timestamptz), '9999-12-31T00:00:00Z'::timestamptz), j.completed_on, LEAST(GREATEST(j.keep_until, '0001-01-02T00:00:00Z'::timestamptz), '9999-12-31T00:00:00Z'::timestamptz), j.heartbeat_on, j.retry_delay, j.retry_backoff, j.retry_delay_max, j.deletion_seconds, j.policy, j.dead_letter, j.singleton_on, j.blocked, j.blocking, j.pending_dependencies, j.source_name, j.source_id, j.source_created_on, j.source_retry_count, j.source_output::text, j.source_root_id
  FROM "pgboss"."job" j
 WHERE j.name = $1::text
   AND ($2::uuid IS NULL OR j.id = $2::uuid)
   AND ($3::text IS NULL OR j.singleton_key = $3::text)
   AND ($4::jsonb IS NULL OR j.data @> $4::jsonb)
   AND j.state < 'active'
   AND ($5::uuid IS NULL OR (j.created_on, j.id) > (
       SELECT p.created_on, p.id FROM "pgboss"."job" p WHERE p.name = $1::text AND p.id = $5::uuid))
 ORDER BY j.created_on, j.id
 LIMIT $6::int

-- find_anywhere
SELECT j.id, j.name, j.data::text, j.priority, j.retry_count, j.retry_limit, j.expire_seconds, j.heartbeat_seconds, j.group_id, j.group_tier, j.singleton_key, j.created_on, j.started_on, j.state::text, j.output::text, LEAST(GREATEST(j.start_after, '0001-01-02T00:00:00Z'::timestamptz), '9999-12-31T00:00:00Z'::timestamptz), j.completed_on, LEAST(GREATEST(j.keep_until, '0001-01-02T00:00:00Z'::timestamptz), '9999-12-31T00:00:00Z'::timestamptz), j.heartbeat_on, j.retry_delay, j.retry_backoff, j.retry_delay_max, j.deletion_seconds, j.policy, j.dead_letter, j.singleton_on, j.blocked, j.blocking, j.pending_dependencies, j.source_name, j.source_id, j.source_created_on, j.source_retry_count, j.source_output::text, j.source_root_id
  FROM "pgboss"."queue" q JOIN "pgboss"."job" j ON j.name = q.name AND j.id = $1::uuid
