-- create_function
CREATE OR REPLACE FUNCTION "pgboss"."py_audit_refuse"() RETURNS trigger LANGUAGE plpgsql AS
$$
BEGIN
  RAISE EXCEPTION 'Entries of py_audit are neither changed nor removed.' USING ERRCODE = 'restrict_violation';
END
$$

-- create_table
CREATE TABLE IF NOT EXISTS "pgboss"."py_audit" (
  id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  done_on  timestamptz NOT NULL,
  who      text NOT NULL,
  action   text NOT NULL,
  what     jsonb NOT NULL
)

-- entries
SELECT id, done_on, who, action, what
  FROM "pgboss"."py_audit"
 WHERE ($1::bigint IS NULL OR id < $1::bigint) AND ($2::timestamptz IS NULL OR done_on >= $2::timestamptz)
 ORDER BY id DESC
 LIMIT $3::int

-- is_kept
SELECT EXISTS (SELECT FROM pg_catalog.pg_trigger t
                 JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid
                 JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
                WHERE n.nspname = $1::text AND c.relname = $2::text AND t.tgname = $3::text)

-- keep
CREATE TRIGGER py_audit_keep BEFORE UPDATE OR DELETE OR TRUNCATE ON "pgboss"."py_audit"
FOR EACH STATEMENT EXECUTE FUNCTION "pgboss"."py_audit_refuse"()

-- record
INSERT INTO "pgboss"."py_audit" (done_on, who, action, what)
VALUES ("pgboss".job_now(), $1::text, $2::text, $3::jsonb)
