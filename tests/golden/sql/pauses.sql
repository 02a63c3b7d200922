-- create_table
CREATE TABLE IF NOT EXISTS "pgboss"."py_pause" (
    kind       text NOT NULL,
    target     text NOT NULL,
    paused_on  timestamptz NOT NULL,
    PRIMARY KEY (kind, target)
)

-- pause
INSERT INTO "pgboss"."py_pause" (kind, target, paused_on)
VALUES ($1::text, $2::text, "pgboss".job_now())
ON CONFLICT DO NOTHING

-- pauses
SELECT kind, target, paused_on FROM "pgboss"."py_pause" ORDER BY paused_on, kind, target

-- resume
DELETE FROM "pgboss"."py_pause" WHERE kind = $1::text AND target = $2::text
