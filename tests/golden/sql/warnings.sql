-- delete_old
WITH old AS MATERIALIZED (
    SELECT id
      FROM "pgboss"."warning"
     WHERE created_on < "pgboss".job_now() - make_interval(days => $1::int)
     ORDER BY created_on
     LIMIT $2::int
       FOR UPDATE SKIP LOCKED
), removed AS (
    DELETE FROM "pgboss"."warning" w USING old WHERE w.id = old.id RETURNING 1
)
SELECT count(*)::int FROM removed

-- find
SELECT id, type, message, data::text AS data, created_on
  FROM "pgboss"."warning"
 WHERE ($1::text IS NULL OR type = $1::text)
   AND ($2::timestamptz IS NULL OR (created_on, id) < ($2::timestamptz, $3::uuid))
 ORDER BY created_on DESC, id DESC
 LIMIT $4::int

-- store
INSERT INTO "pgboss"."warning" (type, message, data, created_on)
VALUES ($1::text, $2::text, $3::jsonb, "pgboss".job_now())
