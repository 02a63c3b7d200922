-- created_on
SELECT j.created_on FROM "pgboss"."job" j WHERE j.name = $1::text AND j.id = $2::uuid

-- find: as little as possible
SELECT j.id, j.name, j.data::text, j.priority, j.retry_count, j.retry_limit, j.expire_seconds, j.heartbeat_seconds, j.group_id, j.group_tier, j.singleton_key, j.created_on, j.started_on, j.state::text, j.output::text, LEAST(GREATEST(j.start_after, '0001-01-02T00:00:00Z'::timestamptz), '9999-12-31T00:00:00Z'::timestamptz), j.completed_on, LEAST(GREATEST(j.keep_until, '0001-01-02T00:00:00Z'::timestamptz), '9999-12-31T00:00:00Z'::timestamptz), j.heartbeat_on, j.retry_delay, j.retry_backoff, j.retry_delay_max, j.deletion_seconds, j.policy, j.dead_letter, j.singleton_on, j.blocked, j.blocking, j.pending_dependencies, j.source_name, j.source_id, j.source_created_on, j.source_retry_count, j.source_output::text, j.source_root_id
  FROM "pgboss"."job" j
 WHERE j.name = $1::text
 ORDER BY j.created_on, j.id
 LIMIT $2::int

-- find: with everything
SELECT j.id, j.name, j.data::text, j.priority, j.retry_count, j.retry_limit, j.expire_seconds, j.heartbeat_seconds, j.group_id, j.group_tier, j.singleton_key, j.created_on, j.started_on, j.state::text, j.output::text, LEAST(GREATEST(j.start_after, '0001-01-02T00:00:00Z'::timestamptz), '9999-12-31T00:00:00Z'::timestamptz), j.completed_on, LEAST(GREATEST(j.keep_until, '0001-01-02T00:00:00Z'::timestamptz), '9999-12-31T00:00:00Z'::timestamptz), j.heartbeat_on, j.retry_delay, j.retry_backoff, j.retry_delay_max, j.deletion_seconds, j.policy, j.dead_letter, j.singleton_on, j.blocked, j.blocking, j.pending_dependencies, j.source_name, j.source_id, j.source_created_on, j.source_retry_count, j.source_output::text, j.source_root_id
  FROM "pgboss"."job" j
 WHERE j.name = $1::text
   AND j.state < 'active'
   AND j.id = $3::uuid
   AND j.singleton_key = $4::text
   AND j.data @> $5::jsonb
   AND j.created_on >= $6::timestamptz AND (j.created_on, j.id) > ($6::timestamptz, $7::uuid)
 ORDER BY j.created_on, j.id
 LIMIT $2::int

-- find_anywhere
SELECT j.id, j.name, j.data::text, j.priority, j.retry_count, j.retry_limit, j.expire_seconds, j.heartbeat_seconds, j.group_id, j.group_tier, j.singleton_key, j.created_on, j.started_on, j.state::text, j.output::text, LEAST(GREATEST(j.start_after, '0001-01-02T00:00:00Z'::timestamptz), '9999-12-31T00:00:00Z'::timestamptz), j.completed_on, LEAST(GREATEST(j.keep_until, '0001-01-02T00:00:00Z'::timestamptz), '9999-12-31T00:00:00Z'::timestamptz), j.heartbeat_on, j.retry_delay, j.retry_backoff, j.retry_delay_max, j.deletion_seconds, j.policy, j.dead_letter, j.singleton_on, j.blocked, j.blocking, j.pending_dependencies, j.source_name, j.source_id, j.source_created_on, j.source_retry_count, j.source_output::text, j.source_root_id
  FROM "pgboss"."queue" q JOIN "pgboss"."job" j ON j.name = q.name AND j.id = $1::uuid

-- news
SELECT j.id, j.name, j.state::text, j.created_on, j.started_on, j.completed_on, LEAST(GREATEST(j.start_after, '0001-01-02T00:00:00Z'::timestamptz), '9999-12-31T00:00:00Z'::timestamptz), j.retry_count, j.retry_limit, j.blocked, j.pending_dependencies, j.source_name, j.source_id, j.source_root_id, j.output::text
  FROM "pgboss"."job" j
 WHERE j.name = $1::text AND j.id = $2::uuid

-- queues_of
SELECT q.name
  FROM "pgboss"."queue" q
 WHERE EXISTS (SELECT FROM "pgboss"."job" j WHERE j.name = q.name AND j.id = $1::uuid OFFSET 0)
 ORDER BY q.name

-- states
SELECT (SELECT j.state::text FROM "pgboss"."job" j WHERE j.name = w.name AND j.id = w.id)
  FROM unnest($1::text[], $2::uuid[]) WITH ORDINALITY AS w(name, id, place)
 ORDER BY w.place
