-- update: as little as possible
WITH queue AS MATERIALIZED (
    SELECT q.*, false AS keyless FROM "pgboss"."queue" q WHERE q.name = $1::text
), lost AS MATERIALIZED (
    SELECT $4::text AS dead_letter
     WHERE $4::text IS NOT NULL AND NOT EXISTS (SELECT FROM "pgboss"."queue" d WHERE d.name = $4::text)
), target AS MATERIALIZED (
    SELECT j.id
      FROM "pgboss"."job" j
     WHERE j.name = $1::text AND j.id = $3::uuid AND j.state < 'active'
       AND EXISTS (SELECT FROM queue q WHERE NOT q.keyless) AND NOT EXISTS (SELECT FROM lost)

), changed AS (
    UPDATE "pgboss"."job" j
       SET state = j.state
     WHERE j.name = $1::text AND j.id = ANY(ARRAY(SELECT id FROM target)) AND j.state < 'active'
    RETURNING j.id, j.start_after
), notified AS (
    SELECT pg_notify($2::text, q.name)
      FROM queue q
     WHERE q.notify AND EXISTS (SELECT FROM changed WHERE start_after <= "pgboss".job_now())
)
SELECT (SELECT count(*) FROM queue)::int AS queues,
       (SELECT array_agg(dead_letter) FROM lost) AS lost,
       EXISTS (SELECT FROM queue q WHERE q.keyless) AS keyless,
       (SELECT array_agg(id) FROM changed) AS ids,
       (SELECT count(*) FROM notified)::int AS notified

-- update: with everything
WITH queue AS MATERIALIZED (
    SELECT q.*, false AS keyless FROM "pgboss"."queue" q WHERE q.name = $1::text
), lost AS MATERIALIZED (
    SELECT $4::text AS dead_letter
     WHERE $4::text IS NOT NULL AND NOT EXISTS (SELECT FROM "pgboss"."queue" d WHERE d.name = $4::text)
), target AS MATERIALIZED (
    SELECT j.id
      FROM "pgboss"."job" j
     WHERE j.name = $1::text AND j.singleton_key = $3::text AND j.state < 'active'
       AND EXISTS (SELECT FROM queue q WHERE NOT q.keyless) AND NOT EXISTS (SELECT FROM lost)
     ORDER BY j.created_on LIMIT 1
), changed AS (
    UPDATE "pgboss"."job" j
       SET state = j.state,
           data = $5::jsonb,
           priority = $6::int,
           expire_seconds = $7::int,
           deletion_seconds = $8::int,
           retry_limit = $9::int,
           retry_delay = $10::int,
           retry_backoff = $11::bool,
           retry_delay_max = $12::int,
           heartbeat_seconds = $13::int,
           dead_letter = $14::text,
           group_id = $15::text,
           group_tier = $16::text,
           start_after = (
CASE WHEN $17::text LIKE '%Z' OR $17::text ~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}' THEN ($17::text)::timestamptz
     ELSE "pgboss".job_now() + ($17::text)::interval
 END),
           keep_until = (
CASE WHEN $17::text LIKE '%Z' OR $17::text ~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}' THEN ($17::text)::timestamptz
     ELSE "pgboss".job_now() + ($17::text)::interval
 END) + $18::int * interval '1 second'
     WHERE j.name = $1::text AND j.id = ANY(ARRAY(SELECT id FROM target)) AND j.state < 'active'
    RETURNING j.id, j.start_after
), notified AS (
    SELECT pg_notify($2::text, q.name)
      FROM queue q
     WHERE q.notify AND EXISTS (SELECT FROM changed WHERE start_after <= "pgboss".job_now())
)
SELECT (SELECT count(*) FROM queue)::int AS queues,
       (SELECT array_agg(dead_letter) FROM lost) AS lost,
       EXISTS (SELECT FROM queue q WHERE q.keyless) AS keyless,
       (SELECT array_agg(id) FROM changed) AS ids,
       (SELECT count(*) FROM notified)::int AS notified
