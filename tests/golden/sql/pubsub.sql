-- find
SELECT event, name, created_on
  FROM "pgboss"."subscription"
 WHERE ($1::text IS NULL OR event = $1::text)
   AND ($2::text IS NULL OR name = $2::text)
   AND ($3::text IS NULL OR (event, name) > ($3::text, $4::text))
 ORDER BY event, name
 LIMIT $5::int

-- subscribe
INSERT INTO "pgboss"."subscription" AS s (event, name, created_on, updated_on)
VALUES ($1::text, $2::text, "pgboss".job_now(), "pgboss".job_now())
ON CONFLICT (event, name) DO UPDATE SET updated_on = EXCLUDED.updated_on

-- subscribers
SELECT q.name, q.policy
  FROM "pgboss"."subscription" s JOIN "pgboss"."queue" q ON q.name = s.name
 WHERE s.event = $1::text
 ORDER BY q.name
   FOR KEY SHARE OF q

-- unsubscribe
DELETE FROM "pgboss"."subscription" WHERE event = $1::text AND name = $2::text
