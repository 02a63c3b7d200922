-- claim_retention
WITH due AS (
    SELECT name
      FROM "pgboss"."queue"
     WHERE name <> ALL($2::text[])
       AND ($3::text[] IS NULL OR name = ANY($3::text[]))
       AND extract(epoch FROM "pgboss".job_now() - COALESCE(maintain_on, "pgboss".job_now() - interval '1 week'))
           >= $1::float8
     ORDER BY name
     LIMIT 1
       FOR NO KEY UPDATE SKIP LOCKED
)
UPDATE "pgboss"."queue" q
   SET maintain_on = "pgboss".job_now()
  FROM due
 WHERE q.name = due.name
RETURNING q.name, q.table_name, q.maintain_on AS claimed_on, current_database()::text AS database

-- delete_old: as little as possible
WITH edge AS MATERIALIZED (
    SELECT id AS id
      FROM "pgboss"."mail"
     WHERE name = $1::text AND id >= $2::uuid
     ORDER BY id
    OFFSET $3::int - 1
     LIMIT 1
), old AS MATERIALIZED (
    SELECT j.id FROM "pgboss"."mail" j WHERE j.name = $1::text AND j.id >= $2::uuid AND j.id <= COALESCE((SELECT id FROM edge), 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid) AND j.state <> 'active'
       AND (j.deletion_seconds > 0 AND j.completed_on + j.deletion_seconds * interval '1 second' < "pgboss".job_now()
            OR j.state < 'active' AND j.keep_until < "pgboss".job_now())
       FOR UPDATE OF j SKIP LOCKED
), removed AS (
    DELETE FROM "pgboss"."mail" j WHERE j.name = $1::text AND j.id = ANY(ARRAY(SELECT id FROM old))
    RETURNING j.state, j.completed_on
)
SELECT (SELECT id FROM edge) AS last_id,
       (SELECT count(*) FROM removed)::int AS deleted,
       (SELECT count(*) FROM removed r WHERE r.state IN ('completed', 'cancelled') AND r.completed_on <= (SELECT q.retained_on FROM "pgboss"."queue" q WHERE q.name = $1::text))::int AS deleted_retained,
       ((SELECT count(*) FROM "pgboss"."mail" j
          WHERE j.name = $1::text AND j.id >= $2::uuid AND j.id <= COALESCE((SELECT id FROM edge), 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid) AND j.state IN ('completed', 'cancelled') AND j.completed_on <= $4::timestamptz)
        - (SELECT count(*) FROM removed WHERE state IN ('completed', 'cancelled') AND completed_on <= $4::timestamptz))::int AS kept

-- delete_old: with everything
WITH edge AS MATERIALIZED (
    SELECT id AS id
      FROM "pgboss"."mail"
     WHERE name = $1::text AND id > $2::uuid
     ORDER BY id
    OFFSET $3::int - 1
     LIMIT 1
), old AS MATERIALIZED (
    SELECT j.id FROM "pgboss"."mail" j WHERE j.name = $1::text AND j.id > $2::uuid AND j.id <= COALESCE((SELECT id FROM edge), 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid) AND j.state <> 'active'
       AND (j.deletion_seconds > 0 AND j.completed_on + j.deletion_seconds * interval '1 second' < "pgboss".job_now()
            OR j.state < 'active' AND j.keep_until < "pgboss".job_now())
       FOR UPDATE OF j SKIP LOCKED
), removed AS (
    DELETE FROM "pgboss"."mail" j WHERE j.name = $1::text AND j.id = ANY(ARRAY(SELECT id FROM old))
    RETURNING j.state, j.completed_on
)
SELECT (SELECT id FROM edge) AS last_id,
       (SELECT count(*) FROM removed)::int AS deleted,
       (SELECT count(*) FROM removed r WHERE r.state IN ('completed', 'cancelled') AND r.completed_on <= (SELECT q.retained_on FROM "pgboss"."queue" q WHERE q.name = $1::text))::int AS deleted_retained,
       ((SELECT count(*) FROM "pgboss"."mail" j
          WHERE j.name = $1::text AND j.id > $2::uuid AND j.id <= COALESCE((SELECT id FROM edge), 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid) AND j.state IN ('completed', 'cancelled') AND j.completed_on <= $4::timestamptz)
        - (SELECT count(*) FROM removed WHERE state IN ('completed', 'cancelled') AND completed_on <= $4::timestamptz))::int AS kept

-- delete_orphans: as little as possible
WITH edge AS MATERIALIZED (
    SELECT child_id AS id
      FROM "pgboss"."job_dependency"
     WHERE child_name = $1::text AND child_id >= $2::uuid
     ORDER BY child_id
    OFFSET $3::int - 1
     LIMIT 1
), removed AS (
    DELETE FROM "pgboss"."job_dependency" d
     WHERE d.child_name = $1::text AND d.child_id >= $2::uuid AND d.child_id <= COALESCE((SELECT id FROM edge), 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid)
       AND (SELECT true FROM "pgboss"."mail" j WHERE j.name = $1::text AND j.id = d.child_id) IS NULL
    RETURNING 1
)
SELECT (SELECT id FROM edge) AS last_id, (SELECT count(*) FROM removed)::int AS deleted

-- delete_orphans: with everything
WITH edge AS MATERIALIZED (
    SELECT parent_id AS id
      FROM "pgboss"."job_dependency"
     WHERE parent_name = $1::text AND parent_id > $2::uuid
     ORDER BY parent_id
    OFFSET $3::int - 1
     LIMIT 1
), removed AS (
    DELETE FROM "pgboss"."job_dependency" d
     WHERE d.parent_name = $1::text AND d.parent_id > $2::uuid AND d.parent_id <= COALESCE((SELECT id FROM edge), 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid)
       AND (SELECT true FROM "pgboss"."mail" j WHERE j.name = $1::text AND j.id = d.parent_id) IS NULL
    RETURNING 1
)
SELECT (SELECT id FROM edge) AS last_id, (SELECT count(*) FROM removed)::int AS deleted

-- hand_back
UPDATE "pgboss"."queue"
   SET maintain_on = NULLIF(maintain_on, $2::timestamptz),
       total_count = GREATEST(total_count - $3::int, 0),
       retained_count = CASE WHEN retained_count IS NOT NULL THEN GREATEST(retained_count - $4::int, 0) END
 WHERE name = $1::text

-- job_tables
SELECT current_database()::text AS database, table_name, array_agg(name ORDER BY name) AS queues
  FROM "pgboss"."queue"
 WHERE $1::text[] IS NULL OR name = ANY($1::text[])
 GROUP BY table_name
 ORDER BY table_name

-- overdue
SELECT $1::text AS table_name, j.name,
       COALESCE(bool_or(j.started_on + j.expire_seconds * interval '1 second' < "pgboss".job_now()), false) AS timed_out, COALESCE(bool_or(j.heartbeat_seconds IS NOT NULL AND j.heartbeat_on + j.heartbeat_seconds * interval '1 second' < "pgboss".job_now()), false) AS silent
  FROM "pgboss"."job_common" j
 WHERE j.name = ANY($2::text[]) AND j.state = 'active' AND ((j.started_on + j.expire_seconds * interval '1 second' < "pgboss".job_now()) OR (j.heartbeat_seconds IS NOT NULL AND j.heartbeat_on + j.heartbeat_seconds * interval '1 second' < "pgboss".job_now()))
 GROUP BY j.name UNION ALL 
SELECT $3::text AS table_name, j.name,
       COALESCE(bool_or(j.started_on + j.expire_seconds * interval '1 second' < "pgboss".job_now()), false) AS timed_out, COALESCE(bool_or(j.heartbeat_seconds IS NOT NULL AND j.heartbeat_on + j.heartbeat_seconds * interval '1 second' < "pgboss".job_now()), false) AS silent
  FROM "pgboss"."j0123" j
 WHERE j.name = ANY($4::text[]) AND j.state = 'active' AND ((j.started_on + j.expire_seconds * interval '1 second' < "pgboss".job_now()) OR (j.heartbeat_seconds IS NOT NULL AND j.heartbeat_on + j.heartbeat_seconds * interval '1 second' < "pgboss".job_now()))
 GROUP BY j.name

-- set_retained
UPDATE "pgboss"."queue"
   SET retained_count = $2::int,
       retained_on = $3::timestamptz,
       total_count = queued_count + active_count + failed_count + $2::int + (
           SELECT count(*)::int
             FROM "pgboss"."mail" j
            WHERE j.name = $1::text AND j.state IN ('completed', 'cancelled')
              AND j.completed_on > $3::timestamptz AND j.completed_on <= "pgboss".job_now())
 WHERE name = $1::text
