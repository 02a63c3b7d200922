-- activate: as little as possible
UPDATE "pgboss"."job_common" j
   SET state = 'active', started_on = $3::timestamptz, heartbeat_on = "pgboss".job_now(),
       retry_count = CASE WHEN j.started_on IS NULL THEN j.retry_count ELSE j.retry_count + 1 END
 WHERE j.name = $1::text AND j.id = ANY(ARRAY(SELECT unnest($2::uuid[]))) AND (j.state < 'active') IS TRUE

-- activate: with everything
UPDATE "pgboss"."job_common" j
   SET state = 'active', started_on = $3::timestamptz, heartbeat_on = "pgboss".job_now(),
       heartbeat_seconds = COALESCE(j.heartbeat_seconds, $4::int),
       retry_count = CASE WHEN j.started_on IS NULL THEN j.retry_count ELSE j.retry_count + 1 END
 WHERE j.name = $1::text AND j.id = ANY(ARRAY(SELECT unnest($2::uuid[]))) AND (j.state < 'active') IS TRUE

-- clear
DELETE FROM "pgboss"."py_express" e
 WHERE e.name = $1::text AND e.is_suspect
   AND NOT EXISTS (
        SELECT FROM "pgboss"."job_common" j
         WHERE j.name = $1::text AND j.id = ANY(e.ids) AND (j.state < 'completed') IS TRUE)

-- complete_each: as little as possible
WITH let_go AS (
    UPDATE "pgboss"."py_express" SET ids = '{}' WHERE lane = $5::bigint
), done AS (
    UPDATE "pgboss"."job_common" j
       SET state = 'completed', completed_on = (CASE WHEN "pgboss".job_now() = pg_catalog.now() THEN "pgboss".job_now() + $6::float8 * interval '1 second' ELSE "pgboss".job_now() END), output = a.output::jsonb,
           started_on = $4::timestamptz, heartbeat_on = $4::timestamptz,
           retry_count = CASE WHEN j.started_on IS NULL THEN j.retry_count ELSE j.retry_count + 1 END
      FROM ROWS FROM (unnest($2::uuid[], $3::text[]), generate_subscripts($2::uuid[], 1)) AS a(id, output, place)
     WHERE j.name = $1::text AND j.id = ANY(ARRAY(SELECT unnest($2::uuid[]))) AND j.id = a.id AND (j.state < 'active') IS TRUE

    RETURNING j.id, j.blocking
), over AS (
    SELECT * FROM done 
)
SELECT count(*)::int AS settled,
       array_agg(id) FILTER (WHERE blocking) AS parents,
       CASE WHEN count(*) < cardinality($2::uuid[]) THEN array_agg(id) END AS kept
  FROM over

-- complete_each: with everything
WITH let_go AS (
    UPDATE "pgboss"."py_express" SET ids = '{}' WHERE lane = $5::bigint
), gone AS (
    DELETE FROM "pgboss"."job_common" j
     WHERE j.name = $1::text AND j.id = ANY(ARRAY(SELECT unnest($2::uuid[]))) AND (j.state < 'active') IS TRUE AND NOT (j.blocking OR j.singleton_on IS NOT NULL)
    RETURNING j.id, j.blocking
), done AS (
    UPDATE "pgboss"."job_common" j
       SET state = 'completed', completed_on = (CASE WHEN "pgboss".job_now() = pg_catalog.now() THEN "pgboss".job_now() + $7::float8 * interval '1 second' ELSE "pgboss".job_now() END), output = a.output::jsonb,
           started_on = $4::timestamptz, heartbeat_on = $4::timestamptz,
       heartbeat_seconds = COALESCE(j.heartbeat_seconds, $6::int),
           retry_count = CASE WHEN j.started_on IS NULL THEN j.retry_count ELSE j.retry_count + 1 END
      FROM ROWS FROM (unnest($2::uuid[], $3::text[]), generate_subscripts($2::uuid[], 1)) AS a(id, output, place)
     WHERE j.name = $1::text AND j.id = ANY(ARRAY(SELECT unnest($2::uuid[]))) AND j.id = a.id AND (j.state < 'active') IS TRUE
           AND (j.blocking OR j.singleton_on IS NOT NULL)
    RETURNING j.id, j.blocking
), over AS (
    SELECT * FROM done UNION ALL SELECT * FROM gone
)
SELECT count(*)::int AS settled,
       array_agg(id) FILTER (WHERE blocking) AS parents,
       CASE WHEN count(*) < cardinality($2::uuid[]) THEN array_agg(id) END AS kept
  FROM over

-- count_lost
WITH counted AS (
    UPDATE "pgboss"."job_common" j
       SET retry_count = CASE WHEN j.started_on IS NULL THEN j.retry_count ELSE j.retry_count + 1 END,
           started_on = $3::timestamptz,
           state = CASE WHEN CASE WHEN j.started_on IS NULL THEN j.retry_count ELSE j.retry_count + 1 END >= j.retry_limit THEN 'active' ELSE j.state END
     WHERE j.name = $1::text AND j.id = ANY(ARRAY(SELECT unnest($2::uuid[]))) AND (j.state < 'active') IS TRUE
       AND (j.started_on IS NULL OR j.started_on < $3::timestamptz)
    RETURNING j.id, j.retry_count, j.started_on, j.state
)
SELECT id, retry_count, started_on FROM counted WHERE state = 'active'

-- create_table
CREATE TABLE IF NOT EXISTS "pgboss"."py_express" (
    lane        bigint PRIMARY KEY,
    name        text NOT NULL,
    ids         uuid[] NOT NULL,
    begun_on    timestamptz NOT NULL,
    is_suspect  boolean NOT NULL DEFAULT false
)

-- dead_lanes
WITH busy AS MATERIALIZED (
    SELECT lane FROM "pgboss"."py_express" WHERE name = $1::text AND NOT is_suspect AND ids <> '{}'
)
SELECT lane FROM busy WHERE pg_try_advisory_xact_lock(lane)

-- has_suspects
SELECT EXISTS (SELECT FROM "pgboss"."py_express" WHERE name = $1::text AND is_suspect)

-- hold
INSERT INTO "pgboss"."py_express" AS e (lane, name, ids, begun_on)
SELECT $1::bigint, $2::text, $3::uuid[], "pgboss".job_now()
  FROM set_config('synchronous_commit', 'off', true)
    ON CONFLICT (lane) DO UPDATE SET ids = EXCLUDED.ids, begun_on = EXCLUDED.begun_on WHERE NOT e.is_suspect

-- let_go
UPDATE "pgboss"."py_express" SET ids = '{}' WHERE lane = $1::bigint

-- lock: as little as possible
SELECT found.*
  FROM (
    SELECT walk.*
      FROM (
        SELECT j.id, j.name, j.data::text, j.priority, CASE WHEN j.started_on IS NULL THEN j.retry_count ELSE j.retry_count + 1 END AS retry_count, j.retry_limit, j.expire_seconds, j.heartbeat_seconds, j.group_id, j.group_tier, j.singleton_key, j.created_on, "pgboss".job_now() AS started_on
          FROM "pgboss"."job_common" j
         WHERE j.name = $1::text AND j.state < 'active' AND NOT j.blocked AND j.start_after <= "pgboss".job_now()
           AND CASE WHEN j.id NOT IN (SELECT unnest(e.ids) FROM "pgboss"."py_express" e WHERE e.name = $1::text) THEN true END
         ORDER BY j.priority DESC, j.created_on
         LIMIT $2::int
           FOR UPDATE OF j SKIP LOCKED
      ) walk
     LIMIT (SELECT $2::int)
       ) found
 LIMIT (SELECT $2::int FROM pg_advisory_xact_lock($3::bigint))

-- lock: with everything
SELECT found.*
  FROM (
    SELECT part.*
      FROM ((
    SELECT walk.*
      FROM (
        SELECT j.id, j.name, j.data::text, j.priority, CASE WHEN j.started_on IS NULL THEN j.retry_count ELSE j.retry_count + 1 END AS retry_count, j.retry_limit, j.expire_seconds, COALESCE(j.heartbeat_seconds, $4::int) AS heartbeat_seconds, j.group_id, j.group_tier, j.singleton_key, j.created_on, "pgboss".job_now() AS started_on, 'active'::text AS state, j.output::text, LEAST(GREATEST(j.start_after, '0001-01-02T00:00:00Z'::timestamptz), '9999-12-31T00:00:00Z'::timestamptz), j.completed_on, LEAST(GREATEST(j.keep_until, '0001-01-02T00:00:00Z'::timestamptz), '9999-12-31T00:00:00Z'::timestamptz), "pgboss".job_now() AS heartbeat_on, j.retry_delay, j.retry_backoff, j.retry_delay_max, j.deletion_seconds, j.policy, j.dead_letter, j.singleton_on, j.blocked, j.blocking, j.pending_dependencies, j.source_name, j.source_id, j.source_created_on, j.source_retry_count, j.source_output::text, j.source_root_id, j.trace_context::text
          FROM "pgboss"."job_common" j
         WHERE j.name = $1::text AND j.state < 'active' AND NOT j.blocked AND j.start_after <= "pgboss".job_now() AND j.priority >= $5::int AND j.priority <= $6::int AND j.priority > $7::int AND j.created_on >= (SELECT LEAST($8::timestamptz, "pgboss".job_now() - $9::float8 * interval '1 second'))
           AND CASE WHEN j.id NOT IN (SELECT unnest(e.ids) FROM "pgboss"."py_express" e WHERE e.name = $1::text) THEN true END
         ORDER BY j.priority DESC, j.created_on
         LIMIT $2::int
           FOR UPDATE OF j SKIP LOCKED
      ) walk
     LIMIT (SELECT $2::int)
    ) UNION ALL (
    SELECT walk.*
      FROM (
        SELECT j.id, j.name, j.data::text, j.priority, CASE WHEN j.started_on IS NULL THEN j.retry_count ELSE j.retry_count + 1 END AS retry_count, j.retry_limit, j.expire_seconds, COALESCE(j.heartbeat_seconds, $4::int) AS heartbeat_seconds, j.group_id, j.group_tier, j.singleton_key, j.created_on, "pgboss".job_now() AS started_on, 'active'::text AS state, j.output::text, LEAST(GREATEST(j.start_after, '0001-01-02T00:00:00Z'::timestamptz), '9999-12-31T00:00:00Z'::timestamptz), j.completed_on, LEAST(GREATEST(j.keep_until, '0001-01-02T00:00:00Z'::timestamptz), '9999-12-31T00:00:00Z'::timestamptz), "pgboss".job_now() AS heartbeat_on, j.retry_delay, j.retry_backoff, j.retry_delay_max, j.deletion_seconds, j.policy, j.dead_letter, j.singleton_on, j.blocked, j.blocking, j.pending_dependencies, j.source_name, j.source_id, j.source_created_on, j.source_retry_count, j.source_output::text, j.source_root_id, j.trace_context::text
          FROM "pgboss"."job_common" j
         WHERE j.name = $1::text AND j.state < 'active' AND NOT j.blocked AND j.start_after <= "pgboss".job_now() AND j.priority >= $5::int AND j.priority <= $6::int AND j.priority = $7::int AND j.created_on >= (SELECT LEAST($8::timestamptz, "pgboss".job_now() - $9::float8 * interval '1 second'))
           AND CASE WHEN j.id NOT IN (SELECT unnest(e.ids) FROM "pgboss"."py_express" e WHERE e.name = $1::text) THEN true END
         ORDER BY j.priority DESC, j.created_on
         LIMIT $2::int
           FOR UPDATE OF j SKIP LOCKED
      ) walk
     LIMIT (SELECT $2::int)
    ) UNION ALL (
    SELECT walk.*
      FROM (
        SELECT j.id, j.name, j.data::text, j.priority, CASE WHEN j.started_on IS NULL THEN j.retry_count ELSE j.retry_count + 1 END AS retry_count, j.retry_limit, j.expire_seconds, COALESCE(j.heartbeat_seconds, $4::int) AS heartbeat_seconds, j.group_id, j.group_tier, j.singleton_key, j.created_on, "pgboss".job_now() AS started_on, 'active'::text AS state, j.output::text, LEAST(GREATEST(j.start_after, '0001-01-02T00:00:00Z'::timestamptz), '9999-12-31T00:00:00Z'::timestamptz), j.completed_on, LEAST(GREATEST(j.keep_until, '0001-01-02T00:00:00Z'::timestamptz), '9999-12-31T00:00:00Z'::timestamptz), "pgboss".job_now() AS heartbeat_on, j.retry_delay, j.retry_backoff, j.retry_delay_max, j.deletion_seconds, j.policy, j.dead_letter, j.singleton_on, j.blocked, j.blocking, j.pending_dependencies, j.source_name, j.source_id, j.source_created_on, j.source_retry_count, j.source_output::text, j.source_root_id, j.trace_context::text
          FROM "pgboss"."job_common" j
         WHERE j.name = $1::text AND j.state < 'active' AND NOT j.blocked AND j.start_after <= "pgboss".job_now() AND j.priority >= $5::int AND j.priority <= $6::int AND j.priority < $7::int AND j.created_on >= (SELECT LEAST($8::timestamptz, "pgboss".job_now() - $9::float8 * interval '1 second'))
           AND CASE WHEN j.id NOT IN (SELECT unnest(e.ids) FROM "pgboss"."py_express" e WHERE e.name = $1::text) THEN true END
         ORDER BY j.priority DESC, j.created_on
         LIMIT $2::int
           FOR UPDATE OF j SKIP LOCKED
      ) walk
     LIMIT (SELECT $2::int)
    )) part
     LIMIT $2::int
       ) found
 LIMIT (SELECT $2::int FROM pg_advisory_xact_lock($3::bigint))

-- remove
DELETE FROM "pgboss"."py_express" WHERE lane = $1::bigint AND NOT is_suspect

-- suspect
UPDATE "pgboss"."py_express"
   SET is_suspect = true
 WHERE lane = ANY($1::bigint[]) AND NOT is_suspect AND ids <> '{}'
RETURNING ids, begun_on
