-- beat
INSERT INTO "pgboss"."instance" (id, name, host, pid, version, node_version, heartbeat_seconds, supervise, schedule, migrate,
       persist_queue_stats, persist_warnings, pool_max, pool_total, pool_idle, pool_waiting,
       workers, metrics, config, application_name, started_on, heartbeat_on)
VALUES ($1::uuid, $2::text, $3::text, $4::int, $5::text, $6::text, $7::int, $8::bool, $9::bool, $10::bool,
       $11::bool, $12::bool, $13::int, $14::int, $15::int, $16::int,
       $17::text::jsonb, $18::text::jsonb, $19::text::jsonb, current_setting('application_name'), $20::timestamptz, "pgboss".job_now())
ON CONFLICT (id) DO UPDATE
   SET pool_max = EXCLUDED.pool_max, pool_total = EXCLUDED.pool_total,
       pool_idle = EXCLUDED.pool_idle, pool_waiting = EXCLUDED.pool_waiting,
       workers = EXCLUDED.workers, metrics = EXCLUDED.metrics, heartbeat_on = EXCLUDED.heartbeat_on

-- count_crashes
WITH me AS (
    SELECT id, name, host, pid, started_on FROM "pgboss"."instance" WHERE id = $1::uuid
), before AS (
    SELECT i.*,
           i.heartbeat_on < "pgboss".job_now() - i.heartbeat_seconds * 3 * interval '1 second' OR (i.pid = me.pid AND i.heartbeat_on < ("pgboss".job_now() - $2::float8 * interval '1 second')) AS is_dead
      FROM me
      JOIN "pgboss"."instance" i
        ON i.id <> me.id AND i.host = me.host AND i.name IS NOT DISTINCT FROM me.name
       AND i.started_on < me.started_on AND i.heartbeat_on <= me.started_on
     WHERE NOT (i.pid = me.pid AND i.started_on >= ("pgboss".job_now() - $2::float8 * interval '1 second'))
), unstopped AS (
    SELECT b.*
      FROM before b
     WHERE b.stopped_on IS NULL
       AND b.started_on > COALESCE(
               (SELECT max(started_on) FROM before WHERE stopped_on IS NOT NULL), '-infinity')
),
crashed AS (
    SELECT id,
           row_number() OVER earliest AS nth,
           count(*) OVER () AS crashes,
           first_value(crash_restarts) OVER earliest AS base,
           COALESCE(first_value(crash_restarts_since) OVER earliest,
                    first_value(heartbeat_on) OVER earliest) AS since
      FROM unstopped
     WHERE is_dead
    WINDOW earliest AS (ORDER BY started_on, id)
), counted AS (
    SELECT id, base + nth - 1 AS restarts, since
      FROM crashed
     WHERE nth > 1
     UNION ALL
    SELECT me.id, COALESCE(c.base + c.crashes, 0), c.since
      FROM me LEFT JOIN crashed c ON c.nth = 1
)
UPDATE "pgboss"."instance" i
   SET crash_restarts = counted.restarts::int, crash_restarts_since = counted.since
  FROM counted
 WHERE i.id = counted.id

-- exists
SELECT 1 FROM "pgboss"."instance" WHERE id = $1::uuid

-- instances: as little as possible
SELECT i.id, i.name, i.host, i.pid, i.version, i.node_version, i.application_name, i.heartbeat_seconds, i.supervise, i.schedule, i.migrate, i.persist_queue_stats, i.persist_warnings, i.pool_max, i.pool_total, i.pool_idle, i.pool_waiting, i.workers::text, i.metrics::text, i.config::text, i.crash_restarts, i.crash_restarts_since, i.started_on, i.heartbeat_on, i.stopped_on, (NOT (i.stopped_on IS NOT NULL OR i.heartbeat_on < "pgboss".job_now() - i.heartbeat_seconds * 3 * interval '1 second')) AS live
  FROM "pgboss"."instance" i
 ORDER BY i.started_on, i.id
 LIMIT $1::int

-- instances: with everything
SELECT i.id, i.name, i.host, i.pid, i.version, i.node_version, i.application_name, i.heartbeat_seconds, i.supervise, i.schedule, i.migrate, i.persist_queue_stats, i.persist_warnings, i.pool_max, i.pool_total, i.pool_idle, i.pool_waiting, i.workers::text, i.metrics::text, i.config::text, i.crash_restarts, i.crash_restarts_since, i.started_on, i.heartbeat_on, i.stopped_on, (NOT (i.stopped_on IS NOT NULL OR i.heartbeat_on < "pgboss".job_now() - i.heartbeat_seconds * 3 * interval '1 second')) AS live
  FROM "pgboss"."instance" i
 WHERE (i.started_on, i.id) > (
       (SELECT started_on FROM "pgboss"."instance" WHERE id = $2::uuid), $2::uuid)
 ORDER BY i.started_on, i.id
 LIMIT $1::int

-- prune_dead
DELETE FROM "pgboss"."instance"
 WHERE id IN (
    SELECT l.id
      FROM "pgboss"."instance" l
     WHERE l.id IN (
        SELECT i.id
          FROM "pgboss"."instance" i
         WHERE (i.stopped_on IS NOT NULL OR i.heartbeat_on < "pgboss".job_now() - i.heartbeat_seconds * 3 * interval '1 second') AND true
         ORDER BY i.started_on DESC, i.id DESC
        OFFSET 1000)
       FOR UPDATE SKIP LOCKED)

-- prune_lives
DELETE FROM "pgboss"."instance"
 WHERE id IN (
    SELECT l.id
      FROM "pgboss"."instance" l
     WHERE l.id IN (
        SELECT i.id
          FROM "pgboss"."instance" i
         WHERE (i.stopped_on IS NOT NULL OR i.heartbeat_on < "pgboss".job_now() - i.heartbeat_seconds * 3 * interval '1 second') AND EXISTS (
            SELECT FROM "pgboss"."instance" me
             WHERE me.id = $1::uuid AND i.id <> me.id
               AND CASE WHEN me.name IS NULL THEN i.name IS NULL AND i.host = me.host
                        ELSE i.name = me.name END)
         ORDER BY i.started_on DESC, i.id DESC
        OFFSET 20)
       FOR UPDATE SKIP LOCKED)

-- prune_old
DELETE FROM "pgboss"."instance"
 WHERE heartbeat_on < "pgboss".job_now() - interval '7 days'

-- register
INSERT INTO "pgboss"."instance" AS i (id, name, host, pid, version, node_version, heartbeat_seconds, supervise, schedule, migrate,
       persist_queue_stats, persist_warnings, pool_max, pool_total, pool_idle, pool_waiting,
       workers, metrics, config, application_name, started_on, heartbeat_on)
VALUES ($1::uuid, $2::text, $3::text, $4::int, $5::text, $6::text, $7::int, $8::bool, $9::bool, $10::bool,
       $11::bool, $12::bool, $13::int, $14::int, $15::int, $16::int,
       $17::text::jsonb, $18::text::jsonb, $19::text::jsonb, current_setting('application_name'), "pgboss".job_now(), "pgboss".job_now())
ON CONFLICT (id) DO UPDATE
   SET name = EXCLUDED.name, host = EXCLUDED.host, pid = EXCLUDED.pid,
       version = EXCLUDED.version, node_version = EXCLUDED.node_version,
       heartbeat_seconds = EXCLUDED.heartbeat_seconds, supervise = EXCLUDED.supervise,
       schedule = EXCLUDED.schedule, migrate = EXCLUDED.migrate,
       persist_queue_stats = EXCLUDED.persist_queue_stats, persist_warnings = EXCLUDED.persist_warnings,
       application_name = EXCLUDED.application_name, config = EXCLUDED.config,
       started_on = EXCLUDED.started_on, stopped_on = NULL,
       crash_restarts = 0, crash_restarts_since = NULL,
       pool_max = EXCLUDED.pool_max, pool_total = EXCLUDED.pool_total,
       pool_idle = EXCLUDED.pool_idle, pool_waiting = EXCLUDED.pool_waiting,
       workers = EXCLUDED.workers, metrics = EXCLUDED.metrics, heartbeat_on = EXCLUDED.heartbeat_on
RETURNING i.started_on

-- seconds_until_judged
WITH me AS (
    SELECT id, name, host, pid, started_on FROM "pgboss"."instance" WHERE id = $1::uuid
), before AS (
    SELECT i.*,
           i.heartbeat_on < "pgboss".job_now() - i.heartbeat_seconds * 3 * interval '1 second' OR (i.pid = me.pid AND i.heartbeat_on < ("pgboss".job_now() - $2::float8 * interval '1 second')) AS is_dead
      FROM me
      JOIN "pgboss"."instance" i
        ON i.id <> me.id AND i.host = me.host AND i.name IS NOT DISTINCT FROM me.name
       AND i.started_on < me.started_on AND i.heartbeat_on <= me.started_on
     WHERE NOT (i.pid = me.pid AND i.started_on >= ("pgboss".job_now() - $2::float8 * interval '1 second'))
), unstopped AS (
    SELECT b.*
      FROM before b
     WHERE b.stopped_on IS NULL
       AND b.started_on > COALESCE(
               (SELECT max(started_on) FROM before WHERE stopped_on IS NOT NULL), '-infinity')
)
SELECT extract(epoch FROM max(heartbeat_on + heartbeat_seconds * 3 * interval '1 second')
               - "pgboss".job_now())::float8
  FROM unstopped
 WHERE NOT is_dead

-- stop
UPDATE "pgboss"."instance" SET stopped_on = "pgboss".job_now() WHERE id = $1::uuid
