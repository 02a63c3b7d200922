-- claim: as little as possible
WITH running AS MATERIALIZED (
    SELECT r.id,
           r.started_on < "pgboss".job_now() - interval '300 seconds'
           AND NOT EXISTS (
               SELECT FROM pg_locks l
                WHERE l.locktype = 'relation' AND l.granted AND l.mode = 'ShareUpdateExclusiveLock'
                  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
                  AND l.relation = to_regclass(format('%I.%I', $1::text, r.table_name))) AS is_forsaken
      FROM "pgboss"."bam" r
     WHERE r.status = 'in_progress'
), next AS (
    SELECT c.id, c.status, c.started_on
      FROM "pgboss"."bam" c
     WHERE (c.status = 'pending' OR c.status = 'failed' OR c.id IN (SELECT id FROM running WHERE is_forsaken))
       AND NOT EXISTS (SELECT FROM running WHERE is_forsaken IS NOT TRUE)
       AND NOT EXISTS (
           SELECT FROM "pgboss"."bam" e
            WHERE e.version = c.version AND e.table_name = c.table_name
              AND e.created_on < c.created_on AND e.status <> 'completed')
     ORDER BY c.status <> 'pending', c.created_on
     LIMIT 1
       FOR UPDATE OF c SKIP LOCKED
)
UPDATE "pgboss"."bam" b
   SET status = 'in_progress', started_on = "pgboss".job_now()
  FROM next
 WHERE b.id = next.id
RETURNING b.id, b.name, b.queue, b.table_name AS "table", b.command, b.started_on,
          next.status AS prior_status, next.started_on AS prior_started_on

-- claim: with everything
WITH running AS MATERIALIZED (
    SELECT r.id,
           r.started_on < "pgboss".job_now() - interval '300 seconds'
           AND NOT EXISTS (
               SELECT FROM pg_locks l
                WHERE l.locktype = 'relation' AND l.granted AND l.mode = 'ShareUpdateExclusiveLock'
                  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
                  AND l.relation = to_regclass(format('%I.%I', $1::text, r.table_name))) AS is_forsaken
      FROM "pgboss"."bam" r
     WHERE r.status = 'in_progress'
), next AS (
    SELECT c.id, c.status, c.started_on
      FROM "pgboss"."bam" c
     WHERE c.status = 'pending'
       AND NOT EXISTS (SELECT FROM running WHERE is_forsaken IS NOT TRUE)
       AND NOT EXISTS (
           SELECT FROM "pgboss"."bam" e
            WHERE e.version = c.version AND e.table_name = c.table_name
              AND e.created_on < c.created_on AND e.status <> 'completed')
     ORDER BY c.status <> 'pending', c.created_on
     LIMIT 1
       FOR UPDATE OF c SKIP LOCKED
)
UPDATE "pgboss"."bam" b
   SET status = 'in_progress', started_on = "pgboss".job_now()
  FROM next
 WHERE b.id = next.id
RETURNING b.id, b.name, b.queue, b.table_name AS "table", b.command, b.started_on,
          next.status AS prior_status, next.started_on AS prior_started_on

-- complete
UPDATE "pgboss"."bam"
   SET status = 'completed', completed_on = "pgboss".job_now(), error = NULL
 WHERE id = $1::uuid AND status = 'in_progress' AND started_on = $2::timestamptz

-- entries: as little as possible
SELECT id, name, version, status, queue, table_name AS "table", command, error,
       created_on, started_on, completed_on
  FROM "pgboss"."bam"
 WHERE $1::uuid IS NULL
 ORDER BY version, created_on, id
 LIMIT $2::int

-- entries: with everything
SELECT id, name, version, status, queue, table_name AS "table", command, error,
       created_on, started_on, completed_on
  FROM "pgboss"."bam"
 WHERE (version, created_on, id) > (SELECT a.version, a.created_on, a.id FROM "pgboss"."bam" a WHERE a.id = $1::uuid)
 ORDER BY version, created_on, id
 LIMIT $2::int

-- exists
SELECT true FROM "pgboss"."bam" WHERE id = $1::uuid

-- fail
UPDATE "pgboss"."bam"
   SET status = 'failed', completed_on = "pgboss".job_now(), error = $3::text
 WHERE id = $1::uuid AND status = 'in_progress' AND started_on = $2::timestamptz

-- release
UPDATE "pgboss"."bam"
   SET status = $3::text, started_on = $4::timestamptz
 WHERE id = $1::uuid AND status = 'in_progress' AND started_on = $2::timestamptz

-- statuses
SELECT status, count(*)::int AS count, max(created_on) AS last_created_on
  FROM "pgboss"."bam"
 GROUP BY status
 ORDER BY status
