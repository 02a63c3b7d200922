-- claim
UPDATE "pgboss"."version"
   SET flow_on = "pgboss".job_now()
 WHERE extract(epoch FROM "pgboss".job_now() - COALESCE(flow_on, "pgboss".job_now() - interval '1 week')) >= $1::float8
RETURNING true AS claimed

-- create: as little as possible
WITH incoming AS MATERIALIZED (
            SELECT i.*, CASE WHEN i.start_after IS NULL THEN "pgboss".job_now() ELSE 
        CASE WHEN i.start_after LIKE '%Z' OR i.start_after ~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}' THEN (i.start_after)::timestamptz
             ELSE "pgboss".job_now() + (i.start_after)::interval
         END END AS starts FROM json_to_recordset($1::json) AS i(name text, id uuid, data jsonb, priority int, start_after text, singleton_key text, singleton_seconds int, group_id text, group_tier text, retry_limit int, retry_delay int, retry_backoff bool, retry_delay_max int, expire_seconds int, retention_seconds int, deletion_seconds int, heartbeat_seconds int, dead_letter text, upsert_by_key bool, blocked bool, blocking bool, pending_dependencies int)
        ), queue AS MATERIALIZED (
            SELECT * FROM "pgboss"."queue" WHERE name = ANY(ARRAY(SELECT name FROM incoming))
        ), missing AS MATERIALIZED (
            SELECT name FROM incoming EXCEPT SELECT name FROM queue
        ), lost AS MATERIALIZED (
            SELECT DISTINCT i.dead_letter
              FROM incoming i
             WHERE i.dead_letter IS NOT NULL
               AND NOT EXISTS (SELECT FROM "pgboss"."queue" d WHERE d.name = i.dead_letter)
        ), keyless AS MATERIALIZED (
            SELECT DISTINCT q.name
              FROM queue q JOIN incoming i ON i.name = q.name
             WHERE q.policy = 'key_strict_fifo' AND COALESCE(i.singleton_key, '') = ''
        ), created AS (
            INSERT INTO "pgboss"."job" (id, name, start_after, created_on, keep_until, policy, retry_limit, retry_delay, retry_backoff, retry_delay_max, expire_seconds, deletion_seconds, heartbeat_seconds, dead_letter, data, singleton_key, group_id, group_tier, priority, blocked, blocking, pending_dependencies, singleton_on, upsert_by_key)
            SELECT COALESCE(i.id, gen_random_uuid()), q.name, i.starts, "pgboss".job_now(), i.starts + COALESCE(i.retention_seconds, q.retention_seconds) * interval '1 second', q.policy, COALESCE(i.retry_limit, q.retry_limit), COALESCE(i.retry_delay, q.retry_delay), COALESCE(i.retry_backoff, q.retry_backoff), COALESCE(i.retry_delay_max, q.retry_delay_max), COALESCE(i.expire_seconds, q.expire_seconds), COALESCE(i.deletion_seconds, q.deletion_seconds), COALESCE(i.heartbeat_seconds, q.heartbeat_seconds), COALESCE(i.dead_letter, q.dead_letter), i.data, i.singleton_key, i.group_id, i.group_tier, COALESCE(i.priority, 0), COALESCE(i.blocked, false), COALESCE(i.blocking, false), COALESCE(i.pending_dependencies, 0), 
    timestamp 'epoch' + interval '1 second' * (
        i.singleton_seconds * floor((date_part('epoch', "pgboss".job_now()) + 0) / i.singleton_seconds))
, i.upsert_by_key
              FROM incoming i CROSS JOIN queue q
             WHERE NOT EXISTS (SELECT FROM missing) AND NOT EXISTS (SELECT FROM lost) AND NOT EXISTS (SELECT FROM keyless) AND q.name = i.name

            RETURNING id, start_after

        ), linked AS (
            INSERT INTO "pgboss"."job_dependency" (child_name, child_id, parent_name, parent_id)
            SELECT d.child_name, d.child_id, d.parent_name, d.parent_id
              FROM json_to_recordset($2::json) AS d(child_name text, child_id uuid, parent_name text, parent_id uuid)
             WHERE NOT EXISTS (SELECT FROM missing) AND NOT EXISTS (SELECT FROM lost) AND NOT EXISTS (SELECT FROM keyless)
            ON CONFLICT DO NOTHING
        ), notified AS (
            SELECT pg_notify($3::text, q.name) FROM queue q WHERE q.notify AND NOT EXISTS (SELECT FROM missing) AND NOT EXISTS (SELECT FROM lost) AND NOT EXISTS (SELECT FROM keyless)
        )
        SELECT (SELECT count(*) FROM queue)::int AS queues,
               (SELECT array_agg(name ORDER BY name) FROM missing) AS missing,
               (SELECT array_agg(dead_letter) FROM lost) AS lost,
               (SELECT array_agg(name ORDER BY name) FROM keyless) AS keyless,
               (SELECT count(*) FROM created)::int AS created,
               (SELECT count(*) FROM notified)::int AS notified

-- create: with everything
WITH incoming AS MATERIALIZED (
            SELECT i.*, CASE WHEN i.start_after IS NULL THEN "pgboss".job_now() ELSE 
        CASE WHEN i.start_after LIKE '%Z' OR i.start_after ~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}' THEN (i.start_after)::timestamptz
             ELSE "pgboss".job_now() + (i.start_after)::interval
         END END AS starts FROM json_to_recordset($1::json) AS i(name text, id uuid, data jsonb, priority int, start_after text, singleton_key text, singleton_seconds int, group_id text, group_tier text, retry_limit int, retry_delay int, retry_backoff bool, retry_delay_max int, expire_seconds int, retention_seconds int, deletion_seconds int, heartbeat_seconds int, dead_letter text, upsert_by_key bool, blocked bool, blocking bool, pending_dependencies int, trace_context jsonb)
        ), queue AS MATERIALIZED (
            SELECT * FROM "pgboss"."queue" WHERE name = ANY(ARRAY(SELECT name FROM incoming))
        ), missing AS MATERIALIZED (
            SELECT name FROM incoming EXCEPT SELECT name FROM queue
        ), lost AS MATERIALIZED (
            SELECT DISTINCT i.dead_letter
              FROM incoming i
             WHERE i.dead_letter IS NOT NULL
               AND NOT EXISTS (SELECT FROM "pgboss"."queue" d WHERE d.name = i.dead_letter)
        ), keyless AS MATERIALIZED (
            SELECT DISTINCT q.name
              FROM queue q JOIN incoming i ON i.name = q.name
             WHERE q.policy = 'key_strict_fifo' AND COALESCE(i.singleton_key, '') = ''
        ), created AS (
            INSERT INTO "pgboss"."job" (id, name, start_after, created_on, keep_until, policy, retry_limit, retry_delay, retry_backoff, retry_delay_max, expire_seconds, deletion_seconds, heartbeat_seconds, dead_letter, data, singleton_key, group_id, group_tier, priority, blocked, blocking, pending_dependencies, singleton_on, upsert_by_key, trace_context)
            SELECT COALESCE(i.id, gen_random_uuid()), q.name, i.starts, "pgboss".job_now(), i.starts + COALESCE(i.retention_seconds, q.retention_seconds) * interval '1 second', q.policy, COALESCE(i.retry_limit, q.retry_limit), COALESCE(i.retry_delay, q.retry_delay), COALESCE(i.retry_backoff, q.retry_backoff), COALESCE(i.retry_delay_max, q.retry_delay_max), COALESCE(i.expire_seconds, q.expire_seconds), COALESCE(i.deletion_seconds, q.deletion_seconds), COALESCE(i.heartbeat_seconds, q.heartbeat_seconds), COALESCE(i.dead_letter, q.dead_letter), i.data, i.singleton_key, i.group_id, i.group_tier, COALESCE(i.priority, 0), COALESCE(i.blocked, false), COALESCE(i.blocking, false), COALESCE(i.pending_dependencies, 0), 
    timestamp 'epoch' + interval '1 second' * (
        i.singleton_seconds * floor((date_part('epoch', "pgboss".job_now()) + 0) / i.singleton_seconds))
, i.upsert_by_key, i.trace_context
              FROM incoming i CROSS JOIN queue q
             WHERE NOT EXISTS (SELECT FROM missing) AND NOT EXISTS (SELECT FROM lost) AND NOT EXISTS (SELECT FROM keyless) AND q.name = i.name

            RETURNING id, start_after

        ), linked AS (
            INSERT INTO "pgboss"."job_dependency" (child_name, child_id, parent_name, parent_id)
            SELECT d.child_name, d.child_id, d.parent_name, d.parent_id
              FROM json_to_recordset($2::json) AS d(child_name text, child_id uuid, parent_name text, parent_id uuid)
             WHERE NOT EXISTS (SELECT FROM missing) AND NOT EXISTS (SELECT FROM lost) AND NOT EXISTS (SELECT FROM keyless)
            ON CONFLICT DO NOTHING
        ), notified AS (
            SELECT pg_notify($3::text, q.name) FROM queue q WHERE q.notify AND NOT EXISTS (SELECT FROM missing) AND NOT EXISTS (SELECT FROM lost) AND NOT EXISTS (SELECT FROM keyless)
        )
        SELECT (SELECT count(*) FROM queue)::int AS queues,
               (SELECT array_agg(name ORDER BY name) FROM missing) AS missing,
               (SELECT array_agg(dead_letter) FROM lost) AS lost,
               (SELECT array_agg(name ORDER BY name) FROM keyless) AS keyless,
               (SELECT count(*) FROM created)::int AS created,
               (SELECT count(*) FROM notified)::int AS notified

-- dependencies: as little as possible
SELECT parent_name AS name, parent_id AS id
  FROM "pgboss"."job_dependency"
 WHERE child_name = $1::text AND child_id = $2::uuid 
 ORDER BY parent_name, parent_id
 LIMIT $3::int

-- dependencies: with everything
SELECT parent_name AS name, parent_id AS id
  FROM "pgboss"."job_dependency"
 WHERE child_name = $1::text AND child_id = $2::uuid AND (parent_name, parent_id) > ($4::text, $5::uuid)
 ORDER BY parent_name, parent_id
 LIMIT $3::int

-- dependents: as little as possible
SELECT child_name AS name, child_id AS id
  FROM "pgboss"."job_dependency"
 WHERE parent_name = $1::text AND parent_id = $2::uuid 
 ORDER BY child_name, child_id
 LIMIT $3::int

-- dependents: with everything
SELECT child_name AS name, child_id AS id
  FROM "pgboss"."job_dependency"
 WHERE parent_name = $1::text AND parent_id = $2::uuid AND (child_name, child_id) > ($4::text, $5::uuid)
 ORDER BY child_name, child_id
 LIMIT $3::int

-- probe_by_key
SELECT set_config('enable_hashjoin', 'off', true), set_config('enable_mergejoin', 'off', true)

-- resolve
WITH parents AS MATERIALIZED (
    SELECT p.name, p.id
      FROM "pgboss"."mail" p
     WHERE p.blocking AND p.state = 'completed'
     ORDER BY p.name, p.id
     LIMIT $1::int
       FOR UPDATE OF p SKIP LOCKED
), waiting AS MATERIALIZED (
    SELECT d.child_name, d.child_id, count(*)::int AS parents
      FROM parents p
      JOIN "pgboss"."job_dependency" d ON d.parent_name = p.name AND d.parent_id = p.id
     GROUP BY d.child_name, d.child_id
), children AS MATERIALIZED (
    SELECT j.name, j.id, w.parents
      FROM waiting w
      JOIN "pgboss"."job" j ON j.name = w.child_name AND j.id = w.child_id
     WHERE j.blocked
     ORDER BY j.name, j.id
       FOR UPDATE OF j
), counted AS (
    UPDATE "pgboss"."job" j
       SET pending_dependencies = GREATEST(j.pending_dependencies - c.parents, 0),
           blocked = GREATEST(j.pending_dependencies - c.parents, 0) > 0,
           start_after = CASE WHEN GREATEST(j.pending_dependencies - c.parents, 0) = 0 THEN GREATEST(j.start_after, "pgboss".job_now()) ELSE j.start_after END
      FROM children c
     WHERE j.name = c.name AND j.id = c.id
    RETURNING j.name, j.state, j.blocked, j.start_after
), freed AS MATERIALIZED (
    SELECT name, start_after FROM counted WHERE NOT blocked AND state < 'active'
), cleared AS (
    UPDATE "pgboss"."mail" p
       SET blocking = false
      FROM parents r
     WHERE p.name = r.name AND p.id = r.id
), notified AS (
    SELECT pg_notify($2::text, q.name)
      FROM "pgboss"."queue" q
     WHERE q.notify AND q.name IN (SELECT name FROM freed WHERE start_after <= "pgboss".job_now())
)
SELECT (SELECT count(*) FROM parents)::int AS resolved,
       (SELECT count(*) FROM freed)::int AS freed,
       (SELECT count(*) FROM waiting w JOIN "pgboss"."job" j ON j.name = w.child_name AND j.id = w.child_id
         WHERE j.blocked)::int - (SELECT count(*) FROM children)::int AS missed,
       (SELECT count(*) FROM notified)::int AS notified

-- tables
SELECT DISTINCT table_name
  FROM "pgboss"."queue"
 WHERE $1::text[] IS NULL OR name = ANY($1::text[])
 ORDER BY table_name

-- unresolved
SELECT $1::text AS table_name
 WHERE (SELECT true FROM "pgboss"."mail" p
         WHERE p.blocking AND p.state = 'completed' ORDER BY p.name, p.id LIMIT 1)
