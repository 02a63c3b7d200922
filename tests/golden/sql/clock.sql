-- create_table
CREATE TABLE "pgboss"."__pgboss_test_clock" (now timestamptz NOT NULL)

-- current_time
SELECT "pgboss".job_now()

-- drop_table
DROP TABLE IF EXISTS "pgboss"."__pgboss_test_clock"

-- move
UPDATE "pgboss"."__pgboss_test_clock" SET now = $1::timestamptz

-- replace_function
CREATE OR REPLACE FUNCTION "pgboss".job_now() RETURNS timestamptz LANGUAGE sql STABLE AS $clock$
    SELECT COALESCE(
        CASE current_setting('pgboss.test_clock', true)
             WHEN 'on' THEN (SELECT now FROM "pgboss"."__pgboss_test_clock" LIMIT 1)
         END,
        pg_catalog.now())
$clock$

-- start
INSERT INTO "pgboss"."__pgboss_test_clock" (now) VALUES ($1::timestamptz)

-- stored_function
SELECT pg_get_functiondef(p.oid) AS definition,
       strpos(pg_get_functiondef(p.oid), $3::text) > 0 AS is_test_clock
  FROM pg_proc p
 WHERE p.pronamespace = to_regnamespace($1::text) AND p.proname = $2::text AND p.pronargs = 0
