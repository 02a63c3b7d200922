-- due_again
SELECT cron_on, extract(epoch FROM "pgboss".job_now() - cron_on)::float8 AS elapsed,
       round(extract(epoch FROM cron_on) * 1000)::bigint AS last_pass,
       round(extract(epoch FROM "pgboss".job_now()) * 1000)::bigint AS now
  FROM "pgboss"."version"

-- find: as little as possible
SELECT s.name, s.key, s.kind, s.cron, s.timezone, s.data::text, s.options::text, s.created_on, s.updated_on, s.last_job_id
  FROM "pgboss"."schedule" s

 ORDER BY s.name, s.key
 LIMIT $1::int

-- find: with everything
SELECT s.name, s.key, s.kind, s.cron, s.timezone, s.data::text, s.options::text, s.created_on, s.updated_on, s.last_job_id
  FROM "pgboss"."schedule" s
 WHERE s.name = $1::text AND s.key = $2::text AND (s.name, s.key) > ($3::text, $4::text)
 ORDER BY s.name, s.key
 LIMIT $5::int

-- fire
WITH queue AS MATERIALIZED (
    SELECT * FROM "pgboss"."queue" WHERE name = '__pgboss__send-it'
), turn AS (
    UPDATE "pgboss"."version"
       SET cron_on = "pgboss".job_now()
     WHERE extract(epoch FROM "pgboss".job_now() - COALESCE(cron_on, "pgboss".job_now() - interval '1 week')) >= $1::float8
       AND cron_on IS NOT DISTINCT FROM $2::timestamptz
       AND EXISTS (SELECT FROM queue)
    RETURNING true
), created AS (
    INSERT INTO "pgboss"."job" (
        id, name, data, priority, start_after, created_on, singleton_key, singleton_on, retry_limit,
        retry_delay, retry_backoff, retry_delay_max, expire_seconds, deletion_seconds, keep_until,
        heartbeat_seconds, dead_letter, policy)
    SELECT gen_random_uuid(), q.name,
           jsonb_build_object(
               'name', s.name, 'key', s.key, 'data', s.data, 'options', s.options, 'slot', o.slot),
           0, "pgboss".job_now(), "pgboss".job_now(), o.singleton_key, o.slot::timestamp, q.retry_limit,
           q.retry_delay, q.retry_backoff, q.retry_delay_max, q.expire_seconds, q.deletion_seconds,
           "pgboss".job_now() + q.retention_seconds * interval '1 second',
           q.heartbeat_seconds, q.dead_letter, q.policy
      FROM json_to_recordset($3::json) AS o(name text, key text, cron text, singleton_key text, slot text)
      JOIN "pgboss"."schedule" s ON s.name = o.name AND s.key = o.key AND s.cron = o.cron
     CROSS JOIN queue q
     WHERE EXISTS (SELECT FROM turn)
        ON CONFLICT DO NOTHING
    RETURNING 1
)
SELECT EXISTS (SELECT FROM turn) AS claimed,
       (SELECT count(*) FROM queue)::int AS queues,
       (SELECT count(*) FROM created)::int AS created

-- rows
SELECT name, key, kind, cron, timezone, options ->> 'missed' AS missed,
       floor(extract(epoch FROM created_on) * 1000)::bigint AS created
  FROM "pgboss"."schedule"
 ORDER BY name, key

-- schedule
INSERT INTO "pgboss"."schedule" AS s
       (name, key, kind, cron, timezone, data, options, created_on, updated_on)
VALUES ($1::text, $2::text, $3::text, $4::text, $5::text, NULLIF($6::jsonb, 'null'), $7::jsonb,
        "pgboss".job_now(), "pgboss".job_now())
    ON CONFLICT (name, key) DO UPDATE
   SET kind = EXCLUDED.kind, cron = EXCLUDED.cron, timezone = EXCLUDED.timezone, data = EXCLUDED.data,
       options = EXCLUDED.options, updated_on = "pgboss".job_now()

-- set_kinds
UPDATE "pgboss"."schedule" s
   SET kind = k.kind
  FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) AS k(name, key, cron, kind)
 WHERE s.name = k.name AND s.key = k.key AND s.cron = k.cron

-- set_last_jobs
UPDATE "pgboss"."schedule" s
   SET last_job_id = l.job_id
  FROM unnest($1::text[], $2::text[], $3::uuid[]) AS l(name, key, job_id)
 WHERE s.name = l.name AND s.key = l.key

-- time
SELECT round(extract(epoch FROM "pgboss".job_now()) * 1000)::bigint AS now

-- unschedule
DELETE FROM "pgboss"."schedule" WHERE name = $1::text AND key = $2::text RETURNING name
