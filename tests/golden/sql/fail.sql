-- fail
WITH failing AS MATERIALIZED (

    DELETE FROM "pgboss"."job_common" j
     USING ROWS FROM (unnest($2::uuid[], $3::int[], $4::timestamptz[], $5::text[], $6::bool[]), generate_subscripts($2::uuid[], 1)) AS a(id, retry_count, started_on, output, is_final, place)
     WHERE j.name = $1::text AND j.id = ANY(ARRAY(SELECT unnest($2::uuid[]))) AND j.id = a.id AND j.state < 'completed'
       AND (a.retry_count IS NULL OR (j.state = 'active' AND j.retry_count = a.retry_count))
       AND (a.started_on IS NULL OR j.started_on = a.started_on)
    RETURNING j.id, j.name, j.priority, j.data, j.state, j.retry_limit, j.retry_count, j.retry_delay, j.retry_backoff, j.retry_delay_max, j.expire_seconds, j.deletion_seconds, j.singleton_key, j.singleton_on, j.group_id, j.group_tier, j.start_after, j.created_on, j.started_on, j.completed_on, j.keep_until, j.output, j.dead_letter, j.policy, j.heartbeat_on, j.heartbeat_seconds, j.blocked, j.blocking, j.pending_dependencies, j.source_name, j.source_id, j.source_created_on, j.source_retry_count, j.source_output, j.source_root_id, j.trace_context, j.upsert_by_key, a.output::jsonb AS new_output, a.is_final AS is_final
), settled AS (
    INSERT INTO "pgboss"."job_common" (id, name, priority, data, state, retry_limit, retry_count, retry_delay, retry_backoff, retry_delay_max, expire_seconds, deletion_seconds, singleton_key, singleton_on, group_id, group_tier, start_after, created_on, started_on, completed_on, keep_until, output, dead_letter, policy, heartbeat_on, heartbeat_seconds, blocked, blocking, pending_dependencies, source_name, source_id, source_created_on, source_retry_count, source_output, source_root_id, trace_context, upsert_by_key)
    SELECT f.id, f.name, f.priority, f.data, CASE WHEN f.retry_count < f.retry_limit AND NOT f.is_final THEN 'retry' ELSE 'failed' END::"pgboss"."job_state", f.retry_limit, f.retry_count, f.retry_delay, f.retry_backoff, f.retry_delay_max, f.expire_seconds, f.deletion_seconds, f.singleton_key, f.singleton_on, f.group_id, f.group_tier, CASE
       WHEN f.retry_count = f.retry_limit THEN f.start_after
       WHEN NOT f.retry_backoff THEN "pgboss".job_now() + f.retry_delay * interval '1 second'
       ELSE "pgboss".job_now() + LEAST(f.retry_delay_max, GREATEST(f.retry_delay, 1) * (pow(2, LEAST(16, f.retry_count + 1)) / 2 + pow(2, LEAST(16, f.retry_count + 1)) / 2 * random()), 100000000000) * interval '1 second'
       END, f.created_on, f.started_on, CASE WHEN f.retry_count < f.retry_limit AND NOT f.is_final THEN NULL ELSE "pgboss".job_now() END, f.keep_until, f.new_output, f.dead_letter, f.policy, NULL::timestamptz, f.heartbeat_seconds, f.blocked, f.blocking, f.pending_dependencies, f.source_name, f.source_id, f.source_created_on, f.source_retry_count, f.source_output, f.source_root_id, f.trace_context, NULL::bool FROM failing f
    ON CONFLICT DO NOTHING
    RETURNING *
), given_way AS (
    INSERT INTO "pgboss"."job_common" (id, name, priority, data, state, retry_limit, retry_count, retry_delay, retry_backoff, retry_delay_max, expire_seconds, deletion_seconds, singleton_key, singleton_on, group_id, group_tier, start_after, created_on, started_on, completed_on, keep_until, output, dead_letter, policy, heartbeat_on, heartbeat_seconds, blocked, blocking, pending_dependencies, source_name, source_id, source_created_on, source_retry_count, source_output, source_root_id, trace_context, upsert_by_key)
    SELECT f.id, f.name, f.priority, f.data, 'failed'::"pgboss"."job_state", f.retry_limit, f.retry_count, f.retry_delay, f.retry_backoff, f.retry_delay_max, f.expire_seconds, f.deletion_seconds, f.singleton_key, f.singleton_on, f.group_id, f.group_tier, f.start_after, f.created_on, f.started_on, "pgboss".job_now(), f.keep_until, f.new_output, f.dead_letter, f.policy, NULL::timestamptz, f.heartbeat_seconds, f.blocked, f.blocking, f.pending_dependencies, f.source_name, f.source_id, f.source_created_on, f.source_retry_count, f.source_output, f.source_root_id, f.trace_context, NULL::bool FROM failing f
     WHERE (f.name, f.id) NOT IN (SELECT s.name, s.id FROM settled s)
    RETURNING *
), done AS MATERIALIZED (
    SELECT * FROM settled UNION ALL SELECT * FROM given_way
), dead AS (
    INSERT INTO "pgboss"."job" (
        name, data, priority, singleton_key, group_id, group_tier, trace_context,
        source_name, source_id, source_created_on, source_retry_count, source_output, source_root_id,
        retry_limit, retry_backoff, retry_delay, deletion_seconds, expire_seconds, heartbeat_seconds,
        keep_until, start_after, created_on
    )
    SELECT q.name, d.data, d.priority, d.singleton_key, d.group_id, d.group_tier, d.trace_context,
           d.name, d.id, d.created_on, d.retry_count, d.output, COALESCE(d.source_root_id, d.id),
           q.retry_limit, q.retry_backoff, q.retry_delay, q.deletion_seconds, q.expire_seconds,
           q.heartbeat_seconds, "pgboss".job_now() + q.retention_seconds * interval '1 second', "pgboss".job_now(), "pgboss".job_now()
      FROM done d JOIN "pgboss"."queue" q ON q.name = d.dead_letter
     WHERE d.state = 'failed'
)
SELECT id, state::text AS state FROM done

-- fail_each
WITH failing AS MATERIALIZED (

    DELETE FROM "pgboss"."job_common" j
     USING ROWS FROM (unnest($2::uuid[], $3::int[], $4::timestamptz[], $5::text[], $6::bool[]), generate_subscripts($2::uuid[], 1)) AS a(id, retry_count, started_on, output, is_final, place)
     WHERE j.name = $1::text AND j.id = ANY(ARRAY(SELECT unnest($2::uuid[]))) AND j.id = a.id AND j.state < 'completed'
       AND (a.retry_count IS NULL OR (j.state = 'active' AND j.retry_count = a.retry_count))
       AND (a.started_on IS NULL OR j.started_on = a.started_on)
    RETURNING j.id, j.name, j.priority, j.data, j.state, j.retry_limit, j.retry_count, j.retry_delay, j.retry_backoff, j.retry_delay_max, j.expire_seconds, j.deletion_seconds, j.singleton_key, j.singleton_on, j.group_id, j.group_tier, j.start_after, j.created_on, j.started_on, j.completed_on, j.keep_until, j.output, j.dead_letter, j.policy, j.heartbeat_on, j.heartbeat_seconds, j.blocked, j.blocking, j.pending_dependencies, j.source_name, j.source_id, j.source_created_on, j.source_retry_count, j.source_output, j.source_root_id, j.trace_context, j.upsert_by_key, a.output::jsonb AS new_output, a.is_final AS is_final
), settled AS (
    INSERT INTO "pgboss"."job_common" (id, name, priority, data, state, retry_limit, retry_count, retry_delay, retry_backoff, retry_delay_max, expire_seconds, deletion_seconds, singleton_key, singleton_on, group_id, group_tier, start_after, created_on, started_on, completed_on, keep_until, output, dead_letter, policy, heartbeat_on, heartbeat_seconds, blocked, blocking, pending_dependencies, source_name, source_id, source_created_on, source_retry_count, source_output, source_root_id, trace_context, upsert_by_key)
    SELECT f.id, f.name, f.priority, f.data, CASE WHEN f.retry_count < f.retry_limit AND NOT f.is_final THEN 'retry' ELSE 'failed' END::"pgboss"."job_state", f.retry_limit, f.retry_count, f.retry_delay, f.retry_backoff, f.retry_delay_max, f.expire_seconds, f.deletion_seconds, f.singleton_key, f.singleton_on, f.group_id, f.group_tier, CASE
       WHEN f.retry_count = f.retry_limit THEN f.start_after
       WHEN NOT f.retry_backoff THEN "pgboss".job_now() + f.retry_delay * interval '1 second'
       ELSE "pgboss".job_now() + LEAST(f.retry_delay_max, GREATEST(f.retry_delay, 1) * (pow(2, LEAST(16, f.retry_count + 1)) / 2 + pow(2, LEAST(16, f.retry_count + 1)) / 2 * random()), 100000000000) * interval '1 second'
       END, f.created_on, f.started_on, CASE WHEN f.retry_count < f.retry_limit AND NOT f.is_final THEN NULL ELSE "pgboss".job_now() END, f.keep_until, f.new_output, f.dead_letter, f.policy, NULL::timestamptz, f.heartbeat_seconds, f.blocked, f.blocking, f.pending_dependencies, f.source_name, f.source_id, f.source_created_on, f.source_retry_count, f.source_output, f.source_root_id, f.trace_context, NULL::bool FROM failing f
    ON CONFLICT DO NOTHING
    RETURNING *
), given_way AS (
    INSERT INTO "pgboss"."job_common" (id, name, priority, data, state, retry_limit, retry_count, retry_delay, retry_backoff, retry_delay_max, expire_seconds, deletion_seconds, singleton_key, singleton_on, group_id, group_tier, start_after, created_on, started_on, completed_on, keep_until, output, dead_letter, policy, heartbeat_on, heartbeat_seconds, blocked, blocking, pending_dependencies, source_name, source_id, source_created_on, source_retry_count, source_output, source_root_id, trace_context, upsert_by_key)
    SELECT f.id, f.name, f.priority, f.data, 'failed'::"pgboss"."job_state", f.retry_limit, f.retry_count, f.retry_delay, f.retry_backoff, f.retry_delay_max, f.expire_seconds, f.deletion_seconds, f.singleton_key, f.singleton_on, f.group_id, f.group_tier, f.start_after, f.created_on, f.started_on, "pgboss".job_now(), f.keep_until, f.new_output, f.dead_letter, f.policy, NULL::timestamptz, f.heartbeat_seconds, f.blocked, f.blocking, f.pending_dependencies, f.source_name, f.source_id, f.source_created_on, f.source_retry_count, f.source_output, f.source_root_id, f.trace_context, NULL::bool FROM failing f
     WHERE (f.name, f.id) NOT IN (SELECT s.name, s.id FROM settled s)
    RETURNING *
), done AS MATERIALIZED (
    SELECT * FROM settled UNION ALL SELECT * FROM given_way
), dead AS (
    INSERT INTO "pgboss"."job" (
        name, data, priority, singleton_key, group_id, group_tier, trace_context,
        source_name, source_id, source_created_on, source_retry_count, source_output, source_root_id,
        retry_limit, retry_backoff, retry_delay, deletion_seconds, expire_seconds, heartbeat_seconds,
        keep_until, start_after, created_on
    )
    SELECT q.name, d.data, d.priority, d.singleton_key, d.group_id, d.group_tier, d.trace_context,
           d.name, d.id, d.created_on, d.retry_count, d.output, COALESCE(d.source_root_id, d.id),
           q.retry_limit, q.retry_backoff, q.retry_delay, q.deletion_seconds, q.expire_seconds,
           q.heartbeat_seconds, "pgboss".job_now() + q.retention_seconds * interval '1 second', "pgboss".job_now(), "pgboss".job_now()
      FROM done d JOIN "pgboss"."queue" q ON q.name = d.dead_letter
     WHERE d.state = 'failed'
)
SELECT id, state::text AS state FROM done

-- fail_expired
WITH failing AS MATERIALIZED (

    WITH overdue AS MATERIALIZED (
        SELECT j.name, j.id
          FROM "pgboss"."mail" j
         WHERE j.name = ANY($1::text[]) AND j.state = 'active' AND j.started_on + j.expire_seconds * interval '1 second' < "pgboss".job_now()
         LIMIT 1000
           FOR UPDATE OF j SKIP LOCKED
    )
    DELETE FROM "pgboss"."mail" j
     USING overdue o
     WHERE j.name = ANY($1::text[]) AND j.id = ANY(ARRAY(SELECT id FROM overdue))
       AND j.name = o.name AND j.id = o.id
    RETURNING j.id, j.name, j.priority, j.data, j.state, j.retry_limit, j.retry_count, j.retry_delay, j.retry_backoff, j.retry_delay_max, j.expire_seconds, j.deletion_seconds, j.singleton_key, j.singleton_on, j.group_id, j.group_tier, j.start_after, j.created_on, j.started_on, j.completed_on, j.keep_until, j.output, j.dead_letter, j.policy, j.heartbeat_on, j.heartbeat_seconds, j.blocked, j.blocking, j.pending_dependencies, j.source_name, j.source_id, j.source_created_on, j.source_retry_count, j.source_output, j.source_root_id, j.trace_context, j.upsert_by_key, $2::jsonb AS new_output, false AS is_final
), settled AS (
    INSERT INTO "pgboss"."mail" (id, name, priority, data, state, retry_limit, retry_count, retry_delay, retry_backoff, retry_delay_max, expire_seconds, deletion_seconds, singleton_key, singleton_on, group_id, group_tier, start_after, created_on, started_on, completed_on, keep_until, output, dead_letter, policy, heartbeat_on, heartbeat_seconds, blocked, blocking, pending_dependencies, source_name, source_id, source_created_on, source_retry_count, source_output, source_root_id, trace_context, upsert_by_key)
    SELECT f.id, f.name, f.priority, f.data, CASE WHEN f.retry_count < f.retry_limit AND NOT f.is_final THEN 'retry' ELSE 'failed' END::"pgboss"."job_state", f.retry_limit, f.retry_count, f.retry_delay, f.retry_backoff, f.retry_delay_max, f.expire_seconds, f.deletion_seconds, f.singleton_key, f.singleton_on, f.group_id, f.group_tier, CASE
       WHEN f.retry_count = f.retry_limit THEN f.start_after
       WHEN NOT f.retry_backoff THEN "pgboss".job_now() + f.retry_delay * interval '1 second'
       ELSE "pgboss".job_now() + LEAST(f.retry_delay_max, GREATEST(f.retry_delay, 1) * (pow(2, LEAST(16, f.retry_count + 1)) / 2 + pow(2, LEAST(16, f.retry_count + 1)) / 2 * random()), 100000000000) * interval '1 second'
       END, f.created_on, f.started_on, CASE WHEN f.retry_count < f.retry_limit AND NOT f.is_final THEN NULL ELSE "pgboss".job_now() END, f.keep_until, f.new_output, f.dead_letter, f.policy, NULL::timestamptz, f.heartbeat_seconds, f.blocked, f.blocking, f.pending_dependencies, f.source_name, f.source_id, f.source_created_on, f.source_retry_count, f.source_output, f.source_root_id, f.trace_context, NULL::bool FROM failing f
    ON CONFLICT DO NOTHING
    RETURNING *
), given_way AS (
    INSERT INTO "pgboss"."mail" (id, name, priority, data, state, retry_limit, retry_count, retry_delay, retry_backoff, retry_delay_max, expire_seconds, deletion_seconds, singleton_key, singleton_on, group_id, group_tier, start_after, created_on, started_on, completed_on, keep_until, output, dead_letter, policy, heartbeat_on, heartbeat_seconds, blocked, blocking, pending_dependencies, source_name, source_id, source_created_on, source_retry_count, source_output, source_root_id, trace_context, upsert_by_key)
    SELECT f.id, f.name, f.priority, f.data, 'failed'::"pgboss"."job_state", f.retry_limit, f.retry_count, f.retry_delay, f.retry_backoff, f.retry_delay_max, f.expire_seconds, f.deletion_seconds, f.singleton_key, f.singleton_on, f.group_id, f.group_tier, f.start_after, f.created_on, f.started_on, "pgboss".job_now(), f.keep_until, f.new_output, f.dead_letter, f.policy, NULL::timestamptz, f.heartbeat_seconds, f.blocked, f.blocking, f.pending_dependencies, f.source_name, f.source_id, f.source_created_on, f.source_retry_count, f.source_output, f.source_root_id, f.trace_context, NULL::bool FROM failing f
     WHERE (f.name, f.id) NOT IN (SELECT s.name, s.id FROM settled s)
    RETURNING *
), done AS MATERIALIZED (
    SELECT * FROM settled UNION ALL SELECT * FROM given_way
), dead AS (
    INSERT INTO "pgboss"."job" (
        name, data, priority, singleton_key, group_id, group_tier, trace_context,
        source_name, source_id, source_created_on, source_retry_count, source_output, source_root_id,
        retry_limit, retry_backoff, retry_delay, deletion_seconds, expire_seconds, heartbeat_seconds,
        keep_until, start_after, created_on
    )
    SELECT q.name, d.data, d.priority, d.singleton_key, d.group_id, d.group_tier, d.trace_context,
           d.name, d.id, d.created_on, d.retry_count, d.output, COALESCE(d.source_root_id, d.id),
           q.retry_limit, q.retry_backoff, q.retry_delay, q.deletion_seconds, q.expire_seconds,
           q.heartbeat_seconds, "pgboss".job_now() + q.retention_seconds * interval '1 second', "pgboss".job_now(), "pgboss".job_now()
      FROM done d JOIN "pgboss"."queue" q ON q.name = d.dead_letter
     WHERE d.state = 'failed'
)
SELECT name, state::text AS state, count(*)::int AS jobs FROM done GROUP BY name, state

-- fail_silent
WITH failing AS MATERIALIZED (

    WITH overdue AS MATERIALIZED (
        SELECT j.name, j.id
          FROM "pgboss"."mail" j
         WHERE j.name = ANY($1::text[]) AND j.state = 'active' AND j.heartbeat_seconds IS NOT NULL AND j.heartbeat_on + j.heartbeat_seconds * interval '1 second' < "pgboss".job_now()
         LIMIT 1000
           FOR UPDATE OF j SKIP LOCKED
    )
    DELETE FROM "pgboss"."mail" j
     USING overdue o
     WHERE j.name = ANY($1::text[]) AND j.id = ANY(ARRAY(SELECT id FROM overdue))
       AND j.name = o.name AND j.id = o.id
    RETURNING j.id, j.name, j.priority, j.data, j.state, j.retry_limit, j.retry_count, j.retry_delay, j.retry_backoff, j.retry_delay_max, j.expire_seconds, j.deletion_seconds, j.singleton_key, j.singleton_on, j.group_id, j.group_tier, j.start_after, j.created_on, j.started_on, j.completed_on, j.keep_until, j.output, j.dead_letter, j.policy, j.heartbeat_on, j.heartbeat_seconds, j.blocked, j.blocking, j.pending_dependencies, j.source_name, j.source_id, j.source_created_on, j.source_retry_count, j.source_output, j.source_root_id, j.trace_context, j.upsert_by_key, $2::jsonb AS new_output, false AS is_final
), settled AS (
    INSERT INTO "pgboss"."mail" (id, name, priority, data, state, retry_limit, retry_count, retry_delay, retry_backoff, retry_delay_max, expire_seconds, deletion_seconds, singleton_key, singleton_on, group_id, group_tier, start_after, created_on, started_on, completed_on, keep_until, output, dead_letter, policy, heartbeat_on, heartbeat_seconds, blocked, blocking, pending_dependencies, source_name, source_id, source_created_on, source_retry_count, source_output, source_root_id, trace_context, upsert_by_key)
    SELECT f.id, f.name, f.priority, f.data, CASE WHEN f.retry_count < f.retry_limit AND NOT f.is_final THEN 'retry' ELSE 'failed' END::"pgboss"."job_state", f.retry_limit, f.retry_count, f.retry_delay, f.retry_backoff, f.retry_delay_max, f.expire_seconds, f.deletion_seconds, f.singleton_key, f.singleton_on, f.group_id, f.group_tier, CASE
       WHEN f.retry_count = f.retry_limit THEN f.start_after
       WHEN NOT f.retry_backoff THEN "pgboss".job_now() + f.retry_delay * interval '1 second'
       ELSE "pgboss".job_now() + LEAST(f.retry_delay_max, GREATEST(f.retry_delay, 1) * (pow(2, LEAST(16, f.retry_count + 1)) / 2 + pow(2, LEAST(16, f.retry_count + 1)) / 2 * random()), 100000000000) * interval '1 second'
       END, f.created_on, f.started_on, CASE WHEN f.retry_count < f.retry_limit AND NOT f.is_final THEN NULL ELSE "pgboss".job_now() END, f.keep_until, f.new_output, f.dead_letter, f.policy, NULL::timestamptz, f.heartbeat_seconds, f.blocked, f.blocking, f.pending_dependencies, f.source_name, f.source_id, f.source_created_on, f.source_retry_count, f.source_output, f.source_root_id, f.trace_context, NULL::bool FROM failing f
    ON CONFLICT DO NOTHING
    RETURNING *
), given_way AS (
    INSERT INTO "pgboss"."mail" (id, name, priority, data, state, retry_limit, retry_count, retry_delay, retry_backoff, retry_delay_max, expire_seconds, deletion_seconds, singleton_key, singleton_on, group_id, group_tier, start_after, created_on, started_on, completed_on, keep_until, output, dead_letter, policy, heartbeat_on, heartbeat_seconds, blocked, blocking, pending_dependencies, source_name, source_id, source_created_on, source_retry_count, source_output, source_root_id, trace_context, upsert_by_key)
    SELECT f.id, f.name, f.priority, f.data, 'failed'::"pgboss"."job_state", f.retry_limit, f.retry_count, f.retry_delay, f.retry_backoff, f.retry_delay_max, f.expire_seconds, f.deletion_seconds, f.singleton_key, f.singleton_on, f.group_id, f.group_tier, f.start_after, f.created_on, f.started_on, "pgboss".job_now(), f.keep_until, f.new_output, f.dead_letter, f.policy, NULL::timestamptz, f.heartbeat_seconds, f.blocked, f.blocking, f.pending_dependencies, f.source_name, f.source_id, f.source_created_on, f.source_retry_count, f.source_output, f.source_root_id, f.trace_context, NULL::bool FROM failing f
     WHERE (f.name, f.id) NOT IN (SELECT s.name, s.id FROM settled s)
    RETURNING *
), done AS MATERIALIZED (
    SELECT * FROM settled UNION ALL SELECT * FROM given_way
), dead AS (
    INSERT INTO "pgboss"."job" (
        name, data, priority, singleton_key, group_id, group_tier, trace_context,
        source_name, source_id, source_created_on, source_retry_count, source_output, source_root_id,
        retry_limit, retry_backoff, retry_delay, deletion_seconds, expire_seconds, heartbeat_seconds,
        keep_until, start_after, created_on
    )
    SELECT q.name, d.data, d.priority, d.singleton_key, d.group_id, d.group_tier, d.trace_context,
           d.name, d.id, d.created_on, d.retry_count, d.output, COALESCE(d.source_root_id, d.id),
           q.retry_limit, q.retry_backoff, q.retry_delay, q.deletion_seconds, q.expire_seconds,
           q.heartbeat_seconds, "pgboss".job_now() + q.retention_seconds * interval '1 second', "pgboss".job_now(), "pgboss".job_now()
      FROM done d JOIN "pgboss"."queue" q ON q.name = d.dead_letter
     WHERE d.state = 'failed'
)
SELECT name, state::text AS state, count(*)::int AS jobs FROM done GROUP BY name, state
